package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A tap stands between a peer and the server and records what passes, octet for octet.
type tap struct {
	addr   string
	target string

	mu    sync.Mutex
	conns []*recording
}

// recording is what passed on one connection.
type recording struct{ client, server stream }

// stream collects one direction.
type stream struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *stream) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.buf.Bytes())
}

// newTap starts a tap before the server at target. It ends with the test.
func newTap(t *testing.T, target string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tp := &tap{addr: l.Addr().String(), target: target}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { tp.pass(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		cancel()
		wg.Wait()
	})
	return tp
}

func (tp *tap) pass(ctx context.Context, peer net.Conn) {
	defer peer.Close()
	server, err := net.Dial("tcp", tp.target)
	if err != nil {
		return
	}
	defer server.Close()
	unhook := context.AfterFunc(ctx, func() { _, _ = peer.Close(), server.Close() })
	defer unhook()
	rec := &recording{}
	tp.mu.Lock()
	tp.conns = append(tp.conns, rec)
	tp.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { record(server, peer, &rec.client) })
	wg.Go(func() { record(peer, server, &rec.server) })
	wg.Wait()
}

// record copies until the source ends, and writes down each piece before it passes it on.
func record(to, from net.Conn, s *stream) {
	_, _ = io.Copy(to, io.TeeReader(from, s))
	_ = to.(*net.TCPConn).CloseWrite()
}

// mails returns what was accepted so far, by recipient. A mail to several stands under each.
func (tp *tap) mails(t *testing.T) map[string][]byte {
	t.Helper()
	tp.mu.Lock()
	defer tp.mu.Unlock()
	all := map[string][]byte{}
	for _, rec := range tp.conns {
		mails, err := transcript(rec.client.bytes(), rec.server.bytes())
		if err != nil {
			t.Error(err)
		}
		for _, m := range mails {
			for _, to := range m.to {
				all[to] = m.content
			}
		}
	}
	return all
}

// tapped is a mail that got 250.
type tapped struct {
	to      []string
	content []byte // with the stuffed dots taken away
}

// transcript reads a recorded session as simply as RFC 5321 has it: the client's octets are command lines, each with one
// reply; DATA has two, with everything up to the first CR LF . CR LF between them.
func transcript(peer, server []byte) ([]tapped, error) {
	codes := replyCodes(server)
	next := func() int {
		if len(codes) == 0 {
			return 0
		}
		code := codes[0]
		codes = codes[1:]
		return code
	}
	next() // the greeting
	var mails []tapped
	var to []string
	for {
		line, rest, whole := bytes.Cut(peer, []byte("\r\n"))
		if !whole {
			return mails, nil
		}
		peer = rest
		verb, args, _ := strings.Cut(string(line), " ")
		switch code := next(); strings.ToUpper(verb) {
		case "MAIL":
			to = nil
		case "RCPT":
			if path := between(args, "<", ">"); code == 250 {
				to = append(to, path)
			}
		case "BDAT", "STARTTLS":
			if code < 400 {
				return mails, fmt.Errorf("the tap cannot read on after %q", line)
			}
		case "DATA":
			if code != 354 {
				continue
			}
			var content []byte
			if content, peer, whole = cutData(peer); whole && next() == 250 {
				mails = append(mails, tapped{to, content})
			}
		}
	}
}

// cutData takes the data of a mail from the front of a stream; whole is false when its end is not there yet.
func cutData(s []byte) (content, rest []byte, whole bool) {
	if rest, empty := bytes.CutPrefix(s, []byte(".\r\n")); empty {
		return nil, rest, true
	}
	i := bytes.Index(s, []byte("\r\n.\r\n"))
	if i < 0 {
		return nil, nil, false
	}
	return unstuff(s[:i+2]), s[i+5:], true
}

// replyCodes lists the codes of whole replies.
func replyCodes(server []byte) []int {
	var codes []int
	for line := range bytes.Lines(server) {
		if len(line) < 4 || line[3] == '-' {
			continue
		}
		if code, err := strconv.Atoi(string(line[:3])); err == nil {
			codes = append(codes, code)
		}
	}
	return codes
}

func between(s, left, right string) string {
	_, s, _ = strings.Cut(s, left)
	s, _, _ = strings.Cut(s, right)
	return s
}

// TestTranscript holds the tap's own reading to examples, for the other tests lean on it.
func TestTranscript(t *testing.T) {
	for _, c := range []struct {
		name, client, server string
		want                 []tapped
	}{
		{"one by one", "EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nS: x\r\n\r\n..dot\r\nlf\n.\n\r\n.\r\nQUIT\r\n",
			"220 x\r\n250-x\r\n250 SIZE\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n221 bye\r\n",
			[]tapped{{[]string{"b@y"}, []byte("S: x\r\n\r\n.dot\r\nlf\n.\n\r\n")}}},
		{"a refused recipient", "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@y>\r\nRCPT TO:<c@y>\r\nDATA\r\n.\r\n",
			"220 x\r\n250 x\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n250 ok\r\n",
			[]tapped{{[]string{"c@y"}, nil}}},
		{"refused before and after the data", "HELO x\r\nMAIL FROM:<>\r\nDATA\r\nMAIL FROM:<>\r\nRCPT TO:<b@y>\r\nDATA\r\nx\r\n.\r\n",
			"220 x\r\n250 x\r\n250 ok\r\n503 no\r\n503 no\r\n250 ok\r\n354 go\r\n451 no\r\n", nil},
		{"no answer yet", "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@y>\r\nDATA\r\nx\r\n.\r\n",
			"220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := transcript([]byte(c.client), []byte(c.server))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
	for _, s := range []string{"", ".", "..", ".\r\n", "a\r\n.\r\n..\r\nb\n.\r\n", "\r\n.\r\n.\r\n"} {
		if got := unstuff(stuff([]byte(s))); string(got) != s {
			t.Errorf("stuffed and unstuffed, %q became %q", s, got)
		}
	}
}
