package resolver

import (
	"context"
	"net"
	"net/netip"

	"github.com/miekg/dns"
)

// LookupNetIP gives the addresses of a name of one family: network is "ip4" or "ip6".
func (r *Resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	var qtype uint16
	switch network {
	case "ip4":
		qtype = dns.TypeA
	case "ip6":
		qtype = dns.TypeAAAA
	default:
		return nil, net.UnknownNetworkError(network)
	}
	records, err := r.resolve(ctx, host, qtype)
	var addresses []netip.Addr
	for _, rr := range records {
		var octets net.IP
		switch rr := rr.(type) {
		case *dns.A:
			octets = rr.A.To4()
		case *dns.AAAA:
			octets = rr.AAAA
		}
		if addr, ok := netip.AddrFromSlice(octets); ok {
			addresses = append(addresses, addr)
		}
	}
	return addresses, err
}
