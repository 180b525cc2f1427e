package dispatch

import (
	"net/netip"
	"slices"
)

// A kind of address, from the point of view of a request that a stranger makes us send.
type addressKind int

const (
	public   addressKind = iota
	private              // somebody's own network
	loopback             // this machine
	reserved             // nothing that a webhook can sensibly be at
)

// judged is the address that a connection to a really reaches: without zone, an IPv4-mapped one as IPv4, and an IPv4
// address behind the well-known NAT64 prefix (RFC 6052) as that.
func judged(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// classify takes a judged address. The sources are the IANA special-purpose address registries.
func classify(a netip.Addr) (addressKind, string) {
	for _, n := range special {
		if n.prefix.Contains(a) {
			return n.kind, n.name
		}
	}
	if a.Is6() && !globalUnicast.Contains(a) {
		return reserved, "outside global unicast"
	}
	if !a.IsValid() {
		return reserved, "not an address"
	}
	return public, ""
}

func isMetadata(a netip.Addr) bool { return slices.Contains(metadata, a) }

var (
	nat64         = netip.MustParsePrefix("64:ff9b::/96")
	globalUnicast = netip.MustParsePrefix("2000::/3")
)

// special holds what is not public, the narrower network first.
var special = []struct {
	prefix netip.Prefix
	kind   addressKind
	name   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), reserved, "this network (RFC 1122)"},
	{netip.MustParsePrefix("10.0.0.0/8"), private, "private (RFC 1918)"},
	{netip.MustParsePrefix("100.64.0.0/10"), private, "shared address space (RFC 6598)"},
	{netip.MustParsePrefix("127.0.0.0/8"), loopback, "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), reserved, "link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), private, "private (RFC 1918)"},
	{netip.MustParsePrefix("192.0.0.0/24"), reserved, "protocol assignments (RFC 6890)"},
	{netip.MustParsePrefix("192.0.2.0/24"), reserved, "documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), reserved, "6to4 relay"},
	{netip.MustParsePrefix("192.168.0.0/16"), private, "private (RFC 1918)"},
	{netip.MustParsePrefix("198.18.0.0/15"), reserved, "benchmarking (RFC 2544)"},
	{netip.MustParsePrefix("198.51.100.0/24"), reserved, "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), reserved, "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), reserved, "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), reserved, "reserved or broadcast"},
	{netip.MustParsePrefix("::1/128"), loopback, "loopback"},
	{netip.MustParsePrefix("fc00::/7"), private, "unique local (RFC 4193)"},
	{netip.MustParsePrefix("2001::/23"), reserved, "protocol assignments (RFC 2928), Teredo"},
	{netip.MustParsePrefix("2001:db8::/32"), reserved, "documentation"},
	{netip.MustParsePrefix("2002::/16"), reserved, "6to4"},
	{netip.MustParsePrefix("3fff::/20"), reserved, "documentation"},
}

// metadata are the addresses at which cloud providers hand out credentials to whoever asks from the machine.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), // most providers
	netip.MustParseAddr("169.254.170.2"),   // AWS container credentials
	netip.MustParseAddr("169.254.170.23"),  // AWS pod identity
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure wire server, a public address
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd00:ec2::23"),    // AWS pod identity
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
}
