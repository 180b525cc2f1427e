package reply

import (
	"strings"
	"unicode/utf8"
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
	if linked && isOutlook(strings.ToLower(s)) {
		return true
	}
	for _, end := range sentFromLast {
		if device, ok := strings.CutSuffix(s, end); ok && containsDevice(strings.ToLower(device)) {
			return true
		}
	}
	for _, end := range sentFromEnds { // Bob via mobile
		if name, ok := strings.CutSuffix(s, end); ok && isName(name) {
			return true
		}
	}
	return false
}

// isOutlook tells the line of Outlook for phones in any language, by the names in it.
func isOutlook(s string) bool {
	const mostSpaces = 6
	return strings.Contains(s, "outlook") && (strings.Contains(s, "ios") || strings.Contains(s, "android")) &&
		strings.Count(s, " ") <= mostSpaces && !strings.ContainsAny(s, ",;?!")
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
// ends with a telephone number or the like, or with a name and a title, or has "Sent from my iPhone" in the middle.
func (d *document) doubtEnd(end int) {
	const unsure = 0.75
	const mostLines, longest = 8, 60
	for i, n := end-1, 0; i >= 0 && n < mostLines && d.lines[i].is == own && !d.lines[i].quoted; i, n = i-1, n+1 {
		if l := &d.lines[i]; len(l.text) <= longest && isContact(l.text) {
			d.doubt(unsure)
			return
		}
	}
	if d.looksSigned(end) {
		d.doubt(unsure)
		return
	}
	for i := max(1, end-mostSearched); i+1 < end; i++ {
		if d.lines[i].plain() && d.lines[i-1].blank() && d.lines[i+1].blank() && isSentFrom(d.lines[i].text) {
			d.doubt(unsure)
			return
		}
	}
}

// looksSigned says whether the last paragraph before line end is built like a signature: a name, a title, a company, each on
// a line of its own, with the greeting or below it; or all of them between bars. A greeting and a name alone are none, and
// neither is a mail that has nothing above.
func (d *document) looksSigned(end int) bool {
	const leastLines, leastBelowGreeting = 3, 2
	last := d.lastText(end)
	first := last
	for first >= 0 && d.lines[first].plain() && d.lines[first].is == own && isLabel(d.lines[first].text) {
		first--
	}
	above := d.lastText(first + 1)
	if above < 0 || first == last {
		return false
	}
	greeted := above < first && strings.HasSuffix(d.lines[above].text, ",") && d.lastText(above) >= 0
	n := last - first
	return n >= leastLines || n >= leastBelowGreeting && greeted || strings.Contains(d.lines[last].text, " | ")
}

// lastText is the last line before line end that is not empty, or -1.
func (d *document) lastText(end int) int {
	i := end - 1
	for i >= 0 && d.lines[i].blank() {
		i--
	}
	return i
}

// isLabel tells a few words that are no sentence and no item of a list.
func isLabel(s string) bool {
	const longest = 60
	if len(s) > longest || strings.IndexByte("-*+#0123456789", s[0]) >= 0 {
		return false
	}
	end, _ := utf8.DecodeLastRuneInString(s)
	return !strings.ContainsRune(".?!:;。！？：；", end)
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
