package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

// reply is a whole SMTP reply: the code and the text of its last line.
type reply struct {
	code int
	text string
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.code, r.text) }

// is says whether the reply has this code and its text begins like this.
func (r reply) is(code int, text string) bool {
	return r.code == code && strings.HasPrefix(r.text, text)
}

// A client writes octets to an SMTP server as it is told, right or wrong, and reads replies.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// dial connects and reads the greeting. The context's deadline bounds the whole connection.
func dial(ctx context.Context, t *testing.T, addr string) *client {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	c := &client{t: t, conn: conn, r: bufio.NewReader(conn)}
	c.expect(220)
	return c
}

// hello dials and says EHLO.
func hello(ctx context.Context, t *testing.T, addr string) *client {
	t.Helper()
	c := dial(ctx, t, addr)
	c.command(250, "EHLO client.example")
	return c
}

// startTLS goes on under TLS, believing only the given certificate, and says EHLO again.
func (c *client) startTLS(roots *x509.CertPool) {
	c.t.Helper()
	c.command(220, "STARTTLS")
	conn := tls.Client(c.conn, &tls.Config{RootCAs: roots, ServerName: serverName})
	if err := conn.Handshake(); err != nil {
		c.t.Fatalf("TLS: %v", err)
	}
	c.conn, c.r = conn, bufio.NewReader(conn)
	c.command(250, "EHLO client.example")
}

func (c *client) write(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s); err != nil {
		c.t.Fatalf("writing: %v", err)
	}
}

// read reads one reply, of several lines perhaps (RFC 5321 section 4.2.1).
func (c *client) read() (reply, error) {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return reply{}, err
		}
		line = strings.TrimSuffix(line, "\r\n")
		if len(line) < 3 {
			return reply{}, fmt.Errorf("not a reply: %q", line)
		}
		code, err := strconv.Atoi(line[:3])
		if err != nil {
			return reply{}, fmt.Errorf("not a reply: %q", line)
		}
		if len(line) == 3 || line[3] == ' ' {
			return reply{code, strings.TrimPrefix(line[3:], " ")}, nil
		}
	}
}

func (c *client) reply() reply {
	c.t.Helper()
	r, err := c.read()
	if err != nil {
		c.t.Fatalf("reading a reply: %v", err)
	}
	return r
}

// expect reads a reply that must have this code.
func (c *client) expect(code int) reply {
	c.t.Helper()
	r := c.reply()
	if r.code != code {
		c.t.Fatalf("got %q, want %d", r, code)
	}
	return r
}

func (c *client) command(code int, line string) reply {
	c.t.Helper()
	c.write(line + "\r\n")
	return c.expect(code)
}

// begin goes as far as the 354.
func (c *client) begin(to ...string) {
	c.t.Helper()
	c.envelope(to...)
	c.command(354, "DATA")
}

func (c *client) envelope(to ...string) {
	c.t.Helper()
	c.command(250, "MAIL FROM:<sender@client.example>")
	for _, path := range to {
		c.command(250, "RCPT TO:<"+path+">")
	}
}

// send sends content as a mail and returns the reply that decides: the first that refuses, or the one to the data.
// Content that does not end in CR LF gets one.
func (c *client) send(content []byte, to ...string) reply {
	c.t.Helper()
	commands := []string{"MAIL FROM:<sender@client.example>"}
	for _, path := range to {
		commands = append(commands, "RCPT TO:<"+path+">")
	}
	for _, line := range append(commands, "DATA") {
		c.write(line + "\r\n")
		if r := c.reply(); r.code != 250 && r.code != 354 {
			return r
		}
	}
	c.write(string(stuff(wire(content))) + ".\r\n")
	return c.reply()
}

// quit ends the session, which tells the server that its last reply was read.
func (c *client) quit() {
	c.t.Helper()
	c.command(221, "QUIT")
	_ = c.conn.Close()
}

// deliver sends one mail over a connection of its own and returns the reply that decides.
func deliver(ctx context.Context, t *testing.T, addr string, content []byte, to ...string) reply {
	t.Helper()
	c := hello(ctx, t, addr)
	r := c.send(content, to...)
	c.quit()
	return r
}

// wire is content as it arrives when it is sent by DATA: RFC 5321 section 4.1.1.4 ends the data with CR LF . CR LF, and the first
// CR LF of these belongs to the data. So what lies on disk without a CR LF at its end arrives with one.
func wire(content []byte) []byte {
	if len(content) == 0 || bytes.HasSuffix(content, []byte("\r\n")) {
		return content
	}
	return append(bytes.Clone(content), "\r\n"...)
}

// stuff doubles the dot that begins a line (RFC 5321 section 4.5.2). A line ends in CR LF and in nothing else.
func stuff(content []byte) []byte {
	if bytes.HasPrefix(content, []byte(".")) {
		content = append([]byte("."), content...)
	}
	return bytes.ReplaceAll(content, []byte("\r\n."), []byte("\r\n.."))
}

// unstuff takes away the first of the dots that begin a line.
func unstuff(data []byte) []byte {
	return bytes.ReplaceAll(bytes.TrimPrefix(data, []byte(".")), []byte("\r\n."), []byte("\r\n"))
}
