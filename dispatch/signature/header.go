package signature

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// readHeader takes the three fields out of the header and says what is wrong with them.
func (s *search) readHeader(r *Request, now time.Time) {
	s.ids = s.field(r.Header, "webhook-id")
	s.times = s.field(r.Header, "webhook-timestamp")
	signatures := s.field(r.Header, "webhook-signature")
	if len(s.times) > 0 {
		s.checkTime(s.times[0], now)
	}
	if len(signatures) == 0 {
		return
	}
	entries := entriesOf(strings.Join(signatures, " "))
	s.targets = targetsOf(entries)
	count := func(version string) (n int) {
		for _, e := range entries {
			if e.version == version {
				n++
			}
		}
		return n
	}
	s.symmetric = count("v1") > 0
	switch v1, v1a := count("v1"), count("v1a"); {
	case v1 == 0 && v1a > 0:
		s.asymmetric = true
	case v1 == 0:
		s.verdict.addf(SignatureFormat, `The webhook-signature field has no entry of the form "v1,<base64>"; entries are separated by blanks.`)
	case !slices.ContainsFunc(entries, func(e entry) bool { return e.version == "v1" && isStandard(e.text) }):
		s.verdict.addf(SignatureFormat, "What is behind v1, is not 32 octets in base64 of the standard alphabet (+ and /, with padding).")
	}
}

// field gives the different values of a field.
func (s *search) field(header http.Header, name string) []string {
	values := valuesOf(header, name)
	if len(values) == 0 {
		for other := range header {
			if renamed(other, name) {
				values = valuesOf(header, other)
				s.verdict.addf(HeaderRenamed, "The %s field is there as %q only.", name, strings.ToLower(other))
				break
			}
		}
	}
	switch {
	case len(values) == 0:
		s.verdict.addf(HeaderMissing, "The %s field is missing. Look whether a proxy or the framework drops it.", name)
	case len(values) > 1 && name != "webhook-signature":
		s.verdict.addf(HeaderDuplicated, "The %s field is there %d times: something between sender and receiver added one.", name, len(values))
	case len(values) > 1:
		s.verdict.addf(HeaderDuplicated, "The %s field is there %d times. Its entries belong into one field, separated by blanks.", name, len(values))
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// valuesOf also parts values that a proxy joined, which is what it may do with a field that came twice (RFC 9110 section 5.3).
func valuesOf(header http.Header, name string) (values []string) {
	for key, list := range header {
		if !strings.EqualFold(key, name) {
			continue
		}
		for _, v := range list {
			for part := range strings.SplitSeq(v, ", ") {
				if part = strings.Trim(part, " \t\"'"); part != "" {
					values = append(values, part)
				}
			}
		}
	}
	return values
}

// renamed says whether a field is the one of Standard Webhooks under the name that it has in another system: of Svix, of CGI, or
// with an X.
func renamed(name, standard string) bool {
	plain := strings.ReplaceAll(strings.ToLower(name), "_", "-")
	for _, prefix := range []string{"http-", "x-"} {
		plain = strings.TrimPrefix(plain, prefix)
	}
	_, end, _ := strings.Cut(standard, "-")
	return plain == standard || plain == "svix-"+end
}

// checkTime says what is wrong with the timestamp.
func (s *search) checkTime(text string, now time.Time) {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		s.verdict.addf(TimestampFormat, "The timestamp %q is no number; it is the seconds of the Unix epoch.", shorten(text))
		return
	case n > 1e11:
		s.verdict.addf(TimestampFormat, "The timestamp is in milliseconds or less; it is the seconds of the Unix epoch.")
		return
	case now.IsZero():
		return
	}
	switch off := now.Sub(time.Unix(n, 0)).Round(time.Second); {
	case off > Tolerance:
		s.verdict.addf(Clock, "The request is %s old, more than the %s that receivers tolerate: the clock here is ahead, the sender's is behind, "+
			"or it was held up or sent again. Look at the clock of this machine.", off, Tolerance)
	case off < -Tolerance:
		s.verdict.addf(Clock, "The request comes from %s in the future, more than the %s that receivers tolerate: the clock here is behind, or the "+
			"sender's is ahead. Look at the clock of this machine.", -off, Tolerance)
	}
}

// entry is one signature of the field.
type entry struct{ version, text string }

func entriesOf(field string) (entries []entry) {
	for word := range strings.FieldsSeq(field) {
		version, text, ok := strings.Cut(word, ",")
		if !ok {
			version, text = "", word
			if name, digest, ok := strings.Cut(word, "="); ok && digest != "" && !strings.HasPrefix(digest, "=") {
				version, text = name, digest // as GitHub and Stripe have it
			}
		}
		entries = append(entries, entry{version, text})
	}
	return entries
}

// target is what a computation must lead to.
type target struct {
	version string
	sum     string
	written string // how, where that is not the standard's way; empty: as it should be
}

func targetsOf(entries []entry) (targets []target) {
	for _, e := range entries {
		add := func(sum []byte, err error, written string) {
			if err == nil && len(sum) >= 16 {
				targets = append(targets, target{e.version, string(sum), written})
			}
		}
		std, err := base64.StdEncoding.DecodeString(e.text)
		add(std, err, "")
		if err != nil {
			unpadded := strings.TrimRight(e.text, "=")
			b, err := base64.RawStdEncoding.DecodeString(unpadded)
			add(b, err, "base64 without padding")
			b, err = base64.RawURLEncoding.DecodeString(unpadded)
			add(b, err, "base64 with the alphabet of URLs")
		}
		b, err := hex.DecodeString(e.text)
		add(b, err, "hexadecimal")
	}
	return targets
}

func isStandard(text string) bool {
	b, err := base64.StdEncoding.DecodeString(text)
	return err == nil && len(b) == 32
}

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
