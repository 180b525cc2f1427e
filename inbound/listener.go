package inbound

import (
	"errors"
	"fmt"
	"net/netip"
)

// Kind says what a listener is for.
type Kind int

// The kinds of listeners.
const (
	// MX takes mail from anybody (RFC 5321).
	MX Kind = iota
	// Submission takes mail from those who log in (RFC 6409), under TLS alone: AUTH PLAIN (RFC 4616) and AUTH LOGIN.
	Submission
	// LMTP takes mail from a mail server that stands in front of this one (RFC 2033): LHLO in place of EHLO, and after
	// the data one reply for each recipient. It is spoken over TCP or a unix socket, never on port 25 (section 5).
	LMTP
)

// Listener says how [Server.Serve] speaks on a listener.
type Listener struct {
	// Name tells listeners apart in envelopes, logs and metrics.
	Name string
	Kind Kind
	// TLS says when TLS is spoken. A Submission listener needs it.
	TLS TLSMode
	// Proxies are the networks of the proxies in front of the listener. When there are any, every connection must come from
	// one of them and begin with a PROXY header, version 1 or 2, which names the client; any other is closed without a
	// word.
	Proxies []netip.Prefix
	// Greylist wants greylisting for every recipient, see [Defence.Greylist]; only on a listener of the kind MX.
	Greylist bool
}

// check reports what keeps the listener from being served.
func (l *Listener) check(cfg *Config) error {
	switch {
	case l.TLS != TLSNone && cfg.TLS == nil:
		return errors.New("it is to speak TLS but there is no TLS configuration")
	case l.Kind == Submission && l.TLS == TLSNone:
		return errors.New("submission needs TLS: passwords are never taken in clear")
	case l.Kind == Submission && cfg.Authenticate == nil:
		return errors.New("submission needs Authenticate")
	case l.Kind < MX || l.Kind > LMTP:
		return fmt.Errorf("unknown kind %d", l.Kind)
	}
	return nil
}

// trusts says whether a connection from ip may bring a PROXY header.
func (l *Listener) trusts(ip netip.Addr) bool {
	for _, network := range l.Proxies {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}
