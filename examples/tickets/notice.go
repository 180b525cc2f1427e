package main

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"strings"
	"time"

	"github.com/letterhook/letterhook/storage/replyaddr"
)

// notifier sends notices through a mail relay.
type notifier struct {
	relay string // host:port
	from  mail.Address
	key   replyaddr.Key
	box   replyaddr.Mailbox // what answers are sent to, without its token
	life  time.Duration     // of a reply address
}

func (n *notifier) send(t ticket, text string) error {
	now := time.Now()
	reply, err := replyaddr.Mint(n.key, n.box, replyaddr.Token{Data: t.ID, Expires: now.Add(n.life)})
	if err != nil {
		return err
	}
	notice, err := n.compose(t, text, reply, now)
	if err != nil {
		return err
	}
	return n.relayTo(t.Customer, notice)
}

// compose writes a notice (RFC 5322). An address for answers is all that it takes to have them come back.
func (n *notifier) compose(t ticket, text, reply string, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	_, domain, _ := strings.Cut(n.from.Address, "@")
	for _, field := range [][2]string{
		{"From", n.from.String()},
		{"Reply-To", (&mail.Address{Name: n.from.Name, Address: reply}).String()},
		{"To", (&mail.Address{Address: t.Customer}).String()},
		{"Subject", mime.QEncoding.Encode("utf-8", "["+t.ID+"] "+t.Subject)},
		{"Date", now.Format("Mon, 02 Jan 2006 15:04:05 -0700")},
		{"Message-ID", "<" + rand.Text() + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"}, // RFC 3834: no out-of-office note shall answer
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", field[0], field[1])
	}
	b.WriteString("\r\n")
	body := quotedprintable.NewWriter(&b)
	if _, err := body.Write([]byte(text + "\n\nAnswer this mail to add to the ticket.\n")); err != nil {
		return nil, err
	}
	return b.Bytes(), body.Close()
}

// relayTo hands a notice to the relay, under TLS where it is offered.
func (n *notifier) relayTo(to string, notice []byte) error {
	conn, err := net.DialTimeout("tcp", n.relay, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(n.relay)
	if err != nil {
		return err
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	if ok, _ := c.Extension("STARTTLS"); ok {
		if err := c.StartTLS(&tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}); err != nil {
			return err
		}
	}
	if err := c.Mail(n.from.Address); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(notice); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}
