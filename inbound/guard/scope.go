package guard

import "net/netip"

// Scope is a network that a client counts for.
type Scope struct {
	Network netip.Prefix
	// Part says that the network is a part of a source and may use half of what a source may, so that it leaves something to
	// its neighbours.
	Part bool
}

// Limit is the share of limit that the scope may use; a negative limit is none.
func (s Scope) Limit(limit int) int {
	if s.Part && limit > 0 {
		return (limit + 1) / 2
	}
	return limit
}

// Scopes are the networks that a client counts for, the widest first: the source it is, which is an IPv4 address or an
// IPv6 /48, what one site gets (RFC 6177), and the /64 in that. None for the zero Addr, which is a unix socket's.
func Scopes(client netip.Addr) []Scope {
	source := Source(client)
	switch {
	case !source.IsValid():
		return nil
	case client.Is6():
		part, _ := client.Prefix(64) // an address without a zone has one
		return []Scope{{Network: source}, {Network: part, Part: true}}
	}
	return []Scope{{Network: source}}
}

// Source is the widest of the networks that a client counts for; the zero Prefix for the zero Addr.
func Source(client netip.Addr) netip.Prefix {
	bits := 32
	if client.Is6() {
		bits = 48
	}
	source, _ := client.Prefix(bits)
	return source
}
