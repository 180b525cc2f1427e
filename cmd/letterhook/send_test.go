package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

func TestWriteData(t *testing.T) {
	for _, c := range []struct{ name, message, wire string }{
		{"empty", "", ".\r\n"},
		{"plain", "a\r\n", "a\r\n.\r\n"},
		{"no end of line", "a", "a\r\n.\r\n"},
		{"ends in CR", "a\r", "a\r\r\n.\r\n"},
		{"ends in LF", "a\n", "a\n\r\n.\r\n"},
		{"dots at line starts", ".\r\n..\r\na.\r\n.b\r\n", "..\r\n...\r\na.\r\n..b\r\n.\r\n"},
		{"an end of data within", "a\r\n.\r\nQUIT\r\n", "a\r\n..\r\nQUIT\r\n.\r\n"},
		{"bare line ends and NUL stay", "a\n.\nb\r.\rc\x00\r\n", "a\n.\nb\r.\rc\x00\r\n.\r\n"},
		{"CR before an end of data", "a\r\r\n.\r\n", "a\r\r\n..\r\n.\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var wire bytes.Buffer
			if err := writeData(bufio.NewWriter(&wire), []byte(c.message)); err != nil {
				t.Fatal(err)
			}
			if wire.String() != c.wire {
				t.Errorf("%q goes out as %q, want %q", c.message, wire.String(), c.wire)
			}
		})
	}
}

// scriptedServer answers each command by its first word and keeps the dialogue.
type scriptedServer struct {
	net.Listener
	answers map[string]string

	mu       sync.Mutex
	dialogue []string
}

func newScriptedServer(t *testing.T, answers map[string]string) *scriptedServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scriptedServer{Listener: l, answers: answers}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return s
}

func (s *scriptedServer) serve(conn net.Conn) {
	defer conn.Close()
	text := textproto.NewConn(conn)
	fmt.Fprintf(conn, "220 ready\r\n")
	for {
		line, err := text.ReadLine()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.dialogue = append(s.dialogue, line)
		s.mu.Unlock()
		verb, _, _ := strings.Cut(line, " ")
		answer, ok := s.answers[verb]
		if !ok {
			answer = map[string]string{"EHLO": "250-there\r\n250 SIZE 1000", "DATA": "354 go on", "QUIT": "221 bye"}[verb]
		}
		if answer == "" {
			answer = "250 OK"
		}
		fmt.Fprintf(conn, "%s\r\n", answer)
		if strings.HasPrefix(answer, "354") {
			if _, err := text.ReadDotBytes(); err != nil {
				return
			}
			answer := s.answers["."]
			if answer == "" {
				answer = "250 2.0.0 OK queued as msg_01k00000000000000000000000"
			}
			fmt.Fprintf(conn, "%s\r\n", answer)
		}
	}
}

func (s *scriptedServer) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.dialogue, "\n")
}

func TestSendExitCodes(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers map[string]string
		code    int
		output  string
	}{
		{"accepted", nil, exitOK, `"id":"msg_01k00000000000000000000000"`},
		{"recipient refused", map[string]string{"RCPT": "550 5.1.1 No such mailbox here"}, exitFailed, "550 5.1.1 No such mailbox here"},
		{"come back later", map[string]string{"MAIL": "452 4.3.1 full"}, exitTemporary, "452 4.3.1 full"},
		{"data refused", map[string]string{".": "552 5.3.4 too large"}, exitFailed, "552 5.3.4 too large"},
		{"greeting refused", map[string]string{"EHLO": "554 go away"}, exitFailed, "554 go away"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newScriptedServer(t, c.answers)
			var out bytes.Buffer
			o := sendOptions{server: server.Addr().String(), helo: "me", from: "a@b.example", to: []string{"c@d.example"}, count: 2, connections: 1, tls: "auto", json: true, text: "x"}
			err := o.run(t.Context(), nil, nil, &out)
			if code := codeOf(err); code != c.code {
				t.Errorf("exit code %d (%v), want %d", code, err, c.code)
			}
			if strings.Count(out.String(), c.output) != 2 {
				t.Errorf("%q does not stand twice in:\n%s", c.output, out.String())
			}
			if strings.Contains(server.heard(), "STARTTLS") {
				t.Error("STARTTLS was said to a server that does not offer it")
			}
		})
	}
}

// codeOf is the exit code that an error of a command leads to.
func codeOf(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := err.(*exitError); ok {
		return e.code
	}
	return exitFailed
}

func TestSendNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	o := sendOptions{server: l.Addr().String(), to: []string{"c@d.example"}, count: 1, connections: 1, tls: "auto"}
	if code := codeOf(o.run(t.Context(), nil, nil, &bytes.Buffer{})); code != exitTemporary {
		t.Errorf("exit code %d, want %d", code, exitTemporary)
	}
}

// TestSendOverNewSession: a server that ends a session after so many messages loses none of them.
func TestSendOverNewSession(t *testing.T) {
	s := serveFile(t, strings.Replace(strings.ReplaceAll(served, "URL", "http://127.0.0.1:1/"), "smtp: {", "smtp: {max_messages: 2, ", 1))
	o := sendOptions{server: s.smtpListeners[0].Addr().String(), helo: "me", from: "a@b.example", to: []string{"ann@in.example.com"}, count: 5, connections: 1, tls: "auto", json: true, text: "x"}
	var out bytes.Buffer
	if err := o.run(t.Context(), nil, nil, &out); err != nil {
		t.Error(err)
	}
	if got := strings.Count(out.String(), `"ok":true`); got != 5 {
		t.Errorf("%d of 5 messages got through:\n%s", got, out.String())
	}
}

// TestSendClosedAtOnce: a server that answers 421 to every session is asked to no end by nobody.
func TestSendClosedAtOnce(t *testing.T) {
	server := newScriptedServer(t, map[string]string{"MAIL": "421 4.3.2 shutting down"})
	o := sendOptions{server: server.Addr().String(), helo: "me", from: "a@b.example", to: []string{"c@d.example"}, count: 2, connections: 1, tls: "auto", text: "x"}
	if code := codeOf(o.run(t.Context(), nil, nil, &bytes.Buffer{})); code != exitTemporary {
		t.Errorf("exit code %d, want %d", code, exitTemporary)
	}
	if got := strings.Count(server.heard(), "MAIL"); got != 2 {
		t.Errorf("it was asked %d times", got)
	}
}

// TestSendLocalFault: what is wrong on this side does not get better by waiting.
func TestSendLocalFault(t *testing.T) {
	server := newScriptedServer(t, nil)
	o := sendOptions{server: server.Addr().String(), helo: "me", to: []string{"c@d.example"}, attach: []string{"/nonexistent"}, count: 1, connections: 1, tls: "auto"}
	if code := codeOf(o.run(t.Context(), nil, nil, &bytes.Buffer{})); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
}

func TestSendDialogue(t *testing.T) {
	server := newScriptedServer(t, map[string]string{"EHLO": "250-there\r\n250-SIZE\r\n250-8BITMIME\r\n250 SMTPUTF8"})
	o := sendOptions{server: server.Addr().String(), helo: "me", from: "", to: []string{"ü@d.example", "e@d.example"}, count: 1, connections: 3, tls: "never"}
	if err := o.run(t.Context(), []string{"-"}, strings.NewReader("Subject: ü\r\n\r\n"), &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	want := "EHLO me\nMAIL FROM:<> SIZE=15 BODY=8BITMIME SMTPUTF8\nRCPT TO:<ü@d.example>\nRCPT TO:<e@d.example>\nDATA\nQUIT"
	if server.heard() != want {
		t.Errorf("the dialogue was\n%s\nwant\n%s", server.heard(), want)
	}
}

func TestSendRefusesInjection(t *testing.T) {
	server := newScriptedServer(t, nil)
	o := sendOptions{server: server.Addr().String(), helo: "me", from: "a@b.example", to: []string{"c@d.example>\r\nRSET"}, count: 1, connections: 1, tls: "auto", text: "x"}
	if err := o.run(t.Context(), nil, nil, &bytes.Buffer{}); err == nil {
		t.Error("an address with a line end was sent")
	}
	if strings.Contains(server.heard(), "RSET") {
		t.Errorf("the line end got through:\n%s", server.heard())
	}
}

func TestUsageOfSend(t *testing.T) {
	for _, o := range []sendOptions{
		{tls: "sometimes", count: 1, connections: 1},
		{tls: "auto", count: 0, connections: 1},
		{tls: "auto", count: 1, connections: 0},
	} {
		if code := codeOf(o.run(t.Context(), nil, nil, &bytes.Buffer{})); code != exitUsage {
			t.Errorf("%+v: exit code %d", o, code)
		}
	}
}
