package reply

import (
	"strings"
)

const (
	mostSignature = 25  // lines below "-- "
	mostBelowDash = 15  // below "--", which others use as well
	contactShare  = 4   // below a rule of any other kind every fourth line is an address, a link or a telephone number
	mostBelowLine = 4   // below a drawn line with no address or telephone number under it
	mostSentFrom  = 90  // octets of "Sent from my iPhone"
	longestSigned = 120 // octets of a line below a rule
	leastPhone    = 7   // digits of a telephone number
	mostSearched  = 60  // lines from the end that are searched for a delimiter
)

const pgpSignature = "-----BEGIN PGP SIGNATURE-----"

var sentFromIndex = indexSentFrom()

// sentFromIndexed has the beginnings by their first letter.
type sentFromIndexed map[rune][]string

func indexSentFrom() sentFromIndexed {
	index := sentFromIndexed{}
	for _, l := range sentFrom {
		for _, phrase := range l.begins {
			first := firstLower(phrase)
			index[first] = append(index[first], phrase)
		}
	}
	return index
}

// isSentFrom tells what a phone or a program adds: "Sent from my iPhone", "Get Outlook for iOS <https://aka.ms/o0ukef>".
func isSentFrom(s string) bool {
	s, linked := withoutLink(s)
	if len(s) > mostSentFrom {
		return false
	}
	s = strings.Trim(s, " .!<([*_-–—>)\t")
	for _, begin := range sentFromIndex[firstLower(s)] {
		if rest, ok := cutFold(s, begin); ok {
			rest = withoutApology(strings.ToLower(rest))
			if namesDevice(begin, rest) || linked && isName(rest) {
				return true
			}
		}
	}
	for _, end := range sentFromEnds { // Bob via mobile
		if name, ok := strings.CutSuffix(s, end); ok && isName(name) {
			return true
		}
	}
	return false
}

// withoutApology takes "please excuse any typos" off.
func withoutApology(s string) string {
	if i := strings.IndexAny(s, ".,"); i >= 0 && containsAny(s[i:], apologies) {
		return s[:i]
	}
	return s
}

// withoutLink takes the first link out of a line, and the brackets that Markdown puts around its text.
func withoutLink(s string) (rest string, linked bool) {
	i := strings.Index(s, "http")
	if i < 0 {
		return s, false
	}
	end := strings.IndexAny(s[i:], ")> \t")
	tail := ""
	if end >= 0 {
		tail = strings.TrimLeft(s[i+end:], ")>")
	}
	before, text, ok := strings.Cut(strings.TrimRight(s[:i], "(<"), "[")
	if ok {
		before += strings.TrimRight(text, "]")
	}
	return before + tail, true
}

// isName says whether s has the few words of a name.
func isName(s string) bool {
	const mostWords = 3
	return s != "" && strings.Count(trim(s), " ") < mostWords && !strings.ContainsAny(s, ",;?!")
}

// namesDevice says whether the words behind the beginning are the name of a device or a program, and not a sentence: "Sent from
// my desk, as my iPhone is gone."
func namesDevice(begin, rest string) bool {
	if strings.ContainsAny(rest, ",;?!") || strings.Contains(rest, ". ") {
		return false
	}
	if strings.HasSuffix(begin, " my") && isName(rest) && strings.ContainsAny(rest, "0123456789") {
		return true // the number of a model
	}
	return containsDevice(rest) || containsDevice(begin)
}

func containsDevice(s string) bool {
	for _, word := range devices {
		i := strings.Index(s, word)
		if i < 0 {
			continue
		}
		if len(word) > len("web") || !isLetterAt(s, i-1) && !isLetterAt(s, i+len(word)) {
			return true
		}
	}
	return false
}

func isLetterAt(s string, i int) bool {
	return i >= 0 && i < len(s) && (s[i] >= 'a' && s[i] <= 'z')
}

// signatureStart looks upward from line end for the delimiter of a signature. It returns the uppermost one below which there
// is not too much for a signature, and how sure it is.
func (d *document) signatureStart(end int) (start int, confidence float64) {
	lines, prose := 0, false
	start = -1
	for i := end - 1; i >= 0 && i >= end-mostSearched; i-- {
		l := &d.lines[i]
		if l.quoted || l.is != own {
			break
		}
		if l.text == "" {
			continue
		}
		if l.text == pgpSignature { // RFC 9580 section 6.2
			return i, 0.95
		}
		if !isRule(l.text) && l.text != "—" && l.text != "–" {
			lines++
			prose = prose || len(l.text) > longestSigned
			continue
		}
		switch {
		case l.dashes && lines <= mostSignature:
			start, confidence = i, 0.95
		case l.text == "--" && lines <= mostBelowDash:
			start, confidence = i, 0.9
		case i > 0 && d.lines[i-1].plain() || strings.Contains(l.text, " ") || prose: // it underlines or divides
		case lines <= mostBelowDash && contactShare*d.contacts(i+1, end) >= lines && lines > 0:
			start, confidence = i, 0.8
		case lines > 0 && lines <= mostBelowLine && l.text[0] == '_':
			start, confidence = i, 0.7
		}
	}
	return start, confidence
}

// contacts counts the lines of a signature that are more than words.
func (d *document) contacts(from, to int) (n int) {
	for i := from; i < to; i++ {
		if isContact(d.lines[i].text) {
			n++
		}
	}
	return n
}

// doubtEnd lowers the confidence where the author's own text looks as if a signature were in it that no delimiter announces: it
// ends with a telephone number or the like, or has "Sent from my iPhone" in the middle.
func (d *document) doubtEnd(end int) {
	const unsure = 0.75
	const mostLines, longest = 8, 60
	for i, n := end-1, 0; i >= 0 && n < mostLines && d.lines[i].is == own && !d.lines[i].quoted; i, n = i-1, n+1 {
		if l := &d.lines[i]; len(l.text) <= longest && isContact(l.text) {
			d.doubt(unsure)
			return
		}
	}
	for i := max(1, end-mostSearched); i+1 < end; i++ {
		if d.lines[i].plain() && d.lines[i-1].blank() && d.lines[i+1].blank() && isSentFrom(d.lines[i].text) {
			d.doubt(unsure)
			return
		}
	}
}

// isContact tells a line of a signature or of the footer of a list: an address, a link, a telephone number.
func isContact(s string) bool {
	if at := strings.IndexByte(s, '@'); at > 0 && s[at-1] != ' ' || strings.Contains(s, "http") || strings.Contains(s, "www.") {
		return true
	}
	digits, longest := 0, 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i < len(s) && s[i] >= '0' && s[i] <= '9':
			digits++
		case i < len(s) && strings.IndexByte(" ()+-./", s[i]) >= 0 && (s[i] != ' ' || i == 0 || s[i-1] != ' '): // two spaces part columns
		default:
			longest, digits = max(longest, digits), 0
		}
	}
	if date, _ := dateIn(s); date && longest <= len("20060102") {
		return false
	}
	return longest >= leastPhone
}
