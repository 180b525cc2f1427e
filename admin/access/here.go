package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// FromHere says whether a request comes from this machine and is addressed to it as such. The Host must be a loopback address or
// localhost: a page in a browser cannot have such a one for its own, wherever its name is pointed (DNS rebinding). Behind a reverse
// proxy on this machine every request comes from here, so it is for dev alone.
func FromHere(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}
