package admin

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Behind serves next with the address of the client as RemoteAddr, where a request comes from a reverse proxy that is trusted: the last
// one in X-Forwarded-For that is no such proxy itself. What stands before it was written by the client, which may write what it likes.
// A request from anywhere else keeps its address, and what it says of itself counts nowhere.
func Behind(trusted []netip.Prefix, next http.Handler) http.Handler {
	if len(trusted) == 0 {
		return next
	}
	is := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && is(peer.Addr().Unmap().WithZone("")) {
			if client := forwardedFor(r.Header.Values("X-Forwarded-For"), is); client.IsValid() {
				r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
			}
		}
		next.ServeHTTP(w, r)
	})
}

// forwardedFor is the client of a list that each proxy has added its peer to; not valid: the list says nothing.
func forwardedFor(fields []string, trusted func(netip.Addr) bool) (client netip.Addr) {
	for _, word := range slices.Backward(strings.Split(strings.Join(fields, ","), ",")) {
		a, ok := forwardedAddress(strings.TrimSpace(word))
		if !ok {
			return client
		}
		if client = a; !trusted(a) {
			return client
		}
	}
	return client
}

// forwardedAddress reads an address with or without a port, which some proxies add.
func forwardedAddress(word string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(word); err == nil {
		word = host
	}
	a, err := netip.ParseAddr(strings.Trim(word, "[]"))
	return a.Unmap().WithZone(""), err == nil
}
