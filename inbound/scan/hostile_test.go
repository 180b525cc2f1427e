package scan_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/scan"
)

// swallow reads until the peer has nothing more to say.
func swallow(c peer) { _, _ = io.Copy(io.Discard, c) }

// hang reads and never answers.
func hang(c peer) {
	swallow(c)
	<-c.done
}

// endless writes until the peer has enough, and says how much that was.
func endless(text string, wrote chan<- int) func(peer) {
	return func(c peer) {
		go swallow(c)
		piece := strings.Repeat(text, 1+4096/len(text))
		n := 0
		for {
			k, err := c.Write([]byte(piece))
			if n += k; err != nil {
				wrote <- n
				return
			}
		}
	}
}

// say answers as soon as a request begins, and reads it, however long it is.
func say(text string) func(peer) {
	return func(c peer) {
		_, _ = c.Read(make([]byte, 1))
		done := make(chan struct{})
		go func() {
			defer close(done)
			swallow(c)
		}()
		_, _ = io.WriteString(c, text)
		if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		<-done
	}
}

const httpHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// hostile are servers that give no verdict. A timeout of 0 is one that must not matter.
var hostile = []struct {
	name    string
	engine  string // empty: all of them
	handle  func(peer)
	timeout time.Duration
	want    inbound.UnscannedReason
}{
	{"hangs", "", hang, 50 * time.Millisecond, inbound.UnscannedTimeout},
	{"never reads", "", func(c peer) { _, _ = c.Read(make([]byte, 1)); <-c.done }, 50 * time.Millisecond, inbound.UnscannedTimeout},
	{"closes at once", "", func(peer) {}, 0, inbound.UnscannedUnavailable},
	{"says nothing", "", say(""), 0, ""},
	{"says nonsense", "", say("\xff\x00\r\n\r\nmoo\x00"), 0, ""},
	{"begins to answer", scan.Rspamd, func(c peer) { _, _ = io.WriteString(c, httpHead); hang(c) }, 50 * time.Millisecond, inbound.UnscannedTimeout},
	{"begins a body", scan.Rspamd, func(c peer) { _, _ = io.WriteString(c, httpHead+"Content-Length: 100\r\n\r\n{"); hang(c) }, 50 * time.Millisecond, inbound.UnscannedTimeout},
	{"breaks off", scan.Rspamd, say(httpHead + "Content-Length: 100\r\n\r\n{\"score\":1"), 0, inbound.UnscannedUnavailable},
	{"redirects", scan.Rspamd, say("HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"), 0, inbound.UnscannedError},
	{"fails", scan.Rspamd, say("HTTP/1.1 500 No\r\nContent-Length: 36\r\n\r\n{\"score\":1,\"action\":\"no action\"    }"), 0, inbound.UnscannedError},
	{"is no rspamd", scan.Rspamd, say(httpHead + "Content-Length: 13\r\n\r\n<html></html>"), 0, inbound.UnscannedError},
	{"claims too much", scan.Rspamd, say(httpHead + "Content-Length: 99999999999\r\n\r\n{\"score\":1,\"action\":\"reject\"}"), 0, inbound.UnscannedUnavailable},
	{"begins to answer", scan.ClamAV, func(c peer) { _, _ = io.WriteString(c, "stream: O"); hang(c) }, 50 * time.Millisecond, inbound.UnscannedTimeout},
	{"breaks off", scan.ClamAV, say("stream: OK"), 0, inbound.UnscannedError},
	{"has an error", scan.ClamAV, say("stream: Can't open file ERROR\x00"), 0, inbound.UnscannedError},
	{"has a limit of its own", scan.ClamAV, say("INSTREAM size limit exceeded. ERROR\x00"), 0, inbound.UnscannedTooLarge},
	{"begins to answer", scan.SpamAssassin, func(c peer) { _, _ = io.WriteString(c, "SPAMD/1.1 0 EX_OK\r\nSpam: False ; 0 / 5\r\n\r\n"); hang(c) }, 50 * time.Millisecond, inbound.UnscannedTimeout},
	{"breaks off", scan.SpamAssassin, say("SPAMD/1.1 0 EX_OK\r\nContent-length: 10\r\nSpam: False ; 0 / 5\r\n\r\nA"), 0, inbound.UnscannedError},
}

// TestHostileScanner holds that a server that gives no verdict is never taken for one that does, and costs no more than
// its timeout.
func TestHostileScanner(t *testing.T) {
	for _, c := range hostile {
		for engine, config := range engines {
			if c.engine != "" && c.engine != engine {
				continue
			}
			t.Run(engine+" "+c.name, func(t *testing.T) {
				timeout := c.timeout
				if timeout == 0 {
					timeout = time.Minute
				}
				s := scanners(t, config(&scan.Options{Address: listen(t, "tcp", c.handle), Timeout: timeout, MaxSize: 2 << 20, OnError: scan.Accept}))
				message := newBody(t, strings.Repeat("x", 1<<20))
				got, err := s.Scan(t.Context(), envelope(t), message)
				message.given.Store(true)
				if err != nil {
					t.Fatal(err)
				}
				if got.Spam != nil || got.Virus != nil || len(got.Unscanned) != 1 || got.Unscanned[0].Engine != engine {
					t.Fatalf("got %+v", got)
				}
				if reason := got.Unscanned[0].Reason; c.want != "" && reason != c.want {
					t.Errorf("the reason is %s, want %s", reason, c.want)
				}
			})
		}
	}
}

// TestEndlessAnswer holds that an answer without an end is not read for long.
func TestEndlessAnswer(t *testing.T) {
	for _, c := range []struct{ name, engine, head, text string }{
		{"lines of a header", scan.Rspamd, httpHead, "X-Field: x\r\n"},
		{"one line", scan.Rspamd, "", "HTTP/1.1 200 "},
		{"body", scan.Rspamd, httpHead + "Connection: close\r\n\r\n[", "0,"},
		{"chunks", scan.Rspamd, httpHead + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n[\r\n"},
		{"chunk extensions", scan.Rspamd, httpHead + "Transfer-Encoding: chunked\r\n\r\n1;", "x"},
		{"a name", scan.ClamAV, "stream: ", "x"},
		{"rules", scan.SpamAssassin, "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 6 / 5\r\n\r\n", "RULE,"},
	} {
		t.Run(c.engine+" "+c.name, func(t *testing.T) {
			wrote := make(chan int, 1)
			handle := endless(c.text, wrote)
			address := listen(t, "tcp", func(conn peer) {
				_, _ = io.WriteString(conn, c.head)
				handle(conn)
			})
			s := scanners(t, engines[c.engine](&scan.Options{Address: address, Timeout: time.Minute, OnError: scan.Accept}))
			got, err := s.Scan(t.Context(), envelope(t), newBody(t, "Subject: x\r\n\r\n"))
			if err != nil || len(got.Unscanned) != 1 || got.Unscanned[0].Reason == inbound.UnscannedTimeout {
				t.Fatalf("got %+v, %v", got, err)
			}
			const sockets = 16 << 20 // what the buffers of two sockets may hold
			if n := <-wrote; n > sockets {
				t.Errorf("%d octets were taken", n)
			}
		})
	}
}

// TestUnreachableScanner has nobody listen.
func TestUnreachableScanner(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for engine, config := range engines {
		for _, address := range []string{l.Addr().String(), "/nonexistent/socket"} {
			s := scanners(t, config(&scan.Options{Address: address, OnError: scan.Accept}))
			got, err := s.Scan(t.Context(), envelope(t), newBody(t, "x"))
			if err != nil || len(got.Unscanned) != 1 || got.Unscanned[0].Reason != inbound.UnscannedUnavailable {
				t.Errorf("%s at %s: got %+v, %v", engine, address, got, err)
			}
			s = scanners(t, config(&scan.Options{Address: address, OnError: scan.Defer}))
			_, err = s.Scan(t.Context(), envelope(t), newBody(t, "x"))
			var rejection *inbound.Rejection
			if !errors.As(err, &rejection) || rejection.Reason != inbound.RejectUnscanned || !strings.HasPrefix(rejection.Error(), "451 4.7.1 ") {
				t.Errorf("%s at %s: got %v", engine, address, err)
			}
		}
	}
}

// TestAnswerBeforeTheEnd has a server that answers before it has read the message: the verdict counts where there is one.
func TestAnswerBeforeTheEnd(t *testing.T) {
	answer := `{"score":20,"required_score":15,"action":"reject"}`
	early := fmt.Sprintf("%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", httpHead, len(answer), answer)
	for engine, text := range map[string]string{scan.Rspamd: early, scan.ClamAV: "stream: Early FOUND\x00"} {
		address := listen(t, "tcp", func(c peer) {
			_, _ = c.Read(make([]byte, 1))
			_, _ = io.WriteString(c, text)
			swallow(c)
		})
		s := scanners(t, engines[engine](&scan.Options{Address: address, Timeout: time.Minute, OnError: scan.Accept, OnFound: scan.Mark}))
		message := newBody(t, strings.Repeat("x", 8<<20))
		got, err := s.Scan(t.Context(), envelope(t), message)
		message.given.Store(true)
		if err != nil || got.Spam == nil && got.Virus == nil {
			t.Errorf("%s: got %+v, %v", engine, got, err)
		}
	}
}
