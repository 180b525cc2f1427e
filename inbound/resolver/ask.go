package resolver

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/miekg/dns"
)

// udpSize is the largest answer that is asked for over UDP: it passes without fragments (DNS flag day 2020).
const udpSize = 1232

// ask goes through the servers until one answers. An answer is that there are records, or none.
func (r *Resolver) ask(ctx context.Context, qname string, qtype uint16) (*answer, error) {
	query := new(dns.Msg)
	query.SetQuestion(qname, qtype)
	query.SetEdns0(udpSize, false)
	last := &net.DNSError{Err: "no server answered", IsTemporary: true}
	for range r.attempts {
		for _, server := range r.servers {
			query.Id = dns.Id()
			reply, err := r.exchange(ctx, query, server)
			var netErr net.Error
			switch {
			case errors.As(err, &netErr) && netErr.Timeout():
				last = &net.DNSError{Err: "no answer in time", Server: server, IsTimeout: true}
			case err != nil:
				last = &net.DNSError{Err: err.Error(), Server: server, IsTemporary: true}
			case reply.Rcode == dns.RcodeSuccess, reply.Rcode == dns.RcodeNameError:
				return read(reply, qname, qtype), nil
			default: // nothing is known then, whatever the reason (RFC 7208 section 4.4)
				last = &net.DNSError{Err: "the server answered " + dns.RcodeToString[reply.Rcode], Server: server, IsTemporary: true}
			}
		}
	}
	return nil, last
}

var errOtherQuestion = errors.New("the answer is to another question")

// exchange asks one server over UDP, and over TCP what does not fit.
func (r *Resolver) exchange(ctx context.Context, query *dns.Msg, server string) (*dns.Msg, error) {
	for _, network := range []string{"udp", "tcp"} {
		client := &dns.Client{Net: network, Timeout: r.timeout}
		reply, _, err := client.ExchangeContext(ctx, query, server)
		if err != nil {
			return nil, err
		}
		asked := query.Question[0]
		if !reply.Response || len(reply.Question) != 1 || reply.Question[0].Qtype != asked.Qtype ||
			!sameName(reply.Question[0].Name, asked.Name) {
			return nil, errOtherQuestion
		}
		if !reply.Truncated || network == "tcp" {
			return reply, nil
		}
	}
	return nil, errOtherQuestion // not reached
}

const (
	maxTTL         = time.Hour
	maxNegativeTTL = 15 * time.Minute // RFC 2308 section 5 allows hours; a domain that sets DNS up wants mail sooner
	maxAliases     = 12
)

// read takes the records asked for out of a reply, at the end of the aliases (RFC 1034 section 3.6.2).
func read(reply *dns.Msg, qname string, qtype uint16) *answer {
	a := &answer{missing: reply.Rcode == dns.RcodeNameError, ttl: maxTTL}
	name := qname
	for range maxAliases {
		alias := ""
		for _, rr := range reply.Answer {
			h := rr.Header()
			if !sameName(h.Name, name) {
				continue
			}
			switch cname, is := rr.(*dns.CNAME); {
			case h.Rrtype == qtype:
				a.records = append(a.records, rr)
			case is:
				alias = cname.Target
			default:
				continue
			}
			a.ttl = min(a.ttl, seconds(h.Ttl))
		}
		if len(a.records) > 0 || alias == "" {
			break
		}
		name = alias
	}
	if len(a.records) == 0 {
		a.ttl = min(a.ttl, negativeTTL(reply))
	}
	return a
}

// negativeTTL is how long it may be remembered that there is nothing (RFC 2308 section 5): not at all without a SOA record.
func negativeTTL(reply *dns.Msg) time.Duration {
	for _, rr := range reply.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(seconds(soa.Hdr.Ttl), seconds(soa.Minttl), maxNegativeTTL)
		}
	}
	return 0
}

func seconds(ttl uint32) time.Duration {
	if ttl > 1<<31-1 { // RFC 2181 section 8
		return 0
	}
	return time.Duration(ttl) * time.Second
}

// sameName compares names however the DNS library escaped them.
func sameName(a, b string) bool { return lower(octets(a)) == lower(octets(b)) }
