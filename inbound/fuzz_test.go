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

// converse sends octets, hangs up and gives the replies, which must be well-formed and come to an end.
func converse(t *testing.T, p *peer, sent string) (string, error) {
	t.Helper()
	go func() {
		io.WriteString(p.conn, sent)
		p.conn.(interface{ CloseWrite() error }).CloseWrite()
	}()
	p.conn.SetReadDeadline(time.Now().Add(time.Minute))
	replies, err := io.ReadAll(p.r)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatalf("%q: the session does not end", sent)
	}
	for line := range strings.Lines(string(replies)) {
		if err == nil && (!strings.HasSuffix(line, "\r\n") || len(line) < 6 || line[0] < '2' || line[0] > '5' || line[3] != ' ' && line[3] != '-') {
			t.Fatalf("%q: malformed reply %q", sent, line)
		}
	}
	return string(replies), err
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
		replies, err := converse(t, e.dial(t), sent)
		accepted := strings.Count(replies, "250 2.0.0 OK queued")
		if stored := len(e.spool.all()) - before; stored > strings.Count(strings.ToUpper(sent), "BDAT")+strings.Count(strings.ToUpper(sent), "DATA") || err == nil && stored != accepted {
			t.Fatalf("%q: %d messages, %d times 250", sent, stored, accepted)
		}
	})
}

// FuzzLMTP feeds a whole session where each RCPT has a reply of its own.
func FuzzLMTP(f *testing.F) {
	e := serve(f, nil)
	for _, seed := range []string{
		"LHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@in.example.com>\r\nRCPT TO:<bob@two.example.com>\r\nRCPT TO:<bob@in.example.com>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
		"LHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@trouble.example.com>\r\nRCPT TO:<bob@in.example.com>\r\nBDAT 1\r\naBDAT 0 LAST\r\n",
		"EHLO a\r\nLHLO a\r\nDATA\r\nMAIL FROM:<a@b> SIZE=99999999999\r\nRCPT TO:<panic@in.example.com>\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		before := len(e.spool.all())
		p := e.connectTo(t, "lmtp")
		p.expect("220 mx.example.com LMTP")
		replies, err := converse(t, p, sent)
		stored := len(e.spool.all()) - before
		if accepted := strings.Count(replies, "250 2.0.0 OK queued"); err == nil && accepted < stored {
			t.Fatalf("%q: %d messages, %d times 250", sent, stored, accepted)
		}
	})
}

// FuzzLogin feeds a session with AUTH, under TLS. Nothing is taken from who did not log in, and only one password is right.
func FuzzLogin(f *testing.F) {
	e := serve(f, func(c *inbound.Config) { c.MaxAuthFailures = -1 })
	const mail = "MAIL FROM:<a@b>\r\nRCPT TO:<bob@in.example.com>\r\nDATA\r\nx\r\n.\r\n"
	for _, seed := range []string{
		"EHLO a\r\n" + plain("printer", "s3cret") + "\r\n", "EHLO a\r\n" + plain("printer", "guess") + "\r\n",
		"EHLO a\r\nAUTH LOGIN\r\ncHJpbnRlcg==\r\nczNjcmV0\r\n", "EHLO a\r\nAUTH PLAIN\r\n*\r\n", "EHLO a\r\nAUTH PLAIN =\r\nAUTH LOGIN =\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		before := len(e.spool.all())
		p := e.connectTo(t, "submissions")
		p.expect("220")
		replies, err := converse(t, p, sent+"\r\n"+mail)
		in := strings.Contains("\n"+replies, "\n235 2.7.0")
		if stored := len(e.spool.all()) - before; err == nil && stored > 0 && !in {
			t.Fatalf("%q: taken from nobody", sent)
		}
		if in && !strings.Contains(sent, "c3") && !strings.Contains(sent, "cz") && !strings.Contains(sent, "zM2NyZX") {
			t.Fatalf("%q: logged in without the password", sent)
		}
	})
}

// FuzzProxy feeds what comes first on a listener behind proxies. Where something is said at all, it is said to a client with an
// address.
func FuzzProxy(f *testing.F) {
	e := serve(f, nil)
	for _, seed := range []string{
		"PROXY TCP4 192.0.2.1 198.51.100.1 4096 25\r\n", "PROXY TCP6 2001:db8::1 2001:db8::2 4096 25\r\n", "PROXY UNKNOWN\r\n",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x01\x10\x00\x00\x19",
		"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "EHLO a\r\n", "PROXY ",
	} {
		f.Add(seed)
	}
	const mail = "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@in.example.com>\r\nDATA\r\nx\r\n.\r\n"
	f.Fuzz(func(t *testing.T, header string) {
		before := len(e.spool.all())
		replies, err := converse(t, e.connectTo(t, "proxied"), header+mail)
		mails := e.spool.all()
		if replies != "" && !strings.HasPrefix(replies, "220 mx.example.com") {
			t.Fatalf("%q: said %q", header, replies)
		}
		if len(mails) > before && !mails[len(mails)-1].env.RemoteIP.IsValid() {
			t.Fatalf("%q: no address in the envelope", header)
		}
		if said := strings.HasPrefix(header, "PROXY ") || strings.HasPrefix(header, "\r\n\r\n\x00\r\nQUIT\n"); err == nil && !said && replies != "" {
			t.Fatalf("%q: %q was said without a header", header, replies)
		}
	})
}
