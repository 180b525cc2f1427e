package mailauth

import (
	"errors"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

var errNoDomain = errors.New("no domain name")

// domainName is a domain as DNS knows it, in lower-case A-labels, of two labels or more: nobody signs for a whole TLD.
func domainName(s string) (string, error) {
	name, err := hostName(s)
	if err != nil || !strings.Contains(name, ".") {
		return "", errNoDomain
	}
	return name, nil
}

// IsDomain says whether s is a domain that can sign: two labels or more, in either form of IDNA.
func IsDomain(s string) bool {
	_, err := domainName(s)
	return err == nil
}

// hostName is a name of one label or more in lower-case A-labels. Underscores are in use in selectors and domains.
func hostName(s string) (string, error) {
	name := s
	for i := range len(s) {
		if s[i] >= 0x80 {
			var err error
			if name, err = idna.Lookup.ToASCII(s); err != nil {
				return "", errNoDomain
			}
			break
		}
	}
	name = strings.ToLower(name)
	if len(name) > 253 {
		return "", errNoDomain
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return "", errNoDomain
		}
	}
	return name, nil
}

func isLabel(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// isSubdomain says whether name is parent or below it.
func isSubdomain(name, parent string) bool {
	rest, ok := strings.CutSuffix(name, parent)
	return ok && (rest == "" || strings.HasSuffix(rest, "."))
}

// isPublicSuffix says whether independent parties register names below name, by the Public Suffix List.
func isPublicSuffix(name string) bool {
	suffix, _ := publicsuffix.PublicSuffix(name)
	return suffix == name
}

// registrable is the domain below a public suffix that name belongs to, or name itself where there is none.
func registrable(name string) string {
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return name
	}
	return domain
}
