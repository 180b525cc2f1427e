package notice

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime/quotedprintable"
	"net"
	"strings"
	"time"
	"unicode"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/letterhook/letterhook/dispatch"
)

// The ways in which the smarthost is spoken to.
const (
	StartTLS = "starttls" // required
	TLS      = "tls"      // from the first octet (RFC 8314)
	Clear    = "none"
)

const (
	mailTimeout = time.Minute
	// maxListed bounds the endpoints that a mail names.
	maxListed = 200
)

// Mail is how people are written to.
type Mail struct {
	Smarthost          string // host:port
	TLS                string // StartTLS, TLS or Clear
	TLSConfig          *tls.Config
	Username, Password string // AUTH PLAIN; empty: none
	From               string // mail address of the From field. The reverse-path is null, so that nothing ever comes back
	To                 []string
	Hostname           string // ours
	// MayWrite says whether octets may leave; it is asked before each write. Nil: always.
	MayWrite func() bool
}

// mail writes one mail of all the notices.
func (n *Notifier) mail(ctx context.Context, notices []Notice, _ int) (told int, err error) {
	if err := n.cfg.Mail.send(ctx, n.cfg.Mail.compose(notices, time.Now())); err != nil {
		return 0, err
	}
	n.cfg.Log.Info("notice", "by", "mail", "notices", len(notices))
	return len(notices), nil
}

// compose writes the mail (RFC 5322). It is marked so that no program answers it (RFC 3834 section 5).
func (m *Mail) compose(notices []Notice, now time.Time) []byte {
	var b bytes.Buffer
	subject := fmt.Sprintf("Letterhook: %d changes of endpoints", len(notices))
	if len(notices) == 1 {
		subject = "Letterhook: " + strings.TrimPrefix(notices[0].Type, "endpoint.") + ": endpoint " + ascii(notices[0].Name)
	}
	fmt.Fprintf(&b, "From: Letterhook <%s>\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n", m.From, strings.Join(m.To, ", "), subject,
		now.Format(time.RFC1123Z), notices[0].ID, m.Hostname)
	b.WriteString("Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(&b)
	for i := range notices[:min(len(notices), maxListed)] {
		fmt.Fprintf(w, "%s\r\n\r\n", sentence(&notices[i]))
	}
	if more := len(notices) - maxListed; more > 0 {
		fmt.Fprintf(w, "and %d more, which stand in the log.\r\n\r\n", more)
	}
	fmt.Fprintf(w, "Mail for these endpoints is kept meanwhile. On %s: letterhook endpoints show NAME\r\n", m.Hostname)
	w.Close() // to memory
	return b.Bytes()
}

// ascii makes a name fit for a header field.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// sentence tells of a notice on one line, whatever name and reason hold.
func sentence(n *Notice) string {
	at := n.At.UTC().Format("2006-01-02 15:04:05 UTC")
	who := fmt.Sprintf("endpoint %s (%s)", n.Name, n.Endpoint)
	text := fmt.Sprintf("%s: %s is %s now, it was %s: %s", at, who, n.To, n.From, n.Reason)
	if n.Warning > 0 {
		text = fmt.Sprintf("%s: %s will be disabled at %s: %s", at, who, n.DisableAt.UTC().Format("2006-01-02 15:04 UTC"), n.Reason)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
}

// send hands the mail to the smarthost.
func (m *Mail) send(ctx context.Context, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	host, _, err := net.SplitHostPort(m.Smarthost)
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.Smarthost)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // the library's own deadlines are longer
	defer stop()
	if m.MayWrite != nil {
		conn = dispatch.GateConn(conn, m.MayWrite)
	}
	config := &tls.Config{}
	if m.TLSConfig != nil {
		config = m.TLSConfig.Clone()
	}
	config.ServerName, config.MinVersion = host, tls.VersionTLS12
	c, err := m.greet(conn, config)
	if err != nil {
		return err
	}
	if m.Username != "" {
		if err := c.Auth(sasl.NewPlainClient("", m.Username, m.Password)); err != nil {
			return fmt.Errorf("the smarthost refuses the login: %w", err)
		}
	}
	if err := c.SendMail("", m.To, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("the smarthost refuses the mail: %w", err)
	}
	_ = c.Quit() // it has the mail, whatever it says now
	return nil
}

func (m *Mail) greet(conn net.Conn, config *tls.Config) (*smtp.Client, error) {
	switch m.TLS {
	case StartTLS:
		return smtp.NewClientStartTLS(conn, config)
	case TLS:
		conn = tls.Client(conn, config)
	case Clear:
	default:
		return nil, errors.New("there is no such way to speak to a smarthost")
	}
	c := smtp.NewClient(conn)
	return c, c.Hello(m.Hostname)
}
