package report

import "strings"

// verps are the forms of a variable envelope return path, by who writes them: the reverse-path of a mail to user@domain has
// the local-part before + user + sign + domain, whatever follows the domain behind after. A * in before stands for a word without
// hyphen.
var verps = []struct{ system, before, sign, after string }{
	{"SendGrid", "bounces+*-*-", "=", ""},
	{"Mailgun", "bounce+*.*-", "=", ""},
	{"Sympa", "bounce+", "==a==", "=="},
	{"ezmlm", "*-return-*-", "=", ""},
	{"Mailman", "*-bounces+", "=", ""},
	{"LISTSERV", "owner-*-", "=", ""},
	{"Postfix", "*+", "=", ""},
	{"several", "bounces-", "=", ""},
	{"several", "bounce-", "=", ""},
	{"several", "returns-", "=", ""},
	{"several", "return-", "=", ""},
	{"several", "errors-", "=", ""},
	{"several", "*-bounces-", "=", ""},
	{"several", "*-bounce-", "=", ""},
	{"qmail", "*-", "=", ""},
}

// VERP reads the address that the sender of a mail encoded in its reverse-path, so that a bounce tells by the forward-path
// alone whom it is about: user@domain of "bounce+user=domain@sender.example". The domain's own part behind the @ plays no role.
// It returns false for local-parts without an address in them, and for those that encode something else: SRS (the reverse-path of a
// forwarder) and BATV (a signature).
func VERP(localPart string) (address string, ok bool) {
	if len(localPart) > 4*longestLocalPart || !strings.Contains(localPart, "=") {
		return "", false
	}
	lower := strings.ToLower(localPart)
	for _, other := range []string{"srs0", "srs1", "prvs=", "btv1=", "msprvs1="} {
		if strings.HasPrefix(lower, other) {
			return "", false
		}
	}
	for _, v := range verps {
		n := matches(lower, v.before)
		if n < 0 || len(lower) != len(localPart) {
			continue
		}
		user, domain, found := cutLast(localPart[n:], v.sign, v.after)
		if found && user != "" && isDomain(domain) {
			return user + "@" + domain, true
		}
	}
	return "", false
}

// cutLast divides at the last sign, and takes what follows after away.
func cutLast(s, sign, after string) (user, domain string, ok bool) {
	i := strings.LastIndex(s, sign)
	if i < 0 {
		return "", "", false
	}
	user, domain = s[:i], s[i+len(sign):]
	if after != "" {
		domain, _, _ = strings.Cut(domain, after)
	}
	return user, domain, true
}

// matches returns the length of what the pattern stands for at the beginning of s, or -1.
func matches(s, pattern string) int {
	n := 0
	for pattern != "" {
		if pattern[0] != '*' {
			if n == len(s) || s[n] != pattern[0] {
				return -1
			}
			n, pattern = n+1, pattern[1:]
			continue
		}
		pattern = pattern[1:]
		stop := pattern[0] // a pattern never ends in *
		end := strings.IndexByte(s[n:], stop)
		if end <= 0 || strings.IndexByte(s[n:n+end], '=') >= 0 {
			return -1
		}
		n += end
	}
	return n
}

// isDomain reports whether s is a name of at least two labels.
func isDomain(s string) bool {
	dot := strings.IndexByte(s, '.')
	return dot > 0 && s[len(s)-1] != '.' && domainEnd(s, 0) == len(s)
}
