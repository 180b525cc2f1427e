package format

import (
	"strings"

	"github.com/letterhook/letterhook/dispatch"
)

// addressList writes addresses as a header field would have them, but in UTF-8: a name is quoted where it would be read as
// something else (RFC 5322 section 3.2.3).
func addressList(list []dispatch.Address) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = addressText(a)
	}
	return strings.Join(texts, ", ")
}

func addressText(a dispatch.Address) string {
	name := oneLine(a.Name)
	switch {
	case name == "":
		return a.Address
	case strings.ContainsAny(name, "()<>[]:;@\\,.\"'"):
		name = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	return name + " <" + a.Address + ">"
}

// mailboxHash is what stands behind the first + of a local-part.
func mailboxHash(address string) string {
	local := address
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		local = address[:i]
	}
	_, detail, _ := strings.Cut(local, "+")
	return detail
}

// recipients are the forward-paths of the copy; there is one, unless the endpoint wants one request for all.
func recipients(c *dispatch.Copy) string {
	return strings.Join(c.Event.Data.Envelope.RcptTo, ", ")
}

// mailFrom is the reverse-path without angle brackets.
func mailFrom(c *dispatch.Copy) string { return c.Event.Data.Envelope.MailFrom }

// names says whether one of the lists has the address, whatever its case.
func names(address string, lists ...[]dispatch.Address) bool {
	for _, list := range lists {
		for i := range list {
			if strings.EqualFold(list[i].Address, address) {
				return true
			}
		}
	}
	return false
}

// oneLine makes a text fit for a line: what would end it becomes a blank.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
