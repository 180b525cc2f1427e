package mailauth

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/letterhook/letterhook/inbound"
)

// maxPTR is how many names of a client are tried. Most have one.
const maxPTR = 5

// checkIPRev looks for a name of the client that resolves back to it (RFC 8601 section 3).
func checkIPRev(ctx context.Context, r Resolver, client netip.Addr) inbound.IPRevResult {
	names, err := r.LookupAddr(ctx, client.String())
	switch {
	case isTemporaryDNS(err):
		return inbound.IPRevResult{Result: inbound.ResultTempError}
	case len(names) == 0:
		return inbound.IPRevResult{Result: inbound.ResultPermError}
	}
	result := inbound.ResultFail
	for _, name := range names[:min(len(names), maxPTR)] {
		host, err := hostName(strings.TrimSuffix(name, "."))
		if err != nil {
			continue
		}
		addresses, err := r.LookupIPAddr(ctx, host)
		if isTemporaryDNS(err) {
			result = inbound.ResultTempError
		}
		if slices.ContainsFunc(addresses, isAddress(client)) {
			return inbound.IPRevResult{Result: inbound.ResultPass, Host: host}
		}
	}
	return inbound.IPRevResult{Result: result}
}

func isAddress(client netip.Addr) func(net.IPAddr) bool {
	return func(a net.IPAddr) bool {
		ip, ok := netip.AddrFromSlice(a.IP)
		return ok && ip.Unmap() == client
	}
}
