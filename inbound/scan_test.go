package inbound_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/inbound"
)

// scanByContent is a scanner that does what the message tells it.
func scanByContent(ctx context.Context, env *inbound.Envelope, body inbound.Body) (*inbound.ScanResults, error) {
	content, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
	if err != nil {
		return nil, err
	}
	if env.Helo == "" || env.ReceivedAt.IsZero() {
		return nil, errors.New("the envelope is not complete")
	}
	spam := &inbound.ScanResults{Spam: &inbound.SpamResult{Engine: "rspamd", Score: 20, Required: 15, IsSpam: true, Action: "reject"}}
	reject := func(code int, reason inbound.RejectReason) error {
		return &inbound.Rejection{Reply: &inbound.Reply{Code: code, Status: [3]int{code / 100, 7, 1}, Text: "As the scanner says"}, Reason: reason}
	}
	switch word := strings.TrimSpace(string(content)); word {
	case "reject":
		return spam, reject(550, inbound.RejectSpam)
	case "virus":
		return &inbound.ScanResults{Virus: &inbound.VirusResult{Infected: true, Signature: "Eicar"}}, reject(550, inbound.RejectVirus)
	case "defer":
		return &inbound.ScanResults{Unscanned: []inbound.Unscanned{{Engine: "clamav", Reason: "timeout"}}}, reject(451, inbound.RejectUnscanned)
	case "mark":
		return spam, nil
	case "unasked":
		return nil, nil
	case "panic":
		panic("a scanner broke")
	case "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	default:
		return nil, errors.New("no such word: " + word)
	}
}

// TestScan holds that nothing is stored that the scanners refuse, in whatever way it comes, and that what they found goes
// along with what is.
func TestScan(t *testing.T) {
	for _, way := range ways {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, BDAT %v", way.name, chunked), func(t *testing.T) {
				e := serve(t, func(c *inbound.Config) { c.Scan = scanByContent })
				p := way.connect(t, e)
				for _, c := range []struct{ word, reply string }{
					{"reject", "550 5.7.1 As the scanner says"}, {"mark", "250 2.0.0 OK queued as msg_1"}, {"virus", "550 5.7.1 As the scanner says"},
					{"defer", "451 4.7.1 As the scanner says"}, {"unasked", "250 2.0.0 OK queued as msg_2"}, {"broken", "451 4.3.0 Local trouble"},
				} {
					p.do("MAIL FROM:<ann@sender.example>", "250")
					p.do("RCPT TO:<bob@in.example.com>", "250")
					if chunked {
						p.send(fmt.Sprintf("BDAT %d LAST\r\n%s\r\n", len(c.word)+2, c.word))
					} else {
						p.do("DATA", "354")
						p.send(c.word + "\r\n.\r\n")
					}
					p.expect(c.reply)
				}
				mails := e.spool.all()
				if len(mails) != 2 || mails[0].body != "mark\r\n" || mails[1].body != "unasked\r\n" {
					t.Fatalf("stored: %+v", mails)
				}
				want := &inbound.ScanResults{Spam: &inbound.SpamResult{Engine: "rspamd", Score: 20, Required: 15, IsSpam: true, Action: "reject"}}
				if diff := cmp.Diff(want, mails[0].env.ScanResults); diff != "" || mails[1].env.ScanResults != nil {
					t.Errorf("%+v\n%s", mails[1].env.ScanResults, diff)
				}
			})
		}
	}
}

// TestScanPanic: no message may take the process down.
func TestScanPanic(t *testing.T) {
	e := serve(t, func(c *inbound.Config) { c.Scan = scanByContent })
	p := e.dial(t)
	p.do("EHLO client.example", "250")
	p.begin()
	p.send("panic\r\n.\r\n")
	p.expect("421 4.3.0")
	p.closed()
	if len(e.spool.all()) != 0 {
		t.Error("it was stored")
	}
}

// TestScanIsCutShort: a shutdown does not wait for scanners longer than it is told, and nothing is stored without them.
func TestScanIsCutShort(t *testing.T) {
	asked := make(chan struct{})
	e := serve(t, func(c *inbound.Config) {
		c.Scan = func(ctx context.Context, env *inbound.Envelope, body inbound.Body) (*inbound.ScanResults, error) {
			close(asked)
			return scanByContent(ctx, env, body)
		}
	})
	p := e.dial(t)
	p.do("EHLO client.example", "250")
	p.begin()
	p.send("hang\r\n.\r\n")
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := e.Shutdown(ctx); err == nil {
		t.Error("the scan was waited for")
	}
	if len(e.spool.all()) != 0 {
		t.Error("it was stored")
	}
}

func TestScanLog(t *testing.T) {
	log := &logged{}
	e := serve(t, func(c *inbound.Config) {
		c.Scan = scanByContent
		c.Log = slog.New(slog.NewJSONHandler(log, nil))
	})
	p := e.dial(t)
	p.do("EHLO client.example", "250")
	for _, word := range []string{"mark", "reject", "virus", "defer", "broken"} {
		p.begin()
		p.send(word + "\r\n.\r\n")
		p.reply()
	}
	e.drain(t)
	lines := log.lines(t)
	if len(lines) < 5 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, want := range []map[string]any{
		{"level": "INFO", "msg": "message accepted", "spam": true, "spam_score": 20., "spam_action": "reject"},
		{"level": "INFO", "msg": "refused", "reason": "spam", "code": 550., "spam": true, "spam_score": 20., "spam_action": "reject"},
		{"level": "INFO", "msg": "refused", "reason": "virus", "code": 550., "virus": "Eicar"},
		{"level": "INFO", "msg": "refused", "reason": "unscanned", "code": 451., "unscanned": []any{"clamav:timeout"}},
		{"level": "ERROR", "msg": "refused", "reason": "storage", "error": "scanning: no such word: broken"},
	} {
		if _, timed := lines[i]["scan_duration"]; timed == (i == 4) {
			t.Errorf("scan_duration: %v", lines[i])
		}
		for key, value := range want {
			if diff := cmp.Diff(value, lines[i][key]); diff != "" {
				t.Errorf("line %d, %s: %s", i, key, diff)
			}
		}
	}
}
