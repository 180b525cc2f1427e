package mailauth

import (
	"regexp"
	"slices"
	"strings"
)

// vouchedBy is the trusted sealer that saw DMARC pass for the domain before it forwarded the message, or "". A sealer is
// believed as long as every sealer after it is trusted too: an untrusted one could have changed the message. A chain may be valid
// without a signature of the From field (RFC 8617 asks for less than RFC 6376 section 5.4), but says nothing of it then.
func (c *chain) vouchedBy(domain string, trusted []string) string {
	if !slices.Contains(c.newest().message.names, "from") {
		return ""
	}
	for _, set := range slices.Backward(c.sets) {
		sealer := set.seal.domain
		if !slices.Contains(trusted, sealer) {
			return ""
		}
		if sawDMARCPass(set.results.body, domain) {
			return sealer
		}
	}
	return ""
}

// sawDMARCPass says whether an ARC-Authentication-Results field (RFC 8617 section 4.1.1, RFC 8601 section 2.2) holds
// dmarc=pass for the domain. Comments and quoted strings are dropped first: strangers choose what stands in them.
func sawDMARCPass(body []byte, domain string) bool {
	for statement := range strings.SplitSeq(withoutComments(body), ";") {
		words := strings.Fields(statement)
		if len(words) == 0 || !strings.EqualFold(words[0], "dmarc=pass") {
			continue
		}
		var from string
		for _, word := range words[1:] {
			if property, value, ok := strings.Cut(word, "="); ok && strings.EqualFold(property, "header.from") {
				if from != "" {
					return false
				}
				from = value
			}
		}
		if name, err := domainName(from); err == nil && name == domain {
			return true
		}
	}
	return false
}

// blankEquals is an equals sign with white space around it.
var blankEquals = regexp.MustCompile(`[ \t]*=[ \t]*`)

// withoutComments drops comments (RFC 5322 section 3.2.2), which nest, and quoted strings, and joins "a = b" to "a=b".
func withoutComments(body []byte) string {
	var out strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '\\' && (quoted || depth > 0):
			i++
		case c == '"' && depth == 0:
			quoted = !quoted
			out.WriteByte('"') // so that what was quoted is no word that anybody looks for
		case quoted:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			if depth--; depth == 0 {
				out.WriteByte(' ')
			}
		case depth == 0:
			out.WriteByte(c)
		}
	}
	return blankEquals.ReplaceAllString(out.String(), "=")
}
