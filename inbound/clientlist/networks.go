package clientlist

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// Networks is a set of networks. Looking up costs as much as it has different lengths of prefixes.
type Networks struct {
	set     map[netip.Prefix]struct{}
	lengths []int // the IPv4 ones as 0 to 32, the IPv6 ones as 128 more
}

// ReadNetworks reads a file with one network or address a line; what stands behind a # is a comment. The error names every
// line that is neither.
func ReadNetworks(path string) (*Networks, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a list: %w", err)
	}
	networks, wrong := parseNetworks(text)
	if len(wrong) > 0 {
		return nil, fmt.Errorf("reading %s: not a network or an address: line %s", path, strings.Join(wrong, ", "))
	}
	return networks, nil
}

// maxFaults is how many lines an error names.
const maxFaults = 10

// parseNetworks gives the numbers of the lines that are wrong.
func parseNetworks(text []byte) (*Networks, []string) {
	n := &Networks{set: map[netip.Prefix]struct{}{}}
	var wrong []string
	number := 0
	for line := range bytes.Lines(text) {
		number++
		entry, _, _ := bytes.Cut(line, []byte("#"))
		if entry = bytes.TrimSpace(entry); len(entry) == 0 {
			continue
		}
		network, err := parseNetwork(string(entry))
		switch {
		case err == nil:
			n.add(network)
		case len(wrong) < maxFaults:
			wrong = append(wrong, fmt.Sprint(number))
		}
	}
	return n, wrong
}

func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err == nil && network.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q: write an IPv4 network as one", text)
	}
	return network.Masked(), err
}

func (n *Networks) add(network netip.Prefix) {
	n.set[network] = struct{}{}
	length := network.Bits()
	if network.Addr().Is6() {
		length += 128
	}
	if !slices.Contains(n.lengths, length) {
		n.lengths = append(n.lengths, length)
	}
}

// Len is the number of networks.
func (n *Networks) Len() int { return len(n.set) }

// Contains says whether one of the networks holds an address.
func (n *Networks) Contains(addr netip.Addr) bool {
	for _, length := range n.lengths {
		if addr.Is6() {
			length -= 128
		}
		network, err := addr.Prefix(length)
		if err != nil { // of the other family
			continue
		}
		if _, ok := n.set[network]; ok {
			return true
		}
	}
	return false
}
