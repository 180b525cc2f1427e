package resolver

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// LookupTXT gives the TXT records of a name, the strings of each joined (RFC 7208 section 3.3).
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	records, err := r.resolve(ctx, name, dns.TypeTXT)
	var texts []string
	for _, rr := range records {
		if txt, ok := rr.(*dns.TXT); ok {
			texts = append(texts, octets(strings.Join(txt.Txt, "")))
		}
	}
	return texts, err
}

// LookupMX gives the mail exchangers of a name, the most preferred first.
func (r *Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	records, err := r.resolve(ctx, name, dns.TypeMX)
	var exchangers []*net.MX
	for _, rr := range records {
		if mx, ok := rr.(*dns.MX); ok {
			exchangers = append(exchangers, &net.MX{Host: octets(mx.Mx), Pref: mx.Preference})
		}
	}
	slices.SortStableFunc(exchangers, func(a, b *net.MX) int { return int(a.Pref) - int(b.Pref) })
	return exchangers, err
}

// LookupIPAddr gives the IPv4 and the IPv6 addresses of a name. Where one kind cannot be found out, the other is given if
// there is any.
func (r *Resolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	var records [2][]dns.RR
	var errs [2]error
	var both sync.WaitGroup
	for i, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		both.Go(func() { records[i], errs[i] = r.resolve(ctx, host, qtype) })
	}
	both.Wait()
	var addresses []net.IPAddr
	for _, rr := range slices.Concat(records[0], records[1]) {
		switch rr := rr.(type) {
		case *dns.A:
			addresses = append(addresses, net.IPAddr{IP: rr.A})
		case *dns.AAAA:
			addresses = append(addresses, net.IPAddr{IP: rr.AAAA})
		}
	}
	if len(addresses) > 0 {
		return addresses, nil
	}
	for _, err := range errs {
		var d *net.DNSError
		if errors.As(err, &d) && !d.IsNotFound {
			return nil, err
		}
	}
	return nil, errs[0]
}

// LookupAddr gives the names that the reverse tree has for an IP address, each with a dot at its end.
func (r *Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	reverse, err := dns.ReverseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{Err: "unrecognized address", Name: addr}
	}
	records, err := r.resolve(ctx, reverse, dns.TypePTR)
	var names []string
	for _, rr := range records {
		if ptr, ok := rr.(*dns.PTR); ok {
			names = append(names, octets(ptr.Ptr))
		}
	}
	return names, err
}

// LookupAlias gives the name that an alias stands for (CNAME), with a dot at its end; not found where the name is no alias. There
// is no such method on [net.Resolver].
func (r *Resolver) LookupAlias(ctx context.Context, name string) (string, error) {
	records, err := r.resolve(ctx, name, dns.TypeCNAME)
	for _, rr := range records {
		if cname, ok := rr.(*dns.CNAME); ok {
			return octets(cname.Target), nil
		}
	}
	return "", err
}

// TLSA says which certificate is the right one at a port (RFC 6698 section 2.1).
type TLSA struct {
	Usage, Selector, Matching uint8
	Data                      string // hexadecimal, lower case
}

// LookupTLSA gives the TLSA records of a name like _25._tcp.mx.example.com. Whether the answer was signed (DNSSEC), without which they
// mean nothing, it does not say. There is no such method on [net.Resolver].
func (r *Resolver) LookupTLSA(ctx context.Context, name string) ([]TLSA, error) {
	records, err := r.resolve(ctx, name, dns.TypeTLSA)
	var found []TLSA
	for _, rr := range records {
		if tlsa, ok := rr.(*dns.TLSA); ok {
			found = append(found, TLSA{tlsa.Usage, tlsa.Selector, tlsa.MatchingType, lower(tlsa.Certificate)})
		}
	}
	return found, err
}

// queryName is a name in the form of the DNS library, lower case and absolute; not ok when no such name can exist (RFC 1035
// section 2.3.4).
func queryName(name string) (string, bool) {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return "", false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return "", false
		}
	}
	return strings.ReplaceAll(lower(name), `\`, `\\`) + ".", true
}

// lower folds ASCII alone: DNS knows no other letters (RFC 4343).
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// octets undoes the escapes that the DNS library puts into texts: "\" and a character, or "\" and three decimal digits.
func octets(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		if i+2 < len(s) && isDigit(s[i]) && isDigit(s[i+1]) && isDigit(s[i+2]) {
			b = append(b, (s[i]-'0')*100+(s[i+1]-'0')*10+s[i+2]-'0')
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
