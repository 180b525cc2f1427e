package inbound

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// transcript keeps what was said on a connection, to explain to people what became of a message: the beginning, and what was said
// since the last MAIL. It has no content and no credentials, of a reply of several lines the last one, and each half ends
// at a bound. Lines of the peer begin with "C: ", ours with "S: ".
type transcript struct {
	opening []byte // up to the first MAIL
	current []byte // from the last MAIL on
	begun   bool   // there was a MAIL
	last    string // the last command, where there was no room for it
}

// The bounds of a transcript in octets.
const (
	maxOpening    = 1 << 10
	maxCurrent    = 2 << 10
	maxSaid       = 300 // a line
	transcriptEnd = "...\n"
)

// half is where the next line goes, and its bound.
func (t *transcript) half() (*[]byte, int) {
	if t.begun {
		return &t.current, maxCurrent
	}
	return &t.opening, maxOpening
}

// add appends a line.
func (t *transcript) add(who, line string) {
	half, limit := t.half()
	if len(*half) >= limit {
		t.last = line
		return
	}
	t.last = ""
	*half = appendSaid(*half, who, line)
}

// appendSaid appends a line, with what is not for reading replaced.
func appendSaid(b []byte, who, line string) []byte {
	b = append(b, who...)
	if len(line) > maxSaid {
		line = line[:maxSaid]
	}
	if isPrintable(line) {
		b = append(b, line...)
	} else {
		b = append(b, readable(line, maxSaid+utf8.UTFMax)...)
	}
	return append(b, '\n')
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// command notes a command of the peer, as far as it is understood: verb is empty where it is not.
func (t *transcript) command(verb, line string) {
	switch verb {
	case "MAIL":
		t.begun, t.current = true, t.current[:0]
	case "AUTH":
		mechanism, secret, _ := strings.Cut(strings.TrimSpace(line[len("AUTH"):]), " ")
		if line = "AUTH " + mechanism; secret != "" {
			line += " ***"
		}
	}
	t.add("C: ", line)
}

// replies notes what was written to the peer.
func (t *transcript) replies(out []byte) {
	if half, limit := t.half(); len(*half) < limit {
		*half = appendReplies(*half, out)
	}
}

// appendReplies appends reply lines, of a reply of several the last one.
func appendReplies(b, out []byte) []byte {
	for len(out) > 0 {
		line, rest, _ := bytes.Cut(out, []byte("\r\n"))
		out = rest
		if len(line) <= 3 || line[3] != '-' {
			b = appendSaid(b, "S: ", string(line))
		}
	}
	return b
}

// content notes that the content of a message was read.
func (t *transcript) content(size int64) {
	t.add("C: ", "(the message, "+strconv.FormatInt(size, 10)+" octets)")
}

// text is the transcript with the replies that are about to be written. Its last command is there in any case.
func (t *transcript) text(pending []byte) string {
	b := make([]byte, 0, len(t.opening)+len(t.current)+len(pending)+64)
	b = append(append(b, t.opening...), t.current...)
	if t.last != "" {
		b = appendSaid(append(b, transcriptEnd...), "C: ", t.last)
	}
	return string(appendReplies(b, pending))
}

// SessionFor is a session, as in [Envelope] and [Refusal], without the recipients that are not among the paths: they are nobody
// else's business.
func SessionFor(session string, paths []Path) string {
	const rcpt = "C: RCPT TO:"
	var b strings.Builder
	for line := range strings.Lines(session) {
		if len(line) >= len(rcpt) && strings.EqualFold(line[:len(rcpt)], rcpt) && !namesOneOf(line[len(rcpt):], paths) {
			line = rcpt + "<another recipient>\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

func namesOneOf(argument string, paths []Path) bool {
	argument = strings.TrimLeft(argument, " ")
	for _, p := range paths {
		if text := "<" + p.String() + ">"; len(argument) >= len(text) && strings.EqualFold(argument[:len(text)], text) {
			return true
		}
	}
	return false
}
