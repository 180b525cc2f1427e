package config

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

func (v *validator) listeners() {
	if len(v.SMTP.Listeners) == 0 {
		v.faultf("smtp.listeners", "at least one is required")
	}
	names := map[string]bool{}
	for i := range v.SMTP.Listeners {
		l := &v.SMTP.Listeners[i]
		l.Kind, l.TLS = cmp.Or(l.Kind, KindMX), cmp.Or(l.TLS, TLSNone)
		key := fmt.Sprintf("smtp.listeners[%d]", i)
		v.name(key+".name", l.Name, names)
		v.word(key+".kind", string(l.Kind), string(KindMX), string(KindSubmission), string(KindLMTP))
		v.listenerTLS(key+".tls", l)
		v.listenerAddress(key, l)
	}
}

func (v *validator) listenerTLS(key string, l *Listener) {
	switch {
	case !v.word(key, string(l.TLS), string(TLSNone), string(TLSStartTLS), string(TLSImplicit)):
	case l.TLS != TLSNone && !v.TLS.Speaks():
		v.faultf(key, "needs a certificate in tls.certificates, or tls.acme")
	case l.TLS == TLSNone && l.Kind == KindSubmission:
		v.faultf(key, "must be starttls or implicit for submission: passwords are never taken in clear")
	}
}

func (v *validator) listenerAddress(key string, l *Listener) {
	at := key + ".address"
	switch {
	case strings.HasPrefix(l.Address, unixPrefix):
		v.socketPath(at, l)
		if len(l.ProxyProtocol) > 0 {
			v.faultf(key+".proxy_protocol", "has no meaning on a unix socket")
		}
		return
	case strings.HasPrefix(l.Address, systemdPrefix):
		if l.Systemd() == "" {
			v.faultf(at, "%q names no socket: write systemd:NAME", l.Address)
		}
		v.once(at, l.Address)
		return
	}
	v.address(at, l.Address)
	if _, port, err := net.SplitHostPort(l.Address); err == nil && port == "25" && l.Kind == KindLMTP {
		v.faultf(at, "LMTP must not be spoken on port 25 (RFC 2033 section 5)")
	}
}

// maxSocketPath is what the kernel takes, with a NUL behind it.
const maxSocketPath = 107

func (v *validator) socketPath(key string, l *Listener) {
	path := l.Unix()
	switch {
	case !strings.HasPrefix(path, "/"):
		v.faultf(key, "%q is not an absolute path", path)
	case len(path) > maxSocketPath:
		v.faultf(key, "the path is longer than %d octets", maxSocketPath)
	case l.Kind != KindLMTP:
		v.faultf(key, "a unix socket is for kind: lmtp alone: peers of the others have an address")
	}
	v.once(key, l.Address)
}

func (v *validator) users() {
	seen := map[string]bool{}
	for i, u := range v.Users {
		key := fmt.Sprintf("users[%d]", i)
		v.name(key+".name", u.Name, seen)
		if strings.ContainsFunc(u.Name, func(r rune) bool { return r > '~' }) || len(u.Name) > maxUserName {
			v.faultf(key+".name", "must be at most %d octets of ASCII", maxUserName)
		}
		v.passwordHash(key+".password_hash", u.PasswordHash)
	}
	for _, l := range v.SMTP.Listeners {
		if l.Kind == KindSubmission && len(v.Users) == 0 {
			v.Warnings = append(v.Warnings, fmt.Sprintf("smtp.listeners: nobody can log in on %q: users are not declared", l.Name))
		}
	}
}

const (
	maxUserName = 64
	maxHashCost = 14 // about a second; a login must not hold a processor longer
)

var bcryptHash = regexp.MustCompile(`^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)

func (v *validator) passwordHash(key, hash string) {
	cost, err := bcrypt.Cost([]byte(hash))
	switch {
	case hash == "":
		v.faultf(key, "is required: letterhook hash-password makes one")
	case err != nil || !bcryptHash.MatchString(hash): // Cost does not look at the rest
		v.faultf(key, "is not a bcrypt hash; letterhook hash-password makes one")
	case cost > maxHashCost:
		v.faultf(key, "a cost of %d takes too long; at most %d", cost, maxHashCost)
	}
}
