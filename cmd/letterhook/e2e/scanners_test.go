package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// What scanners everywhere take for spam and for a virus. The latter is put together here, lest a scanner find it in this
// repository.
const (
	gtube  = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
	header = "From: Ann <ann@sender.example>\r\nTo: one@one.example\r\nDate: Mon, 23 Nov 2026 18:30:00 +0000\r\nMessage-ID: <1@sender.example>\r\nSubject: x\r\n"
)

func eicar() string {
	return `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-` + "STANDARD-ANTIVIRUS-" + "TEST-FILE!$H+H*"
}

func letters() (ham, spam, virus []byte) {
	plain := header + "\r\nHello.\r\n"
	attached := header + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello.\r\n--b\r\n" +
		"Content-Type: application/octet-stream; name=a.com\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString([]byte(eicar())) + "\r\n--b--\r\n"
	return []byte(plain), []byte(header + "\r\n" + gtube + "\r\n"), []byte(attached)
}

// scanned starts a server with scanners.
func scanned(ctx context.Context, t *testing.T, format string, args ...any) (*bench.Server, *inbox) {
	t.Helper()
	s, in, _ := startInstallation(ctx, t, &installation{more: "scanners:\n" + fmt.Sprintf(format, args...)})
	return s, in
}

// verdict is the part of an event that speaks of scanners, in one line.
func (e *event) verdict() string {
	words := []string{"spam: null", "virus: null"}
	if s := e.Data.Spam; s != nil {
		words[0] = fmt.Sprintf("%s spam: %v", s.Engine, s.IsSpam)
	}
	if v := e.Data.Virus; v != nil {
		words[1] = fmt.Sprintf("%s virus: %v", v.Engine, v.Infected)
	}
	for _, u := range e.Data.Unscanned {
		words = append(words, "unscanned: "+u.Engine+" "+u.Reason)
	}
	return strings.Join(words, ", ")
}

func (e *event) fired(symbol string) bool {
	return slices.ContainsFunc(e.Data.Spam.Symbols, func(s spamSymbol) bool { return s.Name == symbol })
}

// TestScanners has Debian's rspamd and clamd look at ham, spam and a virus, and then the clamd die.
func TestScanners(t *testing.T) {
	ctx := within(t, 2*time.Minute)
	rspamd, clamd := startRspamd(ctx, t), startClamd(ctx, t)
	ham, spam, virus := letters()

	t.Run("refused", func(t *testing.T) {
		s, in := scanned(ctx, t, "  rspamd: {address: %q, on_spam: follow}\n  clamav: {address: %q}\n", rspamd.address, clamd.address)
		for _, c := range []struct {
			letter []byte
			code   int
			text   string
		}{
			{spam, 550, "5.7.1 Gtube pattern"}, {virus, 550, "5.7.1 Message contains malware (Eicar-Test.UNOFFICIAL)"},
		} {
			if got := deliver(ctx, t, s.SMTP, c.letter, "refused@one.example"); !got.is(c.code, c.text) {
				t.Errorf("reply %s, want %d %s", got, c.code, c.text)
			}
		}
		c := dial(ctx, t, s.SMTP)
		c.command(250, "EHLO e2e.sender.example")
		c.command(250, "MAIL FROM:<ann@sender.example>")
		c.command(250, "RCPT TO:<ham@one.example>")
		c.command(250, `RCPT TO:<"x y"@one.example>`)
		c.command(354, "DATA")
		c.write(string(ham) + ".\r\n")
		c.expect(250)
		c.quit()
		e := in.awaitFor(ctx, t, "ham@one.example")
		if got := e.verdict(); got != "rspamd spam: false, clamav virus: false" {
			t.Error(got)
		}
		if s := e.Data.Spam; s.Score != 2.5 || s.Required != 15 || s.Action != "no action" || !e.fired("FACTS_RIGHT") {
			t.Errorf("spam: %+v", s)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		in.exactly(t, `ham@one.example,"x y"@one.example`)
	})
	t.Run("marked", func(t *testing.T) {
		s, in := scanned(ctx, t, "  rspamd: {address: %q, spam_score: 10}\n  clamav: {address: %q, on_virus: mark}\n", rspamd.address, clamd.address)
		for to, c := range map[string]struct {
			letter  []byte
			verdict string
		}{
			"spam@one.example":  {spam, "rspamd spam: true, clamav virus: false"},
			"virus@one.example": {virus, "rspamd spam: false, clamav virus: true"},
		} {
			if got := deliver(ctx, t, s.SMTP, c.letter, to); got.code != 250 {
				t.Fatalf("reply %s", got)
			}
			e := in.awaitFor(ctx, t, to)
			if got := e.verdict(); got != c.verdict {
				t.Errorf("%s: %s", to, got)
			}
		}
		e, _ := find(in.all(), "virus@one.example")
		if v := e.Data.Virus; v.Signature == nil || *v.Signature != "Eicar-Test.UNOFFICIAL" {
			t.Errorf("virus: %+v", v)
		}
	})
	t.Run("too large", func(t *testing.T) {
		s, in := scanned(ctx, t, "  rspamd: {address: %q, max_size: 100, on_error: defer}\n  clamav: {address: %q, max_size: 100}\n",
			rspamd.address, clamd.address)
		if got := deliver(ctx, t, s.SMTP, virus, "large@one.example"); got.code != 250 {
			t.Fatalf("reply %s", got)
		}
		e := in.awaitFor(ctx, t, "large@one.example")
		if got := e.verdict(); got != "spam: null, virus: null, unscanned: rspamd too_large, unscanned: clamav too_large" {
			t.Error(got)
		}
	})
	t.Run("dead", func(t *testing.T) {
		s, in := scanned(ctx, t, "  clamav: {address: %q}\n", clamd.address)
		if got := deliver(ctx, t, s.SMTP, ham, "before@one.example"); got.code != 250 {
			t.Errorf("reply %s", got)
		}
		in.awaitFor(ctx, t, "before@one.example")
		clamd.kill()
		for range 10 { // more than it takes for the scanner to be left alone
			if got := deliver(ctx, t, s.SMTP, ham, "after@one.example"); !got.is(451, "4.7.1 Message cannot be examined now") {
				t.Errorf("reply %s", got)
			}
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		in.exactly(t, "before@one.example")
	})
}

// TestSpamAssassin has Debian's spamd look at spam and ham. It finds our Received field.
func TestSpamAssassin(t *testing.T) {
	ctx := within(t, 2*time.Minute)
	spamd := startSpamd(ctx, t)
	ham, spam, _ := letters()
	s, in := scanned(ctx, t, "  spamassassin: {address: %q, on_spam: reject}\n", spamd.address)
	if got := deliver(ctx, t, s.SMTP, spam, "spam@one.example"); !got.is(550, "5.7.1 Message is taken for spam") {
		t.Errorf("reply %s", got)
	}
	if got := deliver(ctx, t, s.SMTP, ham, "ham@one.example"); got.code != 250 {
		t.Fatalf("reply %s", got)
	}
	e := in.awaitFor(ctx, t, "ham@one.example")
	if got := e.verdict(); got != "spamassassin spam: false, virus: null" || e.fired("NO_RECEIVED") || e.fired("NO_RELAYS") {
		t.Errorf("%s, %+v", got, e.Data.Spam)
	}
}

// silent accepts connections, reads and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(io.Discard, c)
				<-t.Context().Done()
				c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// TestScannersFail holds that a scanner that is dead or hangs has the consequence that was configured.
func TestScannersFail(t *testing.T) {
	ctx := within(t, 2*time.Minute)
	ham, _, _ := letters()
	nobody, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, address, reason string }{{"dead", nobody, "unavailable"}, {"hanging", silent(t), "timeout"}} {
		t.Run(c.name, func(t *testing.T) {
			const both = "  rspamd: {address: %[1]q, timeout: 200ms, on_error: %[2]s}\n  clamav: {address: %[1]q, timeout: 200ms, on_error: %[3]s}\n"
			s, in := scanned(ctx, t, both, c.address, "accept", "accept")
			if got := deliver(ctx, t, s.SMTP, ham, "open@one.example"); got.code != 250 {
				t.Errorf("reply %s", got)
			}
			e := in.awaitFor(ctx, t, "open@one.example")
			if got := e.verdict(); got != "spam: null, virus: null, unscanned: rspamd "+c.reason+", unscanned: clamav "+c.reason {
				t.Error(got)
			}
			for _, closed := range [][2]string{{"accept", "defer"}, {"defer", "accept"}} {
				s, in := scanned(ctx, t, both, c.address, closed[0], closed[1])
				if got := deliver(ctx, t, s.SMTP, ham, "closed@one.example"); !got.is(451, "4.7.1 Message cannot be examined now") {
					t.Errorf("rspamd %s, clamav %s: reply %s", closed[0], closed[1], got)
				}
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
				in.exactly(t)
			}
		})
	}
}
