package mailauth

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// The syntax of RFC 7208 section 12. Letters that only an explanation may use (c, r, t) are left out.
const (
	macroExpand = `(?:%%|%_|%-|%\{[slodiphvSLODIPHV](?:[1-9][0-9]*)?[rR]?[-.+,/_=]*\})`
	macroText   = `(?:` + macroExpand + `|[!-$&-~])*`
	topLabel    = `(?:[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])`
	domainSpec  = macroText + `(?:\.` + topLabel + `\.?|` + macroExpand + `)`
)

var (
	spfDomain   = regexp.MustCompile(`^` + domainSpec + `$`)
	spfModifier = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9._-]*)=(.*)$`)
	spfText     = regexp.MustCompile(`^` + macroText + `$`)
	spfPrefix   = regexp.MustCompile(`^(.*?)(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?$`)
)

// spfSlash stands for a "/" within a domain, which the library would take for the beginning of a prefix length.
const spfSlash = "\x01"

// cleanSPF checks the syntax of a whole record, where the library looks at a term when it comes to it (RFC 7208 section
// 4.6 wants any error to be found), and writes it so that the library reads it right. Not ok: a syntax error.
func cleanSPF(record string) (clean string, ok bool) {
	terms := strings.Split(record, " ")
	seen := map[string]bool{}
	for i, term := range terms[1:] {
		if term == "" {
			continue
		}
		if m := spfModifier.FindStringSubmatch(term); m != nil {
			name := strings.ToLower(m[1])
			known := name == "redirect" || name == "exp"
			if !spfText.MatchString(m[2]) && name != "exp" || known && (seen[name] || !spfDomain.MatchString(m[2])) {
				return "", false
			}
			seen[name] = true
			continue
		}
		if terms[i+1], ok = cleanMechanism(term); !ok {
			return "", false
		}
	}
	return strings.Join(terms, " "), true
}

func cleanMechanism(term string) (string, bool) {
	qualifier := ""
	if strings.IndexByte("+-?~", term[0]) >= 0 {
		qualifier, term = term[:1], term[1:]
	}
	end := strings.IndexAny(term+":", ":/")
	name, rest := strings.ToLower(term[:end]), term[end:]
	ok := false
	switch name {
	case "all":
		ok = rest == ""
	case "include", "exists":
		ok = strings.HasPrefix(rest, ":") && spfDomain.MatchString(rest[1:])
		rest = strings.ReplaceAll(rest, "/", spfSlash)
	case "ptr":
		ok = rest == "" || rest[0] == ':' && spfDomain.MatchString(rest[1:])
		rest = strings.ReplaceAll(rest, "/", spfSlash)
	case "a", "mx":
		rest, ok = cleanHosts(rest)
	case "ip4", "ip6":
		ok = isSPFNetwork(name, rest)
	}
	return qualifier + name + rest, ok
}

// cleanHosts checks what follows "a" and "mx".
func cleanHosts(rest string) (string, bool) {
	m := spfPrefix.FindStringSubmatch(rest)
	if m == nil || !isPrefixLength(m[2], 32) || !isPrefixLength(m[3], 128) {
		return "", false
	}
	domain, prefixes := m[1], rest[len(m[1]):]
	if domain == "" {
		return prefixes, true
	}
	if domain[0] != ':' || !spfDomain.MatchString(domain[1:]) {
		return "", false
	}
	return strings.ReplaceAll(domain, "/", spfSlash) + prefixes, true
}

func isPrefixLength(s string, most int) bool {
	n, err := strconv.Atoi(s)
	return s == "" || err == nil && n <= most
}

func isSPFNetwork(kind, rest string) bool {
	text, found := strings.CutPrefix(rest, ":")
	address, length, prefixed := strings.Cut(text, "/")
	ip, err := netip.ParseAddr(address)
	if !found || err != nil || ip.Is4() != (kind == "ip4") || ip.Zone() != "" {
		return false
	}
	if !prefixed {
		return true
	}
	return length != "" && (length == "0" || length[0] != '0') && length[0] != '+' && isPrefixLength(length, ip.BitLen())
}
