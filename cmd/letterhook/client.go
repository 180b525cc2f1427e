package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"time"
)

// tlsPolicy says when the client speaks TLS.
type tlsPolicy string

const (
	tlsAuto    tlsPolicy = "auto"    // STARTTLS where it is offered, any certificate, as mail servers do among themselves
	tlsNever   tlsPolicy = "never"   // in clear
	tlsRequire tlsPolicy = "require" // STARTTLS with a certificate that verifies, or nothing
)

// client is one SMTP session (RFC 5321). It exists beside the libraries because it sends the octets of a message as
// they are: a bare CR or LF within a line stays one, which theirs turn into CR LF.
type client struct {
	conn       net.Conn
	text       *textproto.Conn
	extensions map[string]string
	timeout    time.Duration
}

// reply is what the server said. The text holds no line ends.
type reply struct {
	Code int
	Text string
}

func (r *reply) Error() string { return fmt.Sprintf("%d %s", r.Code, r.Text) }

// temporary says whether the server asked to come back later.
func (r *reply) temporary() bool { return r.Code >= 400 && r.Code < 500 }

// dialSMTP opens a session, says EHLO and starts TLS as the policy has it.
func dialSMTP(ctx context.Context, address, helo string, policy tlsPolicy) (*client, error) {
	dialer := net.Dialer{Timeout: 30 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	c := &client{timeout: 5 * time.Minute}
	c.use(conn)
	if err := c.greet(address, helo, policy); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

func (c *client) use(conn net.Conn) {
	c.conn, c.text = conn, textproto.NewConn(conn)
}

func (c *client) greet(address, helo string, policy tlsPolicy) error {
	if err := c.limit(); err != nil {
		return err
	}
	if _, err := c.expect(220); err != nil {
		return err
	}
	if err := c.hello(helo); err != nil {
		return err
	}
	_, offered := c.extensions["STARTTLS"]
	switch {
	case policy == tlsNever || policy == tlsAuto && !offered:
		return nil
	case !offered:
		return errors.New("the server offers no TLS")
	}
	if _, err := c.command(220, "STARTTLS"); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("reading the address: %w", err)
	}
	c.use(tls.Client(c.conn, &tls.Config{
		ServerName:         host,
		InsecureSkipVerify: policy == tlsAuto, //nolint:gosec // opportunistic TLS (RFC 7435) verifies nobody
		MinVersion:         tls.VersionTLS12,
	}))
	return c.hello(helo)
}

// hello says EHLO and keeps the extensions by their keyword.
func (c *client) hello(helo string) error {
	r, err := c.command(250, "EHLO %s", helo)
	if err != nil {
		return err
	}
	c.extensions = map[string]string{}
	for _, line := range strings.Split(r.Text, "\n")[1:] {
		keyword, value, _ := strings.Cut(line, " ")
		c.extensions[strings.ToUpper(keyword)] = value
	}
	return nil
}

// send makes one mail transaction. A *reply as error is the server's refusal; the session can go on after it.
func (c *client) send(from string, to []string, message []byte) (*reply, error) {
	if _, err := c.command(250, "MAIL FROM:<%s>%s", from, c.parameters(from, to, message)); err != nil {
		return nil, c.reset(err)
	}
	for _, recipient := range to {
		if _, err := c.command(25, "RCPT TO:<%s>", recipient); err != nil {
			return nil, c.reset(fmt.Errorf("recipient %s: %w", recipient, err))
		}
	}
	if _, err := c.command(354, "DATA"); err != nil {
		return nil, c.reset(err)
	}
	if err := c.limit(); err != nil {
		return nil, err
	}
	if err := writeData(c.text.W, message); err != nil {
		return nil, fmt.Errorf("sending the data: %w", err)
	}
	return c.expect(250)
}

// parameters are those of MAIL that the server offers and the message needs.
func (c *client) parameters(from string, to []string, message []byte) string {
	var b strings.Builder
	if _, ok := c.extensions["SIZE"]; ok { // RFC 1870
		fmt.Fprintf(&b, " SIZE=%d", len(message))
	}
	if _, ok := c.extensions["8BITMIME"]; ok && !isASCII(string(message)) { // RFC 6152
		b.WriteString(" BODY=8BITMIME")
	}
	if _, ok := c.extensions["SMTPUTF8"]; ok && !isASCII(from+strings.Join(to, "")) { // RFC 6531
		b.WriteString(" SMTPUTF8")
	}
	return b.String()
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

// reset takes a refused transaction back. The refusal stays the error.
func (c *client) reset(refusal error) error {
	if r, ok := errors.AsType[*reply](refusal); !ok || r.Code == closingCode {
		return refusal
	}
	if _, err := c.command(250, "RSET"); err != nil {
		return errors.Join(refusal, err)
	}
	return refusal
}

// quit ends the session.
func (c *client) quit() error {
	_, err := c.command(221, "QUIT")
	return errors.Join(err, c.conn.Close())
}

func (c *client) command(code int, format string, args ...any) (*reply, error) {
	line := fmt.Sprintf(format, args...)
	if strings.ContainsAny(line, "\r\n") {
		return nil, fmt.Errorf("%q holds a line end", line)
	}
	if err := c.limit(); err != nil {
		return nil, err
	}
	if err := c.text.PrintfLine("%s", line); err != nil {
		return nil, fmt.Errorf("sending a command: %w", err)
	}
	return c.expect(code)
}

// limit bounds the next exchange.
func (c *client) limit() error {
	if err := c.conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return fmt.Errorf("setting the deadline: %w", err)
	}
	return nil
}

// expect reads one reply; any other than code is the error. A code of two digits takes any third one.
func (c *client) expect(code int) (*reply, error) {
	got, text, err := c.text.ReadResponse(code)
	if protocol, ok := errors.AsType[*textproto.Error](err); ok {
		return nil, &reply{protocol.Code, strings.ReplaceAll(protocol.Msg, "\n", " / ")}
	}
	if err != nil {
		return nil, fmt.Errorf("reading a reply: %w", err)
	}
	return &reply{got, text}, nil
}

// writeData sends a message and the end of data (RFC 5321 section 4.5.2). A dot is doubled where it follows CR LF, the
// only line end that there is; a message that does not end in CR LF gets one, because the protocol can send no other.
func writeData(w *bufio.Writer, message []byte) error {
	if len(message) > 0 && message[0] == '.' {
		message = append([]byte("."), message...)
	}
	message = bytes.ReplaceAll(message, []byte("\r\n."), []byte("\r\n.."))
	for _, part := range [][]byte{message, ending(message), []byte(".\r\n")} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Flush()
}

// ending is what a message lacks to end in CR LF.
func ending(message []byte) []byte {
	switch {
	case len(message) == 0 || bytes.HasSuffix(message, []byte("\r\n")):
		return nil
	default:
		return []byte("\r\n")
	}
}
