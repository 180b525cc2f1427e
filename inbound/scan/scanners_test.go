package scan_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/scan"
)

const letter = "From: Ann <ann@sender.example>\r\nSubject: x\r\n\r\n.dot\r\nno end of line"

// contents are messages of the sizes that matter to chunks and buffers.
func contents() map[string]string {
	return map[string]string{
		"empty": "", "short": letter, "a chunk": strings.Repeat("x", 64<<10), "more": strings.Repeat("0123456789", 100_000),
	}
}

// rspamdServer is a rspamd that checks what it is told.
func rspamdServer(t *testing.T, answer string, requests chan<- *http.Request) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the message: %v", err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(content)))
		requests <- r
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestRspamdGetsTheEnvelope(t *testing.T) {
	requests := make(chan *http.Request, 1)
	address := rspamdServer(t, `{"score":1.5,"required_score":15,"action":"no action","symbols":{"A":{"score":1.5}}}`, requests)
	s := scanners(t, scan.Config{Rspamd: &scan.Options{Address: address}})
	for name, content := range contents() {
		got, err := s.Scan(t.Context(), envelope(t), newBody(t, content))
		if err != nil {
			t.Fatal(err)
		}
		want := &inbound.ScanResults{Spam: &inbound.SpamResult{
			Engine: "rspamd", Score: 1.5, Required: 15, Action: "no action", Symbols: []inbound.SpamSymbol{{Name: "A", Score: 1.5}},
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		r := <-requests
		if sent, _ := io.ReadAll(r.Body); string(sent) != content || r.ContentLength != int64(len(content)) || r.Method != http.MethodPost || r.URL.Path != "/checkv2" {
			t.Errorf("%s: %s %s with %d octets, declared %d", name, r.Method, r.URL.Path, len(sent), r.ContentLength)
		}
		for field, want := range map[string][]string{
			"From": {"<ann@sender.example>"}, "Rcpt": {"<one@in.example.com>", `<"two three"@in.example.com>`},
			"Helo": {"mail.sender.example"}, "Ip": {"2001:db8::7"}, "Hostname": {"mail.sender.example"}, "User": {"ann"},
			"Mta-Name": {"mx.example.com"}, "Tls-Version": {"TLS 1.3"},
		} {
			if diff := cmp.Diff(want, r.Header[field]); diff != "" {
				t.Errorf("%s: %s", field, diff)
			}
		}
		if len(r.Header["Queue-Id"]) != 1 || len(r.Header["Queue-Id"][0]) != 20 {
			t.Errorf("Queue-Id: %q", r.Header["Queue-Id"])
		}
	}
}

// TestRspamdGetsWhatIsKnown has a session of which little is known, and one that says too much.
func TestRspamdGetsWhatIsKnown(t *testing.T) {
	requests := make(chan *http.Request, 1)
	s := scanners(t, scan.Config{Rspamd: &scan.Options{Address: rspamdServer(t, `{"score":0,"action":"no action"}`, requests)}})
	env := &inbound.Envelope{Helo: "a\r\nIp: 127.0.0.1\x00b"}
	for i := range 10_000 {
		env.Recipients = append(env.Recipients, inbound.Recipient{Path: path(t, fmt.Sprintf("grüße%d@in.example.com", i))})
	}
	if got, err := s.Scan(t.Context(), env, newBody(t, "")); err != nil || got.Spam == nil {
		t.Fatalf("got %+v, %v", got, err)
	}
	r := <-requests
	for _, field := range []string{"Ip", "Hostname", "User", "Tls-Version"} {
		if got, ok := r.Header[field]; ok {
			t.Errorf("%s: %q", field, got)
		}
	}
	if r.Header.Get("From") != "<>" || r.Header.Get("Helo") != "a??Ip: 127.0.0.1?b" {
		t.Errorf("%v", r.Header)
	}
	rcpt := r.Header["Rcpt"]
	if octets := len(strings.Join(rcpt, "")); len(rcpt) < 100 || octets > 64<<10 || rcpt[99] != "<grüße99@in.example.com>" {
		t.Errorf("%d recipients of %d octets", len(rcpt), octets)
	}
}

// clamdServer reads a stream and answers.
func clamdServer(t *testing.T, network, answer string, contents chan<- string) string {
	t.Helper()
	return listen(t, network, func(c peer) {
		r := bufio.NewReader(c)
		if command, err := r.ReadString(0); err != nil || command != "zINSTREAM\x00" {
			t.Errorf("command %q, %v", command, err)
			return
		}
		var content strings.Builder
		for {
			var n uint32
			if err := binary.Read(r, binary.BigEndian, &n); err != nil {
				t.Errorf("reading a length: %v", err)
				return
			}
			if n == 0 {
				break
			}
			if _, err := io.CopyN(&content, r, int64(n)); err != nil {
				t.Errorf("reading a chunk: %v", err)
				return
			}
		}
		contents <- content.String()
		_, _ = io.WriteString(c, answer)
	})
}

func TestClamAVGetsTheMessage(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		streamed := make(chan string, 1)
		s := scanners(t, scan.Config{ClamAV: &scan.Options{Address: clamdServer(t, network, "stream: OK\x00", streamed)}})
		for name, content := range contents() {
			got, err := s.Scan(t.Context(), envelope(t), newBody(t, content))
			if err != nil || got.Virus == nil || *got.Virus != (inbound.VirusResult{Engine: "clamav"}) {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
			if <-streamed != content {
				t.Errorf("%s: another content arrived", name)
			}
		}
	}
}

// spamdServer reads a request by its length and answers.
func spamdServer(t *testing.T, answer string, contents chan<- string) string {
	t.Helper()
	return listen(t, "tcp", func(c peer) {
		request, err := io.ReadAll(c)
		head, content, _ := strings.Cut(string(request), "\r\n\r\n")
		length, ok := strings.CutPrefix(head, "SYMBOLS SPAMC/1.5\r\nContent-length: ")
		if n, bad := strconv.Atoi(length); err != nil || !ok || bad != nil || n != len(content) {
			t.Errorf("%q with %d octets, %v", head, len(content), err)
		}
		contents <- content
		_, _ = io.WriteString(c, answer)
	})
}

func TestSpamAssassinGetsTheMessage(t *testing.T) {
	got := make(chan string, 1)
	answer := "SPAMD/1.1 0 EX_OK\r\nContent-length: 1\r\nSpam: False ; 4.5 / 5.0\r\n\r\nA"
	s := scanners(t, scan.Config{SpamAssassin: &scan.Options{Address: spamdServer(t, answer, got), MaxSize: 2 << 20, SpamScore: 4}})
	for name, content := range contents() {
		results, err := s.Scan(t.Context(), envelope(t), newBody(t, content))
		if err != nil {
			t.Fatal(err)
		}
		want := &inbound.SpamResult{Engine: "spamassassin", Score: 4.5, Required: 4, IsSpam: true, Action: "ham", Symbols: []inbound.SpamSymbol{{Name: "A"}}}
		if diff := cmp.Diff(want, results.Spam); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		trace, rest, _ := strings.Cut(<-got, "\tby mx.example.com with ")
		if !strings.HasPrefix(trace, "Return-Path: <ann@sender.example>\r\nReceived: from mail.sender.example (mail.sender.example [IPv6:2001:db8::7])") ||
			!strings.HasSuffix(rest, " +0000\r\n"+content) && !strings.HasSuffix(rest, " UTC\r\n"+content) {
			t.Errorf("%s: the message arrived as %.300q ... %.100q", name, trace, rest)
		}
	}
}

// policies are verdicts with what is to follow from them.
var policies = []struct {
	name          string
	spam, virus   string // actions for what is found; empty: the default
	follow        string // rspamd's action
	found         bool   // clamd finds something
	reply, reason string // of the rejection; empty: accepted
}{
	{"nothing found", "reject", "reject", "no action", false, "", ""},
	{"spam is marked by default", "", "", "reject", false, "", ""},
	{"spam is refused", "reject", "", "add header", false, "550 5.7.1 Message is taken for spam", "spam"},
	{"spam is deferred", "defer", "", "add header", false, "451 4.7.1 Message is taken for spam", "spam"},
	{"greylisting is no spam", "reject", "", "soft reject", false, "", ""},
	{"rspamd's reject is followed", "follow", "", "reject", false, "550 5.7.1 As rspamd says", "spam"},
	{"rspamd's soft reject is followed", "follow", "", "soft reject", false, "451 4.7.1 As rspamd says", "spam"},
	{"rspamd's add header is followed", "follow", "", "add header", false, "", ""},
	{"viruses are refused by default", "", "", "no action", true, "550 5.7.1 Message contains malware (Bad.Thing)", "virus"},
	{"viruses are marked", "", "mark", "no action", true, "", ""},
	{"viruses are deferred", "", "defer", "no action", true, "451 4.7.1 Message contains malware (Bad.Thing)", "virus"},
	{"5yz before 4yz", "defer", "reject", "reject", true, "550 5.7.1 Message contains malware (Bad.Thing)", "virus"},
	{"5yz before 4yz, the other way round", "reject", "defer", "reject", true, "550 5.7.1 Message is taken for spam", "spam"},
}

func TestPolicy(t *testing.T) {
	for _, c := range policies {
		t.Run(c.name, func(t *testing.T) {
			requests, streams := make(chan *http.Request, 1), make(chan string, 1)
			virus := "stream: OK\x00"
			if c.found {
				virus = "stream: Bad.Thing FOUND\x00"
			}
			s := scanners(t, scan.Config{
				Rspamd: &scan.Options{OnFound: scan.Action(c.spam), Address: rspamdServer(t,
					`{"score":7,"required_score":15,"action":"`+c.follow+`","messages":{"smtp_message":"As rspamd says"}}`, requests)},
				ClamAV: &scan.Options{OnFound: scan.Action(c.virus), Address: clamdServer(t, "tcp", virus, streams)},
			})
			got, err := s.Scan(t.Context(), envelope(t), newBody(t, letter))
			if got == nil || got.Spam == nil || got.Spam.Action != c.follow || got.Virus == nil || got.Virus.Infected != c.found || got.Unscanned != nil {
				t.Errorf("got %+v", got)
			}
			var rejection *inbound.Rejection
			switch {
			case c.reply == "" && err != nil:
				t.Errorf("got %v", err)
			case c.reply != "" && (!errors.As(err, &rejection) || rejection.Error() != c.reply || string(rejection.Reason) != c.reason):
				t.Errorf("got %v, want %s", err, c.reply)
			}
		})
	}
}

// TestFailureOfOne leaves the verdict of the other.
func TestFailureOfOne(t *testing.T) {
	for _, onError := range []scan.Action{scan.Accept, scan.Defer} {
		s := scanners(t, scan.Config{
			Rspamd: &scan.Options{Address: rspamdServer(t, `{"score":7,"action":"no action"}`, make(chan *http.Request, 1))},
			ClamAV: &scan.Options{Address: listen(t, "tcp", hang), OnError: onError, Timeout: 50 * time.Millisecond},
		})
		got, err := s.Scan(t.Context(), envelope(t), newBody(t, letter))
		if got == nil || got.Spam == nil || got.Virus != nil {
			t.Errorf("got %+v", got)
		}
		if diff := cmp.Diff([]inbound.Unscanned{{Engine: "clamav", Reason: inbound.UnscannedTimeout}}, got.Unscanned); diff != "" {
			t.Error(diff)
		}
		if (err != nil) != (onError == scan.Defer) {
			t.Errorf("%s: %v", onError, err)
		}
	}
}

// TestTooLarge: a message beyond max_size is not given to the scanner, and that is no failure.
func TestTooLarge(t *testing.T) {
	for engine, config := range engines {
		address := listen(t, "tcp", func(peer) { t.Error("the scanner was asked") })
		s := scanners(t, config(&scan.Options{Address: address, MaxSize: 100, OnError: scan.Defer}))
		got, err := s.Scan(t.Context(), envelope(t), newBody(t, strings.Repeat("x", 101)))
		want := &inbound.ScanResults{Unscanned: []inbound.Unscanned{{Engine: engine, Reason: inbound.UnscannedTooLarge}}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", engine, err, diff)
		}
	}
}

// TestSideBySide has two scanners that each wait until the other was asked.
func TestSideBySide(t *testing.T) {
	spam, virus := make(chan struct{}), make(chan struct{})
	s := scanners(t, scan.Config{
		SpamAssassin: &scan.Options{Timeout: time.Minute, Address: listen(t, "tcp", func(c peer) {
			swallow(c)
			close(spam)
			<-virus
			_, _ = io.WriteString(c, "SPAMD/1.1 0 EX_OK\r\nSpam: False ; 0 / 5\r\n\r\n")
		})},
		ClamAV: &scan.Options{Timeout: time.Minute, Address: listen(t, "tcp", func(c peer) {
			_, _ = c.Read(make([]byte, 1))
			close(virus)
			<-spam
			_, _ = io.WriteString(c, "stream: OK\x00")
			swallow(c)
		})},
	})
	got, err := s.Scan(t.Context(), envelope(t), newBody(t, letter))
	if err != nil || got.Spam == nil || got.Virus == nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestCancelled ends scans with their context: nothing is known then, whatever the settings say.
func TestCancelled(t *testing.T) {
	for engine, config := range engines {
		for _, onError := range []scan.Action{scan.Accept, scan.Defer} {
			ctx, cancel := context.WithCancel(t.Context())
			address := listen(t, "tcp", func(c peer) {
				_, _ = c.Read(make([]byte, 1))
				cancel()
				swallow(c)
			})
			s := scanners(t, config(&scan.Options{Address: address, Timeout: time.Hour, OnError: onError}))
			got, err := s.Scan(ctx, envelope(t), newBody(t, letter))
			if got != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %+v, %v", engine, got, err)
			}
			cancel()
		}
	}
}

func TestNoScanners(t *testing.T) {
	if got, err := scanners(t, scan.Config{}).Scan(t.Context(), envelope(t), newBody(t, letter)); got != nil || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestFaultyConfiguration(t *testing.T) {
	for name, cfg := range map[string]scan.Config{
		"no address":         {ClamAV: &scan.Options{}},
		"no port":            {ClamAV: &scan.Options{Address: "localhost"}},
		"port 0":             {ClamAV: &scan.Options{Address: "localhost:0"}},
		"no host":            {ClamAV: &scan.Options{Address: ":3310"}},
		"follow clamav":      {ClamAV: &scan.Options{Address: "a:1", OnFound: scan.Follow}},
		"follow spamd":       {SpamAssassin: &scan.Options{Address: "a:1", OnFound: scan.Follow}},
		"mark an error":      {Rspamd: &scan.Options{Address: "a:1", OnError: scan.Mark}},
		"reject an error":    {Rspamd: &scan.Options{Address: "a:1", OnError: scan.Reject}},
		"negative timeout":   {Rspamd: &scan.Options{Address: "a:1", Timeout: -1}},
		"two spam scanners":  {Rspamd: &scan.Options{Address: "a:1"}, SpamAssassin: &scan.Options{Address: "a:1"}},
		"accept what is bad": {Rspamd: &scan.Options{Address: "a:1", OnFound: scan.Accept}},
	} {
		if _, err := scan.New(cfg); err == nil {
			t.Errorf("%s: no fault", name)
		}
	}
}
