package mailauth

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

// Resolver is what the checks ask of DNS. [*net.Resolver] fits. Errors are of the type [*net.DNSError], with IsNotFound
// where the name or the records do not exist and IsTimeout or IsTemporary where that is not known. It must be safe for
// concurrent use.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
}

const (
	// maxQuestions bounds what one message may make us ask. SPF alone may ask 120 times (RFC 7208 section 4.6.4), a
	// chain of ARC 50.
	maxQuestions = 250
	// maxText is the longest TXT record that is looked at. A key of 8192 bits has 1,400 octets.
	maxText = 8 << 10
)

// asker is the Resolver of one message: with a budget, and with nothing in the answers that costs much to read.
type asker struct {
	Resolver
	asked atomic.Int32
}

var errBudget = &net.DNSError{Err: "the message asks too much of DNS", IsTemporary: true}

func (a *asker) spend() error {
	if a.asked.Add(1) > maxQuestions {
		return errBudget
	}
	return nil
}

// LookupTXT drops records that are too long.
func (a *asker) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if err := a.spend(); err != nil {
		return nil, err
	}
	all, err := a.Resolver.LookupTXT(ctx, name)
	records := make([]string, 0, len(all))
	for _, record := range all {
		if len(record) <= maxText {
			records = append(records, record)
		}
	}
	return records, err
}

// LookupMX counts.
func (a *asker) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	if err := a.spend(); err != nil {
		return nil, err
	}
	return a.Resolver.LookupMX(ctx, name)
}

// LookupIPAddr counts.
func (a *asker) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	if err := a.spend(); err != nil {
		return nil, err
	}
	return a.Resolver.LookupIPAddr(ctx, host)
}

// LookupAddr counts.
func (a *asker) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	if err := a.spend(); err != nil {
		return nil, err
	}
	return a.Resolver.LookupAddr(ctx, addr)
}

func isNotFound(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}

// isTemporaryDNS says whether asking again may help.
func isTemporaryDNS(err error) bool {
	if err == nil {
		return false
	}
	var d *net.DNSError
	return !errors.As(err, &d) || d.Temporary()
}
