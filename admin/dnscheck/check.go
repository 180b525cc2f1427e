package dnscheck

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/letterhook/letterhook/admin"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/inbound/resolver"
)

// Config is what is looked at.
type Config struct {
	Hostname string             // of the server
	Domains  []Domain           // that it takes mail for
	Resolver *resolver.Resolver // that is asked
	// Certificate is what the server shows for its hostname; nil: none.
	Certificate *x509.Certificate
	// Rotates says that the key of the certificate is another one after each renewal.
	Rotates bool
	// Client fetches the policies of MTA-STS. Nil: one that asks Resolver and the network, and goes to public addresses alone, as senders
	// do: whoever may name a domain must not have the server's own network looked at.
	Client *http.Client
}

// Domain is a domain that mail is taken for.
type Domain struct {
	Name   string        // in A-labels; "*." and a domain for all below it
	Policy *admin.Policy // of MTA-STS; nil: none
}

// atOnce is how many names are looked at together.
const atOnce = 16

type checker struct{ Config }

// Check looks at everything. It ends with ctx, and what it has not found out then is unknown.
func Check(ctx context.Context, c Config) Report {
	if c.Client == nil {
		c.Client = client(c.Resolver)
	}
	k := checker{c}
	report := make(Report, 1+len(c.Domains))
	var looking errgroup.Group
	looking.SetLimit(atOnce)
	looking.Go(func() error { report[0] = k.host(ctx); return nil })
	for i, d := range c.Domains {
		looking.Go(func() error { report[1+i] = k.domain(ctx, d); return nil })
	}
	_ = looking.Wait() // none of them fails: what goes wrong is a finding
	return report
}

// client fetches by HTTPS from the addresses that the resolver gives.
func client(r *resolver.Resolver) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		found, err := r.LookupIPAddr(ctx, host)
		if err != nil {
			return nil, err
		}
		var failures error
		for _, ip := range found {
			if err := publicly(ip, port); err != nil {
				failures = errors.Join(failures, err)
				continue
			}
			conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
			if err == nil {
				return conn, nil
			}
			failures = errors.Join(failures, err)
		}
		return nil, failures
	}
	return &http.Client{
		Transport: transport, Timeout: 20 * time.Second,
		// RFC 8461 section 3.3: redirects must not be followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// publicly refuses what no stranger could reach.
func publicly(ip net.IPAddr, port string) error {
	address, err := netip.ParseAddrPort(net.JoinHostPort(ip.IP.String(), port))
	if err != nil {
		return err
	}
	if (&dispatch.Guard{}).Check(address, false) != nil {
		return fmt.Errorf("%s cannot be reached from the internet", address)
	}
	return nil
}

// Absent says whether an error means that there is nothing, rather than that it could not be found out.
func Absent(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}

// unknown reports a question without an answer, and says whether it was one.
func (s *Section) unknown(what string, err error) bool {
	if err == nil || Absent(err) {
		return false
	}
	s.add(what, Unknown, "DNS does not answer: "+err.Error())
	return true
}
