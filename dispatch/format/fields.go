package format

import (
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
)

// field is a header field on one line.
type field struct{ name, value string }

// traceFields are the fields that we put before a mail.
func traceFields(c *dispatch.Copy) []field {
	var fields []field
	for line := range strings.Lines(string(c.Trace())) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "\t") {
			fields[len(fields)-1].value += " " + strings.TrimLeft(line, "\t")
			continue
		}
		name, value, _ := strings.Cut(line, ": ")
		fields = append(fields, field{name, value})
	}
	return fields
}

// mailFields are the fields of the mail in their order, without those of the names given: a stranger must not write what a
// client takes for ours. Decoded says to undo the encoding of RFC 2047; address fields stay as they are where decoding would make
// commas and the like.
func mailFields(d *dispatch.EventData, decoded bool, without ...string) []field {
	fields := make([]field, 0, len(d.Headers))
	for i := range d.Headers {
		h := &d.Headers[i]
		if !isFieldName(h.Name) || slices.ContainsFunc(without, func(name string) bool { return strings.EqualFold(name, h.Name) }) {
			continue
		}
		value := h.Raw
		if decoded && (!isAddressField(h.Name) || decodesSafely(h)) {
			value = h.Value
		}
		fields = append(fields, field{h.Name, oneLine(value)})
	}
	return fields
}

// isFieldName leaves out what could not be the name of a form field or of a header field elsewhere (RFC 5322 section 3.6.8).
func isFieldName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' || r == ':' })
}

func isAddressField(name string) bool {
	switch strings.ToLower(name) {
	case "from", "sender", "reply-to", "to", "cc", "bcc", "resent-from", "resent-to", "resent-cc":
		return true
	}
	return false
}

// decodesSafely says whether the decoded field has the same addresses as the raw one.
func decodesSafely(h *dispatch.Header) bool {
	for _, special := range []string{",", "<", ">", `"`, ":", ";", "(", "@", `\`} {
		if strings.Count(h.Value, special) != strings.Count(h.Raw, special) {
			return false
		}
	}
	return true
}

// titleCase writes a field name as vendors do: Message-Id.
func titleCase(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }

// grouped gives each name once, in the order of its first field, with all its values.
func grouped(fields []field, rename func(string) string) (order []string, values map[string][]string) {
	values = make(map[string][]string, len(fields))
	for _, f := range fields {
		name := rename(f.name)
		if values[name] == nil {
			order = append(order, name)
		}
		values[name] = append(values[name], f.value)
	}
	return order, values
}

// spf is the result of SPF, "none" where the sender was not checked.
func spf(d *dispatch.EventData) string {
	if d.Authentication == nil || d.Authentication.SPF.Result == "" {
		return "none"
	}
	return d.Authentication.SPF.Result
}

// dkim says whether the mail has a signature, and whether one of them is good.
func dkim(d *dispatch.EventData) (signed, valid bool) {
	if d.Authentication == nil {
		return false, false
	}
	for _, s := range d.Authentication.DKIM {
		signed, valid = true, valid || s.Result == "pass"
	}
	return signed, valid
}

// spamScore is the score of the scanner, 0 where none was asked.
func spamScore(d *dispatch.EventData) float64 {
	if d.Spam == nil {
		return 0
	}
	return d.Spam.Score
}

func scoreText(score float64) string { return strconv.FormatFloat(score, 'f', -1, 64) }

// isSpam says Yes or No.
func isSpam(d *dispatch.EventData) string {
	if d.Spam != nil && d.Spam.IsSpam {
		return "Yes"
	}
	return "No"
}

// spamTests are the names of the rules that fired.
func spamTests(d *dispatch.EventData) string {
	if d.Spam == nil {
		return ""
	}
	list := make([]string, len(d.Spam.Symbols))
	for i := range d.Spam.Symbols {
		list[i] = d.Spam.Symbols[i].Name
	}
	return oneLine(strings.Join(list, ","))
}
