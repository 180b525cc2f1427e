package format

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// sendgrid is the Inbound Parse Webhook of SendGrid; raw is its mode "POST the raw, full MIME message".
type sendgrid struct{ raw bool }

// Refuses implements [dispatch.Format]. SendGrid drops a mail that was answered with 4xx; we do so only where the endpoint
// asks for it, and then the mail is dead and not gone.
func (sendgrid) Refuses(ep *storage.Endpoint, status int) bool {
	return ep.StrictStatus && status >= 400 && status <= 499 && status != http.StatusTooManyRequests && status != http.StatusRequestEntityTooLarge
}

// Form implements [dispatch.Format].
func (s sendgrid) Form(_ context.Context, c *dispatch.Copy) (*dispatch.Form, error) {
	boundary := boundaryOf(c)
	f := &dispatch.Form{MediaType: multipartType(boundary), Held: held(c.Event.Data)}
	attachments := c.Event.Data.Attachments
	if c.Smallest && !s.raw && len(attachments) > 0 {
		attachments, f.Omitted = nil, "attachments"
	}
	f.Write = func(ctx context.Context, w io.Writer, _ dispatch.Stamp) error {
		m := newMultipart(w, boundary)
		if err := sendgridEnvelope(m, c); err != nil {
			return err
		}
		if s.raw {
			m.stream("email", func(w io.Writer) error {
				lines := &lineFeeds{w: w}
				return closing(lines, func() error { return tracedRaw(ctx, lines, c) })
			})
			return m.end()
		}
		if err := sendgridContent(m, c, attachments); err != nil {
			return err
		}
		for i := range attachments {
			a := &attachments[i]
			m.file("attachment"+strconv.Itoa(i+1), filename(a, i), mediaType(a), func(w io.Writer) error {
				return copyAttachment(ctx, w, c, i)
			})
		}
		return m.end()
	}
	if key := c.Endpoint.FormatKey; key != nil {
		private, err := parseSigningKey(key)
		if err != nil {
			return nil, err
		}
		f.Sign = func(ctx context.Context, header http.Header, at dispatch.Stamp) error {
			return signSendGrid(ctx, f, private, header, at)
		}
	}
	return f, nil
}

// sendgridEnvelope writes what both modes have.
func sendgridEnvelope(m *multipart, c *dispatch.Copy) error {
	d := c.Event.Data
	envelope, err := marshal(map[string]any{"to": d.Envelope.RcptTo, "from": mailFrom(c)})
	if err != nil {
		return err
	}
	charsets := map[string]string{"to": "UTF-8", "from": "UTF-8", "subject": "UTF-8"}
	m.field("to", addressList(d.To))
	if len(d.Cc) > 0 {
		m.field("cc", addressList(d.Cc))
		charsets["cc"] = "UTF-8"
	}
	m.field("from", addressList(d.From))
	m.field("subject", d.Subject)
	m.field("sender_ip", d.Envelope.RemoteIP)
	m.field("envelope", string(envelope))
	m.field("SPF", spf(d))
	m.field("dkim", sendgridDKIM(d))
	m.field("spam_score", scoreText(spamScore(d)))
	m.field("spam_report", sendgridReport(d))
	if d.Text != nil {
		charsets["text"] = "UTF-8"
	}
	if d.HTML != nil {
		charsets["html"] = "UTF-8"
	}
	if len(d.Attachments) > 0 {
		charsets["filename"] = "UTF-8"
	}
	list, err := marshal(charsets)
	if err != nil {
		return err
	}
	m.field("charsets", string(list))
	return nil
}

type sendgridInfo struct {
	Filename  string `json:"filename"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Charset   string `json:"charset,omitempty"`
	ContentID string `json:"content-id,omitempty"`
}

// sendgridContent writes the fields of the parsed mode.
func sendgridContent(m *multipart, c *dispatch.Copy, attachments []dispatch.Attachment) error {
	d := c.Event.Data
	var headers strings.Builder
	for _, f := range append(traceFields(c)[1:], mailFields(d, false)...) { // the vendor has no Return-Path
		headers.WriteString(f.name + ": " + f.value + "\n")
	}
	m.field("headers", headers.String())
	if d.Text != nil {
		m.field("text", *d.Text)
	}
	if d.HTML != nil {
		m.field("html", *d.HTML)
	}
	m.field("attachments", strconv.Itoa(len(attachments)))
	if len(attachments) == 0 {
		return m.out.err
	}
	info, ids := map[string]sendgridInfo{}, map[string]string{}
	for i := range attachments {
		a, name := &attachments[i], "attachment"+strconv.Itoa(i+1)
		info[name] = sendgridInfo{filename(a, i), filename(a, i), mediaType(a), text(a.Charset), text(a.ContentID)}
		if a.ContentID != nil && isInline(a) {
			ids[*a.ContentID] = name
		}
	}
	list, err := marshal(info)
	if err != nil {
		return err
	}
	m.field("attachment-info", string(list))
	if len(ids) > 0 {
		list, err := marshal(ids)
		if err != nil {
			return err
		}
		m.field("content-ids", string(list))
	}
	return m.out.err
}

// sendgridDKIM writes the results as "{@example.org : pass}".
func sendgridDKIM(d *dispatch.EventData) string {
	if d.Authentication == nil || len(d.Authentication.DKIM) == 0 {
		return "none"
	}
	list := make([]string, len(d.Authentication.DKIM))
	for i, s := range d.Authentication.DKIM {
		list[i] = "@" + s.Domain + " : " + s.Result
	}
	return "{" + strings.Join(list, ", ") + "}"
}

// sendgridReport is for people.
func sendgridReport(d *dispatch.EventData) string {
	if d.Spam == nil {
		return "No spam scanner looked at this mail."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s of %s\n", oneLine(d.Spam.Engine), scoreText(d.Spam.Score), scoreText(d.Spam.Required))
	for _, s := range d.Spam.Symbols {
		fmt.Fprintf(&b, "%6.1f %s\n", s.Score, oneLine(s.Name))
	}
	return b.String()
}

// signSendGrid sets the fields of the signed parse webhook: ECDSA over SHA-256 of the time and the body.
func signSendGrid(ctx context.Context, f *dispatch.Form, key *ecdsa.PrivateKey, header http.Header, at dispatch.Stamp) error {
	seconds := strconv.FormatInt(at.Time.Unix(), 10)
	hash := sha256.New()
	hash.Write([]byte(seconds))
	if err := f.Write(ctx, hash, at); err != nil {
		return err
	}
	signature, err := ecdsa.SignASN1(rand.Reader, key, hash.Sum(nil))
	if err != nil {
		return err
	}
	header.Set("X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(signature))
	header.Set("X-Twilio-Email-Event-Webhook-Timestamp", seconds)
	return nil
}

// parseSigningKey reads a private key on P-256, as PKCS #8 or as SEC 1, in base64 or PEM.
func parseSigningKey(key []byte) (*ecdsa.PrivateKey, error) {
	der := key
	if block, _ := pem.Decode(key); block != nil {
		der = block.Bytes
	} else if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(key))); err == nil {
		der = b
	}
	private, err := x509.ParseECPrivateKey(der)
	if err != nil {
		parsed, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, errors.New("the key is no private key (PKCS #8 in base64 or PEM)")
		}
		private, _ = parsed.(*ecdsa.PrivateKey)
	}
	if private == nil || private.Curve != elliptic.P256() {
		return nil, errors.New("the key is not for ECDSA on the curve P-256")
	}
	return private, nil
}

// NewSendGridKey makes a key pair for signed requests of the format sendgrid: the private one is the format key, the public one
// (base64 of an SPKI) is what the application verifies with.
func NewSendGridKey() (private, public string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", err
	}
	private = base64.StdEncoding.EncodeToString(der)
	public, err = SendGridPublicKey([]byte(private))
	return private, public, err
}

// SendGridPublicKey is what an application verifies requests with that are signed with the format key: base64 of an SPKI.
func SendGridPublicKey(private []byte) (string, error) {
	key, err := parseSigningKey(private)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	return base64.StdEncoding.EncodeToString(der), err
}
