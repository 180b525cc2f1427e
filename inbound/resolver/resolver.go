package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"
)

// Config says which servers are asked and how. The zero value is usable.
type Config struct {
	// Servers are the recursive servers, as addresses with or without a port, tried in this order. Empty: those of
	// /etc/resolv.conf.
	Servers []string
	// Timeout is how long one server may take for one try. 3 seconds.
	Timeout time.Duration
	// Attempts is how often the list of servers is gone through. 2.
	Attempts int
	// CacheSize bounds the octets of remembered answers, by estimate. 16 MiB; negative: nothing is remembered.
	CacheSize int
}

// Resolver looks up names. Its methods are those of [net.Resolver] with the same meaning, and so are the errors, all of them
// of the type [*net.DNSError]. It is safe for concurrent use. Make one with [New].
type Resolver struct {
	servers  []string
	timeout  time.Duration
	attempts int
	cache    *cache
	asking   singleflight.Group
}

// New makes a Resolver. It reads /etc/resolv.conf when no servers are given; without that file the server is one on this
// machine.
func New(cfg Config) (*Resolver, error) {
	r := &Resolver{timeout: cfg.Timeout, attempts: cfg.Attempts}
	if r.timeout == 0 {
		r.timeout = 3 * time.Second
	}
	if r.attempts == 0 {
		r.attempts = 2
	}
	if cfg.CacheSize == 0 {
		cfg.CacheSize = 16 << 20
	}
	if r.timeout < 0 || r.attempts < 0 {
		return nil, errors.New("resolver: a limit is negative")
	}
	r.cache = newCache(cfg.CacheSize, time.Now)
	servers := cfg.Servers
	if len(servers) == 0 {
		servers = systemServers("/etc/resolv.conf")
	}
	for _, server := range servers {
		address, err := serverAddress(server)
		if err != nil {
			return nil, fmt.Errorf("resolver: %w", err)
		}
		r.servers = append(r.servers, address)
	}
	return r, nil
}

// systemServers are the name servers of a resolv.conf file.
func systemServers(path string) []string {
	if file, err := dns.ClientConfigFromFile(path); err == nil && len(file.Servers) > 0 {
		return file.Servers
	}
	return []string{"127.0.0.1"}
}

func serverAddress(s string) (string, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.String(), nil
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return "", fmt.Errorf("%q is not the address of a DNS server", s)
	}
	return netip.AddrPortFrom(ip, 53).String(), nil
}

// Servers are the servers that are asked, with their ports.
func (r *Resolver) Servers() []string { return append([]string{}, r.servers...) }

// resolve gives the records of a name and type, or why there are none. What several callers ask at a time is asked once, and
// goes on when one of them leaves.
func (r *Resolver) resolve(ctx context.Context, name string, qtype uint16) ([]dns.RR, error) {
	qname, ok := queryName(name)
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	if err := ctx.Err(); err != nil {
		return nil, late(name)
	}
	k := key{qname, qtype}
	if found := r.cache.get(k); found != nil {
		return found.records, found.err(name)
	}
	done := r.asking.DoChan(fmt.Sprint(qtype, " ", qname), func() (any, error) {
		answer, err := r.ask(context.WithoutCancel(ctx), qname, qtype)
		if err == nil {
			r.cache.put(k, answer)
		}
		return answer, err
	})
	select {
	case <-ctx.Done():
		return nil, late(name)
	case result := <-done:
		if result.Err != nil {
			return nil, named(result.Err, name)
		}
		found := result.Val.(*answer)
		return found.records, found.err(name)
	}
}

func late(name string) error {
	return &net.DNSError{Err: "no answer in time", Name: name, IsTimeout: true}
}

// named puts the name that this caller asked for into an error that several share.
func named(err error, name string) error {
	var d *net.DNSError
	if !errors.As(err, &d) {
		return &net.DNSError{Err: err.Error(), Name: name, IsTemporary: true}
	}
	own := *d
	own.Name = name
	return &own
}
