package inbound_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/letterhook/letterhook/inbound"
)

// FuzzParsePath: what is read comes back the same, and holds nothing that could break out of a line or a field.
func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"a@b", "<>", `"a\"b"@[192.0.2.1]`, "<@x:a@b>", "jörg@bücher.example", "a@xn--bcher-kva.example"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, in string, smtputf8 bool) {
		path, err := inbound.ParsePath(in, smtputf8)
		if err != nil {
			return
		}
		text := path.String()
		again, err := inbound.ParsePath(text, smtputf8)
		if err != nil || again != path {
			t.Errorf("%q gave %+q, its text %q gave %+q, %v", in, path, text, again, err)
		}
		if len(path.LocalPart) > 64 || len(path.Domain) > 255 || !utf8.ValidString(text) {
			t.Errorf("%q gave %+q", in, path)
		}
		for _, r := range text {
			if r < ' ' || r == 0x7f || r >= 0x80 && (r < 0xa0 || !smtputf8) {
				t.Errorf("%q gave %+q", in, path)
			}
		}
	})
}

// FuzzSession feeds a whole session. It must end, answer in well-formed lines, and store only what was ended.
func FuzzSession(f *testing.F) {
	e := serve(f, nil)
	for _, seed := range []string{
		"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@in.example.com>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
		"EHLO a\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<bob@in.example.com>\r\nBDAT 2\r\nabBDAT 1 LAST\r\nc",
		"EHLO a\r\nSTARTTLS\r\nMAIL FROM:<>\r\n", "HELO\r\n\r\n\n\x00", "BDAT 99999999999999999999 LAST\r\n", "RCPT TO:<panic@in.example.com>\r\n",
		"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<panic@in.example.com>\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		before := len(e.spool.all())
		p := e.dial(t)
		go func() {
			io.WriteString(p.conn, sent)
			p.conn.(*net.TCPConn).CloseWrite()
		}()
		p.conn.SetReadDeadline(time.Now().Add(time.Minute))
		replies, err := io.ReadAll(p.r)
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Fatalf("%q: the session does not end", sent)
		}
		accepted := 0
		for line := range strings.Lines(string(replies)) {
			if err == nil && (!strings.HasSuffix(line, "\r\n") || len(line) < 6 || line[0] < '2' || line[0] > '5' || line[3] != ' ' && line[3] != '-') {
				t.Fatalf("%q: malformed reply %q", sent, line)
			}
			if strings.HasPrefix(line, "250 2.0.0 OK queued") {
				accepted++
			}
		}
		if stored := len(e.spool.all()) - before; stored > strings.Count(strings.ToUpper(sent), "BDAT")+strings.Count(strings.ToUpper(sent), "DATA") || err == nil && stored != accepted {
			t.Fatalf("%q: %d messages, %d times 250", sent, stored, accepted)
		}
	})
}
