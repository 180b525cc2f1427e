package parser

import (
	"encoding/base64"
	"strings"
)

// encodedWord is one encoded-word (RFC 2047 section 2), its octets still in their charset.
type encodedWord struct {
	charset string
	octets  []byte
	length  int // in the header
}

// mostEncodedWords of one field are decoded; 1,000 addresses with long names have as many.
const mostEncodedWords = 2500

// wordDamage says what decodeWords left as it was sent.
type wordDamage struct{ broken, more bool }

// decodeWords decodes the encoded-words of a header value wherever they stand: in quoted strings and in the middle of a word
// too, since mailers put them there and mail clients read them. Neighbours of one charset are joined before their octets
// are decoded: many mailers split a character in two. What cannot be decoded stays as it was sent, and broken says so.
// The work is linear: whatever is searched for the end of a word is consumed with it, or is the last that is searched.
func decodeWords(s string) (text string, damage wordDamage) {
	var b strings.Builder
	b.Grow(len(s))
	var run encodedWord // joined words not yet written
	flush := func() {
		if run.length > 0 {
			b.WriteString(cleanText(decodeCharset(string(run.octets), run.charset).text))
			run = encodedWord{}
		}
	}
	for n := 0; s != ""; n++ {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		if n == mostEncodedWords {
			damage.more = true
			break
		}
		w, ok := cutWord(s[i:])
		gap := s[:i]
		if run.length == 0 || !ok || !isBlank(gap) {
			flush()
			b.WriteString(gap) // white space between two encoded-words is not shown (section 6.2)
		}
		if !ok {
			damage.broken = true
			b.WriteString(s[i : i+w.length])
			s = s[i+w.length:]
			continue
		}
		if run.length > 0 && !strings.EqualFold(run.charset, w.charset) {
			flush()
		}
		run.charset, run.length = w.charset, w.length
		run.octets = append(run.octets, w.octets...)
		s = s[i+w.length:]
	}
	flush()
	b.WriteString(s)
	return cleanText(b.String()), damage
}

// encodedWordHead returns the length of the "=?charset?Q?" that s begins with, or 0.
func encodedWordHead(s string) int {
	const longestCharset = 64
	if !strings.HasPrefix(s, "=?") {
		return 0
	}
	label := s[2:min(len(s), 2+longestCharset)]
	q := strings.IndexByte(label, '?')
	if q <= 0 || strings.ContainsAny(label[:q], " \t<>@\",;") {
		return 0
	}
	head := 2 + q + len("?Q?")
	if len(s) < head || s[head-1] != '?' || strings.IndexByte("QqBb", s[head-2]) < 0 {
		return 0
	}
	return head
}

// cutWord reads the encoded-word that s begins with. When it is none, length says how much of s to leave as it is.
func cutWord(s string) (encodedWord, bool) {
	body := encodedWordHead(s)
	if body == 0 {
		return encodedWord{length: len("=?")}, false
	}
	size := strings.Index(s[body:], "?=")
	if size < 0 {
		// Nothing closes any word from here on; the rest is text.
		return encodedWord{length: len(s)}, false
	}
	w := encodedWord{charset: s[len("=?") : body-len("?Q?")], length: body + size + len("?=")}
	text := s[body : body+size]
	ok := true
	switch s[body-2] {
	case 'q', 'Q':
		w.octets = decodeQ(text)
	default:
		w.octets, ok = decodeB(text)
	}
	return w, ok
}

// decodeQ decodes the Q encoding (RFC 2047 section 4.2). A "=" that begins no escape stands for itself.
func decodeQ(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

// decodeB decodes the B encoding with or without its padding, and without what is not in the alphabet.
func decodeB(s string) ([]byte, bool) {
	if b, err := base64.StdEncoding.DecodeString(s); err == nil {
		return b, true
	}
	clean := make([]byte, 0, len(s))
	for i := range len(s) {
		if base64Value[s[i]] < 64 {
			clean = append(clean, s[i])
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, err := base64.RawStdEncoding.Decode(out, clean)
	return out[:n], err == nil && (n > 0 || s == "")
}

func isBlank(s string) bool { return strings.Trim(s, " \t") == "" }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
