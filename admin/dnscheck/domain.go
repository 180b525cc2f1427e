package dnscheck

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// domain looks at a domain that mail is taken for.
func (k checker) domain(ctx context.Context, d Domain) Section {
	s := Section{Name: d.Name}
	exchangers := k.mx(ctx, &s, d.Name)
	parent, wildcard := strings.CutPrefix(d.Name, "*.")
	if wildcard {
		return s // there is nothing to be said of names that are not known
	}
	k.wildcardMX(ctx, &s, parent)
	k.spf(ctx, &s, d.Name, "if the domain sends no mail, say so, and nobody else can under its name")
	k.mtaSTS(ctx, &s, d, exchangers)
	k.tlsrpt(ctx, &s, d.Name)
	return s
}

// mx looks at where mail for the domain goes, and gives the exchangers.
func (k checker) mx(ctx context.Context, s *Section, name string) []*net.MX {
	fix := record(name, "MX", "10 "+absolute(k.Hostname))
	alias, err := k.Resolver.LookupAlias(ctx, name)
	if s.unknown("MX", err) {
		return nil
	}
	if alias != "" {
		s.add("CNAME", Wrong, "is an alias of "+alias+", whose mail goes where the MX of that name leads; no other record may stand beside an alias", fix)
	}
	found, err := k.Resolver.LookupMX(ctx, name)
	if s.unknown("MX", err) {
		return nil
	}
	if len(found) == 0 {
		k.implicitMX(ctx, s, name, fix)
		return nil
	}
	ours, hosts := false, make([]string, len(found))
	for i, mx := range found {
		hosts[i] = fmt.Sprintf("%d %s", mx.Pref, mx.Host)
		ours = ours || same(mx.Host, k.Hostname)
		if mx.Host == "." {
			s.add("MX", Wrong, "the null MX (RFC 7505) says that the domain takes no mail", fix)
			return nil
		}
	}
	list := strings.Join(hosts, ", ")
	switch {
	case !ours:
		s.add("MX", Wrong, "leads to "+list+", not to this server", fix)
	case len(found) > 1:
		s.add("MX", OK, list+"; the others must take the mail as well, and hand on what they take")
	default:
		s.add("MX", OK, list)
	}
	for _, mx := range found {
		if !same(mx.Host, k.Hostname) {
			k.exchanger(ctx, s, mx.Host)
		}
	}
	return found
}

// implicitMX is about a domain without MX records, whose address is then its exchanger (RFC 5321 section 5.1).
func (k checker) implicitMX(ctx context.Context, s *Section, name, fix string) {
	addresses, err := k.Resolver.LookupIPAddr(ctx, name)
	if s.unknown("MX", err) {
		return
	}
	if len(addresses) > 0 {
		s.add("MX", Missing, "none, so mail goes to the address of the domain itself, "+addresses[0].String(), fix)
		return
	}
	s.add("MX", Missing, "none: nobody can write to the domain", fix)
}

// exchanger looks at a target of MX that is not the hostname.
func (k checker) exchanger(ctx context.Context, s *Section, host string) {
	if _, err := netip.ParseAddr(strings.TrimSuffix(host, ".")); err == nil {
		s.add("MX", Wrong, host+" is an address; MX wants a name")
		return
	}
	alias, err := k.Resolver.LookupAlias(ctx, host)
	if s.unknown("MX", err) {
		return
	}
	if alias != "" {
		s.add("MX", Wrong, host+" is an alias of "+alias+"; the target of an MX record must not be one (RFC 2181 section 10.3)")
	}
	if _, err := k.Resolver.LookupIPAddr(ctx, host); Absent(err) {
		s.add("MX", Wrong, host+" has no address")
	} else {
		s.unknown("MX", err)
	}
}

// wildcardMX finds mail for names that nobody declared.
func (k checker) wildcardMX(ctx context.Context, s *Section, name string) {
	wild := "*." + name
	for _, d := range k.Domains {
		if d.Name == wild {
			return
		}
	}
	found, err := k.Resolver.LookupMX(ctx, wild)
	if s.unknown("wildcard MX", err) {
		return
	}
	for _, mx := range found {
		if same(mx.Host, k.Hostname) {
			s.add("wildcard MX", Advice, "mail for every name below comes here and is refused: declare "+wild+", or remove the record")
			return
		}
	}
}

// tlsrpt looks at where senders report trouble with TLS to (RFC 8460).
func (k checker) tlsrpt(ctx context.Context, s *Section, name string) {
	at := "_smtp._tls." + name
	found, err := k.Resolver.LookupTXT(ctx, at)
	if s.unknown("TLSRPT", err) {
		return
	}
	var records []string
	for _, t := range found {
		if t == "v=TLSRPTv1" || strings.HasPrefix(t, "v=TLSRPTv1;") {
			records = append(records, t)
		}
	}
	fix := record(at, "TXT", text("v=TLSRPTv1; rua=mailto:postmaster@"+name))
	switch {
	case len(records) == 0:
		s.add("TLSRPT", Advice, "none; with it senders report what keeps them from delivering over TLS, to any address that you read", fix)
	case len(records) > 1:
		s.add("TLSRPT", Wrong, fmt.Sprintf("%d records, which count as none (RFC 8460 section 3)", len(records)))
	case !strings.Contains(records[0], "rua="):
		s.add("TLSRPT", Wrong, records[0]+" names no address", fix)
	default:
		s.add("TLSRPT", OK, records[0])
	}
}
