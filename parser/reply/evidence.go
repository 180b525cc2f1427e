package reply

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// evidence is what a possible attribution is built from.
type evidence struct {
	opens   bool // begins with a word that opens one, or with a date
	iso     bool // begins with a date like 2006-01-02
	date    bool // has a year or a date in figures
	clock   bool
	address bool
	bracket bool // the address is in angle brackets
	says    bool // has a verb of saying
	saysEnd bool // ends with it
	colon   bool // ends with a colon
	zone    bool // has a time zone like GMT+02:00
	alone   bool // is a paragraph of its own; lines of a log are not
	dashed  bool // dashes around it, as Notes and Zoho write it
	words   int
}

// weigh collects the evidence of a possible attribution.
func weigh(s string) evidence {
	var e evidence
	s = strings.ToLower(trim(s))
	if strings.HasPrefix(s, "--") && strings.HasSuffix(s, "--") {
		s, e.dashed = trim(strings.Trim(s, "-")), true
	}
	body := trimColon(s)
	e.colon = body != strings.TrimRight(s, " -")
	e.iso = startsISO(s)
	e.date, e.clock = dateIn(s)
	e.zone = e.clock && (strings.Contains(s, "gmt+") || strings.Contains(s, "gmt-"))
	e.address, e.bracket = addressIn(s)
	e.opens = e.iso || startsDigit(strings.TrimPrefix(s, "ב-")) || attributionIndex.opens.begin(s) || hasPrefixOf(s, attributionIndex.opensGlued)
	for rest := body; rest != ""; {
		word := rest
		if i := strings.IndexByte(rest, ' '); i >= 0 {
			word, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		e.words++
		end := len(body) - len(rest)
		if rest != "" {
			end--
		}
		if says(body[:end], trimStops(word)) {
			e.says, e.saysEnd = true, rest == ""
		}
	}
	if !e.says && containsAny(body, attributionIndex.saysGlued) {
		e.says = true
		for _, phrase := range attributionIndex.saysGlued {
			e.saysEnd = e.saysEnd || strings.HasSuffix(body, phrase)
		}
	}
	if strings.HasSuffix(body, ">wrote") {
		e.says, e.saysEnd = true, true
	}
	return e
}

// says says whether the text before, which ends with word, ends with a verb of saying. Programs write the name of who says it, or
// "you"; "as they said:" is a person's.
func says(before, word string) bool {
	for _, phrase := range attributionIndex.says[word] {
		if subject, ok := strings.CutSuffix(trimStops(before), phrase); ok && !endsInPronoun(subject) {
			return true
		}
	}
	return false
}

func endsInPronoun(s string) bool {
	s = strings.TrimRight(s, " ")
	switch s[strings.LastIndexByte(s, ' ')+1:] {
	case "i", "we", "he", "she", "they", "who", "ich", "wir", "er", "je", "il", "elle", "ils":
		return true
	}
	return false
}

// trimStops removes the stops behind a word.
func trimStops(s string) string {
	for s != "" {
		switch s[len(s)-1] {
		case ',', '.', ':', ';', '"':
			s = s[:len(s)-1]
		default:
			return s
		}
	}
	return s
}

// trimColon removes colons, and the dashes and spaces around them, from the end.
func trimColon(s string) string {
	for {
		switch rest := strings.TrimSuffix(s, "："); {
		case rest != s:
			s = rest
		case s != "" && (s[len(s)-1] == ':' || s[len(s)-1] == ' ' || s[len(s)-1] == '-'):
			s = s[:len(s)-1]
		default:
			return trim(s)
		}
	}
}

func startsDigit(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsDigit(r)
}

// startsISO tells a date with the year first: 2006-01-02, 2006/1/2.
func startsISO(s string) bool {
	const year = len("2006")
	if len(s) < len("2006-01-02") || s[0] != '1' && s[0] != '2' {
		return false
	}
	for i := range year {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return (s[year] == '-' || s[year] == '/') && s[year+1] >= '0' && s[year+1] <= '9'
}

// addressIn looks for a mail address, and for one in brackets: <bob@example.com>, [mailto:bob@example.com].
func addressIn(s string) (found, bracket bool) {
	for from := 0; ; {
		at := strings.IndexByte(s[from:], '@')
		if at < 0 {
			return found, bracket
		}
		at += from
		start := strings.LastIndexByte(s[from:at], ' ') + 1 + from
		from = at + 1
		if start == at || from == len(s) || s[from] == ' ' {
			continue
		}
		found = true
		bracket = bracket || strings.ContainsAny(s[start:at], "<([") || strings.Contains(s[start:at], "&lt;") ||
			start >= 2 && strings.ContainsAny(s[start-2:start-1], "<([") // a line was broken behind the bracket
	}
}

// dateIn looks for a year or a date in figures, and for a time of day.
func dateIn(s string) (date, clock bool) {
	var previous struct {
		digits int
		sep    rune
	}
	groups := 0 // figures joined by . / - so far
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !unicode.IsDigit(r) {
			i += size
			previous.sep = r
			if !strings.ContainsRune("./-:", r) {
				groups, previous.digits = 0, 0
			}
			continue
		}
		digits, lead := 0, r
		for i < len(s) {
			if r, size = utf8.DecodeRuneInString(s[i:]); !unicode.IsDigit(r) {
				break
			}
			digits++
			i += size
		}
		groups++
		switch {
		case digits == 4 && isYearLead(lead):
			date = true
		case groups == 3 && previous.sep != ':':
			date = true
		case digits == 2 && previous.digits > 0 && previous.digits <= 2 && (previous.sep == ':' || previous.sep == '.'):
			clock = true
		}
		previous.digits = digits
	}
	return date, clock || strings.Contains(s, "時") || strings.Contains(s, "点") || strings.Contains(s, "시")
}

// isYearLead takes the first figure of the years that mail has had, also as Persians and Thais count them.
func isYearLead(r rune) bool {
	const figures = 10
	for zero := range unicode.Digit.R16 {
		lo := rune(unicode.Digit.R16[zero].Lo)
		if r >= lo && r < lo+figures {
			return r == lo+1 || r == lo+2
		}
	}
	return false
}
