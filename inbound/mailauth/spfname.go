package mailauth

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nameMacro is %{p} with its transformers; "%%" is matched so that what follows it is not taken for one.
var nameMacro = regexp.MustCompile(`%%|%\{[pP]([0-9]*)([rR]?)([-.+,/_=]*)\}`)

// expandNames puts the validated name of the client in the place of %{p} (RFC 7208 section 7.3), which the library always
// takes for unknown.
func expandNames(ctx context.Context, r Resolver, client netip.Addr, domain, record string) string {
	name := ""
	return nameMacro.ReplaceAllStringFunc(record, func(macro string) string {
		if macro == "%%" {
			return macro
		}
		if name == "" {
			name = validatedName(ctx, r, client, domain)
		}
		m := nameMacro.FindStringSubmatch(macro)
		delimiters := m[3]
		if delimiters == "" {
			delimiters = "."
		}
		parts := strings.FieldsFunc(name, func(c rune) bool { return strings.ContainsRune(delimiters, c) })
		if m[2] != "" {
			slices.Reverse(parts)
		}
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
			parts = parts[max(0, len(parts)-n):]
		}
		return strings.Join(parts, ".")
	})
}

// validatedName is a name of the client that resolves back to it, one within the domain before others, or "unknown".
func validatedName(ctx context.Context, r Resolver, client netip.Addr, domain string) string {
	names, err := r.LookupAddr(ctx, client.String())
	if err != nil {
		return "unknown"
	}
	best, rank := "unknown", 0
	for _, name := range names[:min(len(names), 10)] { // section 4.6.4
		host, err := hostName(strings.TrimSuffix(name, "."))
		if err != nil {
			continue
		}
		at := 1
		switch {
		case strings.EqualFold(host, domain):
			at = 3
		case isSubdomain(host, strings.ToLower(domain)):
			at = 2
		}
		if at > rank && resolvesTo(ctx, r, host, client) {
			best, rank = host, at
		}
	}
	return best
}

// resolvesTo says whether a name has the address of the client.
func resolvesTo(ctx context.Context, r Resolver, host string, client netip.Addr) bool {
	addresses, err := r.LookupIPAddr(ctx, host)
	return err == nil && slices.ContainsFunc(addresses, isAddress(client))
}
