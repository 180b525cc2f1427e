package config

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
)

// reachable reports an endpoint whose host is known without a look-up to be refused by the delivery. A name is judged
// when it was resolved, at each attempt.
func (v *validator) reachable(key string, u *url.URL, private bool) {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 section 6.3
		host = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return
	}
	port := uint64(80)
	if u.Scheme == "https" {
		port = 443
	}
	if u.Port() != "" {
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil {
			v.faultf(key, "%q is not a port", u.Port())
			return
		}
	}
	guard := v.Guard()
	err = guard.Check(netip.AddrPortFrom(addr, uint16(port)), private)
	var blocked *dispatch.BlockedError
	switch {
	case !errors.As(err, &blocked):
	case blocked.Private:
		v.faultf(key, "%s is not public: %s; say allow_private: true if that is meant", u.Host, blocked.Reason)
	default:
		v.faultf(key, "%s can never be reached: %s", u.Host, blocked.Reason)
	}
}

// Guard is what the configuration allows endpoints to be, without the server's own listeners.
func (c *Config) Guard() dispatch.Guard {
	guard := dispatch.Guard{AllowHosts: c.Delivery.AllowHosts}
	for _, n := range c.Delivery.AllowNetworks {
		guard.Allow = append(guard.Allow, n.Prefix)
	}
	return guard
}
