package clientlist

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Code chooses among the answers of a zone (RFC 5782 section 2.1).
type Code struct {
	from, to netip.Addr // a range of answers
	bits     byte       // any of these in the last octet; 0: whatever is in the range
}

// ParseCode reads "127.0.0.2", "127.0.0.0/28", "127.0.0.2-127.0.0.11" or "bits:6", which are answers with any of these bits in
// their last octet.
func ParseCode(text string) (Code, error) {
	if mask, ok := strings.CutPrefix(text, "bits:"); ok {
		n, err := strconv.ParseUint(mask, 10, 8)
		if err != nil || n == 0 {
			return Code{}, fmt.Errorf("%q: the bits are a number from 1 to 255", text)
		}
		return Code{answers.Addr(), last(answers), byte(n)}, nil
	}
	var c Code
	if network, err := netip.ParsePrefix(text); err == nil && network.Addr().Is4() {
		c = Code{from: network.Masked().Addr(), to: last(network)}
	} else {
		low, high, ranged := strings.Cut(text, "-")
		if !ranged {
			high = low
		}
		var lowErr, highErr error
		c.from, lowErr = netip.ParseAddr(low)
		c.to, highErr = netip.ParseAddr(high)
		if lowErr != nil || highErr != nil || c.to.Less(c.from) {
			return Code{}, fmt.Errorf("%q is not like 127.0.0.2, 127.0.0.0/28, 127.0.0.2-127.0.0.11 or bits:6", text)
		}
	}
	if !answers.Contains(c.from) || !answers.Contains(c.to) {
		return Code{}, fmt.Errorf("%q: zones answer within 127.0.0.0/8 (RFC 5782 section 2.1)", text)
	}
	return c, nil
}

// last is the last address of a network.
func last(network netip.Prefix) netip.Addr {
	octets := network.Masked().Addr().As4()
	for bit := network.Bits(); bit < 32; bit++ {
		octets[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(octets)
}

func (c Code) matches(answer netip.Addr) bool {
	return !answer.Less(c.from) && !c.to.Less(answer) && (c.bits == 0 || answer.As4()[3]&c.bits != 0)
}

var (
	// answers are what a zone may answer (RFC 5782 section 2.1).
	answers = netip.MustParsePrefix("127.0.0.0/8")
	// troubles are how several zones say that they do not answer us: a public resolver, too many questions.
	troubles = netip.MustParsePrefix("127.255.255.0/24")
)
