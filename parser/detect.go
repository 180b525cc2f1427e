package parser

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gogs/chardet"
)

const (
	detectSample     = 4 << 10 // octets of a text that its charset is guessed from; half a millisecond
	detectLeast      = 24      // octets above 127 below which a guess is a coin toss
	detectConfidence = 10      // of 100
	mostDetections   = 8       // texts of one message
)

// detect guesses the charset of a text that is not UTF-8 and either names no charset or is not in the one it names. It knows
// the charsets of the ICU project's detector by the frequency of their characters, and takes the likeliest that decodes the
// text without an error.
func detect(s string) (decodedText, bool) {
	first := strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
	if first < 0 {
		return decodedText{}, false
	}
	sample := s[first:min(len(s), first+detectSample)]
	high := 0
	for i := range len(sample) {
		if sample[i] >= utf8.RuneSelf {
			high++
		}
	}
	if high < detectLeast {
		return decodedText{}, false
	}
	found, err := chardet.NewTextDetector().DetectAll([]byte(sample))
	if err != nil {
		return decodedText{}, false
	}
	// The detector's own order is that in which its goroutines end.
	slices.SortFunc(found, func(a, b chardet.Result) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(a.Charset, b.Charset))
	})
	for _, r := range found {
		if r.Confidence < detectConfidence {
			break
		}
		enc, name := findCharset(r.Charset)
		if enc == nil || strings.HasPrefix(name, "utf-") || strings.HasPrefix(name, "ibm") {
			continue
		}
		if out, err := enc.NewDecoder().String(s); err == nil && !strings.ContainsRune(out, utf8.RuneError) {
			return decodedText{text: validText(out), charset: name}, true
		}
	}
	return decodedText{}, false
}
