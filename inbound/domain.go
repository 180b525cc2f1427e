package inbound

import (
	"errors"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// cutDomain reads a Domain or an address-literal (RFC 5321 section 4.1.2) from the front of s.
func cutDomain(s string, smtputf8 bool) (domain, rest string, err error) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']') + 1
		if end == 0 {
			return "", "", errors.New("address literal not closed")
		}
		return s[:end], s[end:], checkLiteral(s[1 : end-1])
	}
	end := 0
	for end < len(s) && (isDomainOctet(s[end]) || s[end] == '.') {
		end++
	}
	domain, rest = s[:end], s[end:]
	return domain, rest, checkDomain(domain, smtputf8)
}

func isDomainOctet(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c >= utf8.RuneSelf
}

// checkDomain checks a domain name: letters, digits and inner hyphens in labels of at most 63 octets. A-labels and
// U-labels must be right by IDNA2008 (RFC 5891); the rules for other labels are left to DNS, where names like
// "r3---sn-x" exist.
func checkDomain(s string, smtputf8 bool) error {
	if len(s) > maxDomain {
		return errors.New("domain too long")
	}
	international := false
	for label := range strings.SplitSeq(s, ".") {
		ascii, err := checkLabel(label)
		if err != nil {
			return err
		}
		if !ascii || len(label) >= 4 && strings.EqualFold(label[:4], "xn--") {
			international = true
		}
	}
	if !international {
		return nil
	}
	if err := checkText(s, smtputf8); err != nil {
		return err
	}
	if _, err := idna.Lookup.ToASCII(s); err != nil {
		return errors.New("malformed internationalised domain")
	}
	return nil
}

// checkLabel checks one label. The length of a U-label is checked by its A-label, by idna.
func checkLabel(label string) (ascii bool, err error) {
	if label == "" {
		return false, errors.New("empty label in domain")
	}
	if label[0] == '-' || label[len(label)-1] == '-' {
		return false, errors.New("hyphen at the edge of a label")
	}
	for i := range len(label) {
		if label[i] >= utf8.RuneSelf {
			return false, nil
		}
		if !isDomainOctet(label[i]) {
			return false, errors.New("malformed domain")
		}
	}
	if len(label) > 63 {
		return false, errors.New("label too long")
	}
	return true, nil
}

// checkLiteral checks an address-literal without its brackets (RFC 5321 section 4.1.3). No General-address-literal is
// registered, so none is accepted.
func checkLiteral(s string) error {
	const tag = "IPv6:"
	if len(s) >= len(tag) && strings.EqualFold(s[:len(tag)], tag) {
		addr, err := netip.ParseAddr(s[len(tag):])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return errors.New("malformed IPv6 address literal")
		}
		return nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is4() {
		return errors.New("malformed address literal")
	}
	return nil
}
