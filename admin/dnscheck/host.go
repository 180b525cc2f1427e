package dnscheck

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"strings"

	"github.com/miekg/dns"

	"github.com/letterhook/letterhook/inbound/resolver"
)

// host looks at the server itself.
func (k checker) host(ctx context.Context) Section {
	s := Section{Name: k.Hostname}
	alias, err := k.Resolver.LookupAlias(ctx, k.Hostname)
	if s.unknown("CNAME", err) {
		return s
	}
	if alias != "" {
		s.add("CNAME", Wrong, "is an alias of "+alias+"; the target of an MX record must not be one (RFC 2181 section 10.3)")
	}
	addresses, err := k.Resolver.LookupIPAddr(ctx, k.Hostname)
	switch {
	case s.unknown("A, AAAA", err):
	case len(addresses) == 0:
		s.add("A, AAAA", Missing, "no address: nobody finds the server",
			record(k.Hostname, "A", "<IPv4 address of this server>"), record(k.Hostname, "AAAA", "<IPv6 address, if it has one>"))
	default:
		k.addresses(ctx, &s, addresses)
	}
	k.spf(ctx, &s, k.Hostname, "the server sends no mail, so nobody else should under its name")
	k.tlsa(ctx, &s)
	return s
}

func (k checker) addresses(ctx context.Context, s *Section, addresses []net.IPAddr) {
	list := make([]string, len(addresses))
	state, note := OK, ""
	for i, a := range addresses {
		list[i] = a.String()
		if a.IP.IsPrivate() || a.IP.IsLoopback() || a.IP.IsLinkLocalUnicast() || a.IP.IsUnspecified() {
			state, note = Wrong, "; "+list[i]+" cannot be reached from the internet"
		}
	}
	s.add("A, AAAA", state, strings.Join(list, ", ")+note)
	for _, a := range addresses {
		k.ptr(ctx, s, a)
	}
}

// ptr looks whether the reverse name of an address leads back to it. Those who send to a server hardly ask; those who get
// mail from its address do.
func (k checker) ptr(ctx context.Context, s *Section, address net.IPAddr) {
	names, err := k.Resolver.LookupAddr(ctx, address.IP.String())
	if s.unknown("PTR", err) {
		return
	}
	reverse, err := dns.ReverseAddr(address.IP.String())
	if err != nil {
		return // there is no such address
	}
	fix := record(reverse, "PTR", absolute(k.Hostname))
	for _, name := range names {
		if same(name, k.Hostname) {
			s.add("PTR", OK, address.String()+" is "+name)
			return
		}
	}
	for _, name := range names {
		back, err := k.Resolver.LookupIPAddr(ctx, name)
		if s.unknown("PTR", err) {
			return
		}
		for _, b := range back {
			if b.IP.Equal(address.IP) {
				s.add("PTR", OK, fmt.Sprintf("%s is %s, which leads back to it, though it is not the hostname", address.String(), name))
				return
			}
		}
	}
	if len(names) > 0 {
		s.add("PTR", Wrong, fmt.Sprintf("%s is %s, which does not lead back to it; who gave you the address can change it", address.String(), names[0]), fix)
		return
	}
	s.add("PTR", Missing, address.String()+" has no name; who gave you the address can publish one", fix)
}

// spf looks at who may send under a name.
func (k checker) spf(ctx context.Context, s *Section, name, why string) {
	found, err := k.Resolver.LookupTXT(ctx, name)
	if s.unknown("SPF", err) {
		return
	}
	var policies []string
	for _, t := range found {
		if t == "v=spf1" || strings.HasPrefix(t, "v=spf1 ") {
			policies = append(policies, t)
		}
	}
	switch len(policies) {
	case 0:
		s.add("SPF", Advice, "none; "+why, record(name, "TXT", text("v=spf1 -all")))
	case 1:
		s.add("SPF", OK, policies[0])
	default:
		s.add("SPF", Wrong, fmt.Sprintf("%d records, which count as none (RFC 7208 section 4.5): merge them", len(policies)))
	}
}

// tlsa looks at DANE (RFC 7672), which binds senders that know it to the key of the certificate.
func (k checker) tlsa(ctx context.Context, s *Section) {
	name := "_25._tcp." + k.Hostname
	found, err := k.Resolver.LookupTLSA(ctx, name)
	if s.unknown("TLSA", err) {
		return
	}
	const signed = "it counts only in a zone signed by DNSSEC"
	switch {
	case k.Certificate == nil && len(found) > 0:
		s.add("TLSA", Wrong, "a record is there, and no certificate of the server: senders that know DANE do not deliver")
		return
	case k.Certificate == nil:
		s.add("TLSA", Advice, "there is no certificate for the hostname yet; with one, the record is told here")
		return
	}
	fix := record(name, "TLSA", "3 1 1 "+spki(k.Certificate))
	if k.Rotates {
		fix = "" // it would be wrong after the next renewal
	}
	for _, r := range found {
		if fits(r, k.Certificate) {
			note := ""
			if k.Rotates && r.Usage == 3 && r.Selector == 1 {
				note = "; but the key changes with the next renewal: set tls.acme.reuse_key"
			}
			s.add("TLSA", OK, what(r)+"; "+signed+note)
			return
		}
	}
	state, note := Advice, "none; with DANE senders verify the certificate by DNS; "+signed
	if len(found) > 0 {
		state, note = Wrong, "no record is the certificate's: senders that know DANE do not deliver"
	}
	if fix == "" {
		s.add("TLSA", state, note+"; set tls.acme.reuse_key first, or the key changes with each renewal")
		return
	}
	s.add("TLSA", state, note, fix)
}

// what says what a record that fits is of.
func what(r resolver.TLSA) string {
	switch {
	case r.Usage == 2:
		return "is of an authority, which must have signed the certificate"
	case r.Selector == 0:
		return "is the certificate, which is another one after each renewal: a record 3 1 1 is of the key"
	}
	return "is the key of the certificate"
}

// spki is the digest of the public key: selector 1, matching type 1.
func spki(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// fits says whether a record is of the certificate itself (usage 3), in any of the forms of RFC 6698 section 2.1. Records of
// authorities (usage 2) are believed: which one is behind the certificate is for the sender to see. Usages 0 and 1 count for
// nothing with mail (RFC 7672 section 3.1.3).
func fits(r resolver.TLSA, certificate *x509.Certificate) bool {
	switch r.Usage {
	case 2:
		return true
	case 3:
		want, err := dns.CertificateToDANE(r.Selector, r.Matching, certificate)
		return err == nil && r.Data == want
	}
	return false
}
