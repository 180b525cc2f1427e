package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	connectTimeout = 5 * time.Second
	maxURL         = 2048
)

// Guard decides which addresses an attempt may connect to, so that nobody can reach the operator's inner network by
// naming it as a webhook. It judges the very address of the socket, after the name was resolved and for each candidate,
// so a name that changes its address between a check and the use gains nothing. The zero Guard lets public addresses
// through and nothing else. Cloud metadata addresses and own listeners are refused whatever is allowed.
type Guard struct {
	// Allow are networks outside the public internet that any endpoint may lie in.
	Allow []netip.Prefix
	// AllowHosts are host names, lower case, that may lie in a private network; one that begins with a dot stands for
	// all names below it.
	AllowHosts []string
	// AllowLoopback lets any endpoint lie on this machine; for development.
	AllowLoopback bool
	// Refuse are the server's own listeners. An unspecified address (0.0.0.0 or ::) means every address of the machine.
	Refuse []netip.AddrPort
	// Resolver finds the addresses of names; nil: that of the system.
	Resolver *net.Resolver
}

// BlockedError says that the guard refused an address. Its text is for the operator, not for tenants.
type BlockedError struct {
	Addr   netip.AddrPort
	Reason string
	// Private says that allow_private on the endpoint would let the address through.
	Private bool
}

// Error implements error.
func (e *BlockedError) Error() string { return fmt.Sprintf("%s refused: %s", e.Addr, e.Reason) }

// CheckURL says what is wrong with the URL of an endpoint, before any name is resolved. The error may be shown to
// whoever wrote the URL; it does not repeat it.
func CheckURL(raw string) error {
	if len(raw) > maxURL {
		return fmt.Errorf("the URL is longer than %d octets", maxURL)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("the URL cannot be read")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the URL must begin with http:// or https://")
	case u.Hostname() == "":
		return errors.New("the URL names no host")
	case u.Fragment != "":
		return errors.New("the URL has a fragment, which is never sent")
	}
	for _, c := range []byte(u.Hostname()) {
		if c >= 0x80 {
			return errors.New("the host of the URL must be written in ASCII (punycode)")
		}
	}
	if isOddAddress(u.Hostname()) {
		return errors.New("the host of the URL looks like an address in an unusual form; write it as four decimal numbers")
	}
	return nil
}

// isOddAddress knows hosts that some resolvers, those of proxies among them, take for an IPv4 address and we do not: what ends
// in a number, but is not four decimal ones without leading zeros. No name does that (RFC 1123 section 2.1).
func isOddAddress(host string) bool {
	host = strings.TrimSuffix(host, ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if digits, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// dial connects to addr ("host:port") if the guard lets it; private says that the endpoint itself was declared with
// allow_private.
func (g *Guard) dial(ctx context.Context, network, addr string, private bool) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dialing: %w", err)
	}
	private = private || g.allowsHost(host)
	d := net.Dialer{
		Timeout:  connectTimeout,
		Resolver: g.Resolver,
		ControlContext: func(ctx context.Context, network, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil || (network != "tcp4" && network != "tcp6") {
				return &BlockedError{Reason: "not a TCP address"}
			}
			if err := g.Check(ap, private); err != nil {
				return err
			}
			tryingAddress(ctx, address)
			return nil
		},
	}
	return d.DialContext(ctx, network, addr)
}

func (g *Guard) allowsHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, allowed := range g.AllowHosts {
		if host == allowed || (strings.HasPrefix(allowed, ".") && strings.HasSuffix(host, allowed)) {
			return true
		}
	}
	return false
}

// Check says whether an attempt may connect to an address; private says that its endpoint was declared with
// allow_private. The error is a [*BlockedError]. Every attempt asks again, so this is for early advice only.
func (g *Guard) Check(ap netip.AddrPort, private bool) error {
	addr := judged(ap.Addr())
	blocked := func(reason string) error { return &BlockedError{Addr: ap, Reason: reason} }
	if isMetadata(addr) {
		return blocked("a cloud metadata service")
	}
	if g.isOwn(addr, ap.Port()) {
		return blocked("a listener of this server")
	}
	for _, p := range g.Allow {
		if p.Contains(addr) {
			return nil
		}
	}
	kind, what := classify(addr)
	switch {
	case kind == public && (ap.Port() >= 1024 || ap.Port() == 80 || ap.Port() == 443):
		return nil
	case kind == public:
		return blocked("a port below 1024 that is not for HTTP")
	case kind == loopback && g.AllowLoopback:
		return nil
	case kind == reserved:
		return blocked(what)
	case private:
		return nil
	}
	return &BlockedError{Addr: ap, Reason: what, Private: true}
}

// isOwn says whether the server itself listens at the address.
func (g *Guard) isOwn(addr netip.Addr, port uint16) bool {
	for _, own := range g.Refuse {
		if own.Port() != port {
			continue
		}
		if own.Addr().Unmap() == addr {
			return true
		}
		if own.Addr().IsUnspecified() && (addr.IsLoopback() || addr.IsUnspecified() || isLocal(addr)) {
			return true
		}
	}
	return false
}

// isLocal says whether an interface of this machine has the address; when that cannot be found out it says yes.
func isLocal(addr netip.Addr) bool {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, n := range nets {
		if p, err := netip.ParsePrefix(n.String()); err == nil && p.Addr().Unmap().WithZone("") == addr {
			return true
		}
	}
	return false
}
