package format

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"
)

// lineFeeds turns CR LF into LF on the way to w. A bare CR stays. Close writes what is left.
type lineFeeds struct {
	w  io.Writer
	cr bool // one is held back
}

func (l *lineFeeds) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if l.cr && p[0] != '\n' {
			if _, err := io.WriteString(l.w, "\r"); err != nil {
				return 0, err
			}
		}
		l.cr = false
		i := bytes.IndexByte(p, '\r')
		if i < 0 {
			_, err := l.w.Write(p)
			return n, err
		}
		if _, err := l.w.Write(p[:i]); err != nil {
			return 0, err
		}
		l.cr, p = true, p[i+1:]
	}
	return n, nil
}

func (l *lineFeeds) Close() error {
	if !l.cr {
		return nil
	}
	l.cr = false
	_, err := io.WriteString(l.w, "\r")
	return err
}

// urlEncoded writes as application/x-www-form-urlencoded.
type urlEncoded struct{ w io.Writer }

func (u urlEncoded) Write(p []byte) (int, error) {
	const hex = "0123456789ABCDEF"
	var buf [3 * 512]byte
	for rest := p; len(rest) > 0; {
		chunk := rest[:min(len(rest), 512)]
		out := buf[:0]
		for _, c := range chunk {
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '*':
				out = append(out, c)
			case c == ' ':
				out = append(out, '+')
			default:
				out = append(out, '%', hex[c>>4], hex[c&15])
			}
		}
		if _, err := u.w.Write(out); err != nil {
			return 0, err
		}
		rest = rest[len(chunk):]
	}
	return len(p), nil
}

// jsonText writes the inside of a JSON string. What is not UTF-8 becomes U+FFFD, as JSON can hold nothing else; NUL likewise, as
// databases behind it cannot. Close writes what is left.
type jsonText struct {
	w    io.Writer
	rest []byte // the beginning of a character
}

func (j *jsonText) Write(p []byte) (int, error) {
	n := len(p)
	if len(j.rest) > 0 {
		p = append(j.rest, p...)
		j.rest = nil
	}
	whole := len(p)
	for back := 1; back < utf8.UTFMax && back <= len(p); back++ {
		if tail := p[len(p)-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				whole -= back
			}
			break
		}
	}
	j.rest = append(j.rest, p[whole:]...)
	return n, j.write(p[:whole])
}

func (j *jsonText) Close() error {
	rest := j.rest
	j.rest = nil
	return j.write(rest)
}

func (j *jsonText) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	p = bytes.ReplaceAll(p, []byte{0}, []byte("\uFFFD"))
	out, err := marshal(string(p))
	if err != nil {
		return err
	}
	_, err = j.w.Write(out[1 : len(out)-1])
	return err
}

// marshal is json.Marshal without the escapes that only HTML needs.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// sticky is a writer whose first error ends everything, so that a sequence of writes needs one check.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	_, s.err = s.w.Write(p)
	return len(p), s.err
}

func (s *sticky) text(parts ...string) {
	for _, p := range parts {
		_, _ = io.WriteString(s, p) // s.err has it
	}
}

// json writes v as JSON.
func (s *sticky) json(v any) {
	b, err := marshal(v)
	if s.err == nil {
		s.err = err
	}
	_, _ = s.Write(b) // s.err has it
}

// run calls f unless something went wrong before.
func (s *sticky) run(f func() error) {
	if s.err != nil {
		return
	}
	if err := f(); s.err == nil {
		s.err = err
	}
}
