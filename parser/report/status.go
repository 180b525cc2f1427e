package report

import "strings"

// isDigit reports whether c is an ASCII digit.
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// enhancedAt reads the enhanced status code (RFC 3463 section 2) that s begins with: class, subject of up to three digits,
// detail of up to three digits, and nothing behind that would make it part of something longer.
func enhancedAt(s string) string {
	if len(s) < 5 || s[0] != '2' && s[0] != '4' && s[0] != '5' || s[1] != '.' {
		return ""
	}
	subject := digits(s[2:])
	if subject == 0 || subject > 3 || 2+subject >= len(s) || s[2+subject] != '.' {
		return ""
	}
	detail := digits(s[3+subject:])
	end := 3 + subject + detail
	if detail == 0 || detail > 3 || end < len(s) && longer(s[end:]) {
		return ""
	}
	return s[:end]
}

// longer reports whether s goes on with what makes a number, an address or a name of the digits before it.
func longer(s string) bool {
	c := s[0]
	if c == '.' || c == '-' || c == '/' {
		return len(s) > 1 && (isDigit(s[1]) || c == '/')
	}
	return isDigit(c) || c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func digits(s string) int {
	n := 0
	for n < len(s) && n < 4 && isDigit(s[n]) {
		n++
	}
	return n
}

// found is what a diagnostic says.
type found struct {
	reply    string // SMTP reply code (RFC 5321 section 4.2.1), three digits
	enhanced string // enhanced status code
	said     bool   // the enhanced status code stands behind a reply code of its class: a server said it (RFC 2034 section 4)
}

// look searches a diagnostic for the first reply code and the first enhanced status code; one that a server said is
// preferred to one that stands alone.
func look(s string) found {
	var f found
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			continue
		}
		if i == 0 || !partOfWord(s[i-1]) {
			if code, n := replyAt(s, i); code != "" {
				if f.reply == "" {
					f.reply = code
				}
				if e := enhancedAt(s[i+n:]); e != "" && e[0] == code[0] {
					return found{code, e, true}
				}
			}
			if e := enhancedAt(s[i:]); e != "" && f.enhanced == "" {
				f.enhanced = e
			}
		}
		for i+1 < len(s) && (isDigit(s[i+1]) || s[i+1] == '.') {
			i++
		}
	}
	return f
}

// partOfWord reports whether a number behind c is a piece of something else.
func partOfWord(c byte) bool {
	return c == '.' || c == '-' || c == '_' || c == '/' || c == '+' || c == '@' ||
		isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// replyAt reads the SMTP reply code at s[i:]: 4yz or 5yz with y from 0 to 5, where a reply can begin, and what may
// follow one. n is how far the text behind it is away.
func replyAt(s string, i int) (code string, n int) {
	if len(s)-i < 3 || s[i] != '4' && s[i] != '5' || s[i+1] < '0' || s[i+1] > '5' || !isDigit(s[i+2]) {
		return "", 0
	}
	n = 3
	for i+n < len(s) && n < 8 && strings.IndexByte(" -#:(\t", s[i+n]) >= 0 {
		n++
	}
	switch {
	case i+3 == len(s) || n > 3 && enhancedAt(s[i+n:]) != "":
		return s[i : i+3], n
	case n == 3 && strings.IndexByte(",;.\r\n\"'>)]", s[i+3]) < 0:
		return "", 0
	case n == 3 && s[i+3] == '.' && i+4 < len(s) && isDigit(s[i+4]):
		return "", 0
	}
	if !repliesAfter(s[:i]) {
		return "", 0
	}
	return s[i : i+3], n
}

// repliesAfter reports whether a reply code can stand behind s: at the beginning of a line, behind a mark, or behind a
// word that announces one. A number in a sentence ("after 432 minutes") is none.
func repliesAfter(s string) bool {
	s = strings.TrimRight(s, " \t")
	if s == "" || strings.IndexByte("\n:;\"'<>(=]|#", s[len(s)-1]) >= 0 {
		return true
	}
	word := s[max(0, len(s)-12):]
	word = strings.ToLower(word[strings.LastIndexAny(word, " \t\n(")+1:])
	if strings.HasSuffix(word, "code") {
		return true // "code", "ResponseCode", "ERROR_CODE"
	}
	switch word {
	case "said", "error", "response", "reply", "status", "returned", "with", "smtp", "replied", "answered", "...", "out:", "data", "recipient", "result":
		return true
	}
	return false
}

// statusOf chooses the status of a recipient. The Status field counts, unless the diagnostic repeats a server's own code
// of the same class (RFC 2034): the field is then a translation of it, often a coarser one. Without a Status field the enhanced
// status code of the diagnostic counts; with a reply code alone its class, as X.0.0 (RFC 3463 section 3.1: other or undefined); with
// neither, the class of the action.
func statusOf(status, diagnostic, action string) string {
	given := ""
	for i := range len(status) {
		if given = enhancedAt(status[i:]); given != "" {
			break
		}
	}
	f := look(diagnostic)
	if given == "" {
		given = classStatus(f, action)
	}
	coarse := strings.HasSuffix(given, ".0.0")
	if f.enhanced != "" && f.enhanced[0] == given[0] && (f.said || coarse) && !strings.HasSuffix(f.enhanced, ".0.0") {
		return f.enhanced
	}
	return given
}

func classStatus(f found, action string) string {
	switch {
	case f.enhanced != "":
		return f.enhanced
	case f.reply != "":
		return f.reply[:1] + ".0.0"
	}
	switch action {
	case ActionDelayed:
		return "4.0.0"
	case ActionFailed, "":
		return "5.0.0"
	}
	return "2.0.0"
}
