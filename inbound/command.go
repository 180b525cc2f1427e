package inbound

import (
	"strconv"
	"strings"
)

// command is a command line taken apart (RFC 5321 section 4.1.1).
type command struct {
	verb string // in upper case; empty if the line has no sensible one
	arg  string // without the space before and behind it
}

// parseCommand takes a line without its line end apart. A verb has four letters, STARTTLS and those of HTTP excepted.
func parseCommand(line string) command {
	line = strings.TrimRight(line, " \t") // section 4.1.1: tolerate white space at the end
	verb, arg, _ := strings.Cut(line, " ")
	if len(verb) < len("GET") || len(verb) > len("STARTTLS") {
		return command{}
	}
	for i := range len(verb) {
		if c := verb[i] | 0x20; c < 'a' || c > 'z' {
			return command{}
		}
	}
	return command{verb: strings.ToUpper(verb), arg: strings.Trim(arg, " \t")}
}

// hasControl says whether s holds a control character; a tab is taken for a space.
func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// mailCommand is the argument of MAIL.
type mailCommand struct {
	path     Path
	size     int64 // declared by SIZE (RFC 1870); 0 if it was not
	smtputf8 bool
	binary   bool // BODY=BINARYMIME (RFC 3030 section 3)
}

// parseMail reads the argument of MAIL; auth says that AUTH is an extension of the session. The parameters come before the address in effect: SMTPUTF8 stands behind the
// address and decides how the address is to be read.
func parseMail(arg string, auth bool) (mailCommand, *refusal) {
	var m mailCommand
	text, ok := cutFold(arg, "FROM:")
	if !ok {
		return m, refuseMailSyntax
	}
	path, rest, err := cutPath(strings.TrimLeft(text, " "), true)
	if err != nil {
		return m, refuseReversePath
	}
	if rest != "" && rest[0] != ' ' {
		return m, refuseMailSyntax
	}
	if refusal := m.parameters(strings.Fields(rest), auth); refusal != nil {
		return m, refusal
	}
	if !m.smtputf8 && !isASCII(path.LocalPart+path.Domain) {
		return m, refuseUTF8
	}
	m.path = path
	return m, nil
}

// parameters reads the parameters of the extensions that the reply to EHLO names (RFC 5321 section 4.1.1.11).
func (m *mailCommand) parameters(list []string, auth bool) *refusal {
	seen := make(map[string]bool, len(list))
	for _, parameter := range list {
		key, value, _ := strings.Cut(parameter, "=")
		key = strings.ToUpper(key)
		if seen[key] {
			return refuseParameterValue
		}
		seen[key] = true
		switch key {
		case "SIZE": // RFC 1870 section 6.1: up to 20 digits
			size, err := strconv.ParseUint(value, 10, 64)
			if err != nil && (!isDigits(value) || len(value) > 20) {
				return refuseParameterValue
			}
			m.size = int64(min(size, 1<<62))
		case "BODY": // RFC 6152; content is kept as octets whatever it says
			m.binary = strings.EqualFold(value, "BINARYMIME")
			if !m.binary && !strings.EqualFold(value, "7BIT") && !strings.EqualFold(value, "8BITMIME") {
				return refuseParameterValue
			}
		case "SMTPUTF8": // RFC 6531 section 3.4: no value
			if !strings.EqualFold(parameter, key) {
				return refuseParameterValue
			}
			m.smtputf8 = true
		case "AUTH": // RFC 4954 section 5; nobody here is trusted to name another, so the name says nothing
			if !auth {
				return refuseParameter
			}
			if value == "" || len(value) > maxAuthParameter {
				return refuseParameterValue
			}
		default:
			return refuseParameter
		}
	}
	return nil
}

// maxAuthParameter is the longest value of AUTH= (RFC 4954 section 5).
const maxAuthParameter = 500

// parseRcpt reads the argument of RCPT. A bare "postmaster" is a mailbox of ours (RFC 5321 section 4.1.1.3).
func parseRcpt(arg string, smtputf8 bool, hostname string) (Path, *refusal) {
	text, ok := cutFold(arg, "TO:")
	if !ok {
		return Path{}, refuseRcptSyntax
	}
	text = strings.TrimLeft(text, " ")
	const postmaster = "<postmaster>"
	if len(text) >= len(postmaster) && strings.EqualFold(text[:len(postmaster)], postmaster) {
		text = "<postmaster@" + hostname + ">" + text[len(postmaster):]
	}
	path, rest, err := cutPath(text, true)
	switch {
	case err != nil || path.IsNull():
		return Path{}, refuseForwardPath
	case rest != "" && rest[0] != ' ':
		return Path{}, refuseRcptSyntax
	case strings.TrimLeft(rest, " ") != "": // we offer no extension with a parameter for RCPT
		return Path{}, refuseParameter
	case !smtputf8 && !isASCII(path.LocalPart+path.Domain):
		return Path{}, refuseUTF8
	}
	return path, nil
}

// chunk is the argument of BDAT (RFC 3030 section 2).
type chunk struct {
	size int64
	last bool
}

// parseChunk reads the argument of BDAT. known says that at least the size is right, so that the octets of a refused
// chunk can be skipped; where it is not, nobody can say where the next command begins.
func parseChunk(arg string) (c chunk, known bool, r *refusal) {
	fields := strings.Fields(arg)
	if len(fields) == 0 || !isDigits(fields[0]) {
		return c, false, refuseChunkSize
	}
	size, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return c, false, refuseChunkSize
	}
	c.size = size
	switch {
	case len(fields) == 1:
	case len(fields) == 2 && strings.EqualFold(fields[1], "LAST"):
		c.last = true
	default:
		return c, true, refuseChunkSize
	}
	return c, true, nil
}

// cutFold is strings.CutPrefix for a keyword in any case (RFC 5321 section 2.4).
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// sanitiseHelo makes the argument of HELO or EHLO safe to store and to show: its first word, printable ASCII, at most
// 255 octets. It is not checked against the grammar: much legitimate mail comes from hosts that do not know their name.
func sanitiseHelo(arg string) string {
	word, _, _ := strings.Cut(arg, " ")
	return printable(word, maxDomain)
}
