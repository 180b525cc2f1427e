package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// ErrRefused says that the server answered with another code than the one that the command hopes for. The session is
// still in step.
var ErrRefused = errors.New("refused")

// A Session is one SMTP connection that sends message after message without pipelining, as a simple client does.
type Session struct {
	conn net.Conn
	r    *bufio.Reader
	out  []byte
}

// Dial opens a session and says EHLO.
func Dial(ctx context.Context, addr string) (*Session, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	s := &Session{conn: conn, r: bufio.NewReader(conn)}
	if err := s.limit(ctx); err != nil {
		return nil, err
	}
	if err := s.expect("220"); err != nil {
		return nil, s.broken(err)
	}
	if err := s.command("EHLO load.example\r\n", "250"); err != nil {
		return nil, s.broken(err)
	}
	return s, nil
}

// limit bounds every later read and write by the context's deadline, or by a minute.
func (s *Session) limit(ctx context.Context) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(time.Minute)
	}
	return s.conn.SetDeadline(deadline)
}

// Send sends one message, already dot-stuffed and ending in CR LF. A nil error means that the server answered 250 after the data.
func (s *Session) Send(ctx context.Context, from, to string, message []byte) error {
	if err := s.limit(ctx); err != nil {
		return err
	}
	if err := s.command("MAIL FROM:<"+from+">\r\n", "250"); err != nil {
		return err
	}
	if err := s.command("RCPT TO:<"+to+">\r\n", "250"); err != nil {
		return err
	}
	if err := s.command("DATA\r\n", "354"); err != nil {
		return err
	}
	s.out = append(append(s.out[:0], message...), ".\r\n"...)
	if _, err := s.conn.Write(s.out); err != nil {
		return err
	}
	return s.expect("250")
}

// Reset drops a transaction that was refused half way.
func (s *Session) Reset() error { return s.command("RSET\r\n", "250") }

// Quit ends the session politely, which also tells the server that its last 250 was read.
func (s *Session) Quit() error {
	err := s.command("QUIT\r\n", "221")
	return errors.Join(err, s.conn.Close())
}

// Close cuts the connection.
func (s *Session) Close() error { return s.conn.Close() }

func (s *Session) broken(err error) error {
	return errors.Join(err, s.conn.Close())
}

func (s *Session) command(line, code string) error {
	if _, err := s.conn.Write([]byte(line)); err != nil {
		return err
	}
	return s.expect(code)
}

// expect reads one reply, of several lines perhaps (RFC 5321 section 4.2.1).
func (s *Session) expect(code string) error {
	for {
		line, err := s.r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("reading a reply: %w", err)
		}
		if len(line) < 4 {
			return fmt.Errorf("short reply %q", line)
		}
		if line[3] == '-' {
			continue
		}
		if string(line[:3]) != code {
			return fmt.Errorf("%w: %s", ErrRefused, strings.TrimSpace(string(line)))
		}
		return nil
	}
}
