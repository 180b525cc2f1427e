package guard

import (
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// BadChangeError is a change that makes no sense. Its text is for the operator.
type BadChangeError struct{ Reason string }

// Error implements [error].
func (e *BadChangeError) Error() string { return e.Reason }

func (b Block) over(now time.Time) bool { return !b.Until.IsZero() && !now.Before(b.Until) }

func (b Block) same(other Block) bool {
	return b.Network == other.Network && strings.EqualFold(b.Sender, other.Sender)
}

// normalise checks what is blocked and brings it into one form.
func (b *Block) normalise() error {
	if b.Network.IsValid() == (b.Sender != "") {
		return &BadChangeError{"name either a network or a sender"}
	}
	if b.Network.IsValid() {
		if b.Network.Addr().Is4In6() {
			return &BadChangeError{"write an IPv4 network as one: clients are never known by the other form"}
		}
		b.Network = b.Network.Masked()
		return nil
	}
	b.Sender = strings.TrimPrefix(strings.ToLower(strings.Trim(b.Sender, "<> ")), "@")
	at := strings.LastIndexByte(b.Sender, '@') + 1
	b.Sender = b.Sender[:at] + asciiDomain(b.Sender[at:])
	if b.Sender == "" || len(b.Sender) > maxSender || strings.ContainsFunc(b.Sender, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return &BadChangeError{"the sender is neither an address nor a domain"}
	}
	return nil
}

// asciiDomain is a domain in A-labels, the one form in which all that name it are equal (RFC 5890 section 2.3.2.1). What is no
// domain stays as it is.
func asciiDomain(domain string) string {
	domain = strings.TrimSuffix(domain, ".")
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
		return ascii
	}
	return domain
}

// maxSender is the longest path (RFC 5321 section 4.5.3.1.3).
const maxSender = 256
