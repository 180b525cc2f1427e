package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound/greylist"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// proxied is a session that a proxy has begun for a client.
type proxied struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// comeFrom connects to the first listener as if from an address.
func comeFrom(t *testing.T, s *serving, client string) *proxied {
	t.Helper()
	conn, err := net.Dial("tcp", s.smtpListeners[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	p := &proxied{t, conn, bufio.NewReader(conn)}
	p.do(fmt.Sprintf("PROXY TCP4 %s 198.51.100.1 4096 25", client), "220")
	p.do("HELO client.example", "250")
	p.do("MAIL FROM:<ann@sender.example>", "250")
	return p
}

func (p *proxied) do(line, want string) {
	p.t.Helper()
	fmt.Fprintf(p.conn, "%s\r\n", line)
	reply, err := p.r.ReadString('\n')
	if err != nil || !strings.HasPrefix(reply, want) {
		p.t.Fatalf("%s is answered %q, %v, want %q", line, reply, err, want)
	}
}

// TestClientLists: zones and files of the configuration decide at RCPT, are told in the event, and change by a reload.
func TestClientLists(t *testing.T) {
	dns := dnstest.New(t, "2.0.0.127.bl.example. A 127.0.0.2", "7.113.0.203.bl.example. A 127.0.0.3", "8.113.0.203.bl.example. A 127.0.0.9")
	url, verified := endpointOf(t, testSecret, func() int { return http.StatusOK })
	own := filepath.Join(t.TempDir(), "own.txt")
	if err := os.WriteFile(own, []byte("203.0.113.64/26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("URL", url, `address: "127.0.0.1:0"}]}`, `address: "127.0.0.1:0", proxy_protocol: [127.0.0.0/8]}]}`).Replace(served) +
		fmt.Sprintf(`authentication: {dns_servers: ["%s"]}
defence: {lists: [{zone: bl.example, action: reject, codes: [127.0.0.3]}, {file: "%s", name: own}]}
`, dns.Addr, own)
	s := serveFile(t, text)
	s.log.await(t, "a zone passed its test")
	comeFrom(t, s, "203.0.113.7").do("RCPT TO:<ann@in.example.com>", "550 5.7.1 203.0.113.7 is listed by bl.example")
	comeFrom(t, s, "203.0.113.7").do("RCPT TO:<postmaster@in.example.com>", "250")
	comeFrom(t, s, "203.0.113.8").do("RCPT TO:<ann@in.example.com>", "250")

	p := comeFrom(t, s, "203.0.113.65")
	p.do("RCPT TO:<ann@in.example.com>", "250")
	p.do("DATA", "354")
	p.do("From: ann@sender.example\r\n\r\nHello\r\n.", "250")
	<-verified
	s.log.await(t, "listed=[block:own]")

	s.write(t, strings.ReplaceAll(text, "name: own}", "name: own, action: defer}"))
	s.reload(t.Context(), s.path)
	comeFrom(t, s, "203.0.113.65").do("RCPT TO:<ann@in.example.com>", "451 4.7.1 203.0.113.65 is on a block list here")
	comeFrom(t, s, "203.0.113.7").do("RCPT TO:<ann@in.example.com>", "550 5.7.1")
	if strings.Contains(s.log.String(), "needs_restart=[defence") {
		t.Error("the reload says that lists need a restart")
	}
}

// TestGreylistedDomain: the domain wants it, an allowed client does not notice, and a restart forgets nothing.
func TestGreylistedDomain(t *testing.T) {
	own := filepath.Join(t.TempDir(), "allowed.txt")
	if err := os.WriteFile(own, []byte("203.0.113.9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"URL", "http://127.0.0.1:1/", `address: "127.0.0.1:0"}]}`, `address: "127.0.0.1:0", proxy_protocol: [127.0.0.0/8]}]}`,
		"{name: in.example.com,", "{name: in.example.com, greylist: true,",
	).Replace(served) + fmt.Sprintf("defence: {greylisting: {delay: 1ms}, lists: [{file: %q, kind: allow}]}\n", own)
	s := serveFile(t, text)
	const ann = "RCPT TO:<ann@in.example.com>"
	comeFrom(t, s, "203.0.113.7").do(ann, "451 4.7.1 Greylisted")
	comeFrom(t, s, "203.0.113.9").do(ann, "250")
	comeFrom(t, s, "203.0.113.8").do("RCPT TO:<postmaster@in.example.com>", "250")
	s.stop()
	err := <-s.done
	s.done <- err // the end of the test reads it too
	if err != nil {
		t.Fatal(err)
	}
	opened, err := openFolder(t.Context(), s.cfg, folderOptions{log: s.server.log})
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	err = opened.store.Greylist(t.Context(), func(greylist.Entry) { kept++ })
	if err := opened.store.Close(); err != nil {
		t.Error(err)
	}
	if err != nil || kept != 1 {
		t.Errorf("%d triplets are kept, %v", kept, err)
	}
}
