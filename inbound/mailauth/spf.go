package mailauth

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"blitiri.com.ar/go/spf"

	"github.com/letterhook/letterhook/inbound"
)

// checkSPF asks whether the client may use the domain of the reverse-path, or the one it greeted with where that is null
// (RFC 7208 section 2.4).
func checkSPF(ctx context.Context, r Resolver, env *inbound.Envelope) inbound.SPFResult {
	local, claimed := env.ReversePath.LocalPart, env.ReversePath.Domain
	if claimed == "" {
		local, claimed = "", env.Helo
	}
	domain, err := domainName(strings.TrimSuffix(claimed, "."))
	if err != nil { // section 4.3
		return inbound.SPFResult{Result: inbound.ResultNone, Explanation: "there is no domain name to check"}
	}
	if local == "" {
		local = "postmaster"
	}
	helo, err := hostName(strings.TrimSuffix(env.Helo, "."))
	if err != nil {
		helo = "unknown"
	}
	// The library divides the address at its first "@", and a quoted local-part may hold one.
	sender := strings.ReplaceAll(local, "@", "=") + "@" + domain
	word, reason := spf.CheckHostWithSender(net.IP(env.RemoteIP.AsSlice()), helo, sender,
		spf.WithContext(ctx), spf.WithResolver(spfResolver{r, env.RemoteIP}))
	result := inbound.SPFResult{Result: inbound.Result(word), Domain: domain}
	if reason != nil {
		result.Explanation = plain(reason.Error(), 200)
	}
	return result
}

// spfResolver stands between the library and DNS, and makes up for where the library departs from RFC 7208.
type spfResolver struct {
	Resolver
	client netip.Addr
}

// LookupTXT hands on a record in a form that the library reads right. A syntax error is an error of DNS that is not
// temporary, which the library makes permerror of.
func (r spfResolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	records, err := r.Resolver.LookupTXT(ctx, restoreSlash(name))
	clean := make([]string, len(records))
	for i, record := range records {
		clean[i] = record
		version, _, _ := strings.Cut(record, " ")
		if !strings.EqualFold(version, "v=spf1") {
			continue
		}
		var ok bool
		if clean[i], ok = cleanSPF(record); !ok {
			return nil, &net.DNSError{Err: "syntax error in the record", Name: name}
		}
		clean[i] = expandNames(ctx, r.Resolver, r.client, name, clean[i])
	}
	return clean, err
}

// LookupMX looks up a name that may have been a term of a record.
func (r spfResolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	return r.Resolver.LookupMX(ctx, restoreSlash(name))
}

// LookupIPAddr looks up a name that may have been a term of a record.
func (r spfResolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	return r.Resolver.LookupIPAddr(ctx, restoreSlash(host))
}

func restoreSlash(name string) string { return strings.ReplaceAll(name, spfSlash, "/") }

// plain makes text of strangers fit for a log and for JSON.
func plain(s string, limit int) string {
	s = s[:min(len(s), limit)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
