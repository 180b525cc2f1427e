package format

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// postmark is the inbound webhook of Postmark. Its password, if any, stands in the URL of the endpoint.
type postmark struct{}

type postmarkAddress struct {
	Email       string
	Name        string
	MailboxHash string
}

type postmarkField struct{ Name, Value string }

// postmarkMail is everything but Attachments and RawEmail, which are written as they are read.
type postmarkMail struct {
	FromName          string
	MessageStream     string
	From              string
	FromFull          postmarkAddress
	To                string
	ToFull            []postmarkAddress
	Cc                string
	CcFull            []postmarkAddress
	Bcc               string
	BccFull           []postmarkAddress
	OriginalRecipient string
	Subject           string
	MessageID         string
	ReplyTo           string
	MailboxHash       string
	Date              string
	TextBody          string
	HtmlBody          string //nolint:revive,staticcheck // the vendor's spelling is the key
	StrippedTextReply string
	Tag               string
	Headers           []postmarkField
}

type postmarkAttachment struct {
	Name          string
	ContentType   string
	ContentLength int64
	ContentID     string
}

// Refuses implements [dispatch.Format]: 403 stops the attempts of Postmark.
func (postmark) Refuses(_ *storage.Endpoint, status int) bool { return status == http.StatusForbidden }

// Form implements [dispatch.Format].
func (postmark) Form(_ context.Context, c *dispatch.Copy) (*dispatch.Form, error) {
	head, err := marshal(newPostmarkMail(c))
	if err != nil {
		return nil, err
	}
	f := &dispatch.Form{MediaType: "application/json", Held: held(c.Event.Data) + int64(len(head))}
	attachments, withRaw := c.Event.Data.Attachments, c.Endpoint.IncludeRaw
	if c.Smallest && (len(attachments) > 0 || withRaw) {
		attachments, withRaw = nil, false
		f.Omitted = "attachments"
	}
	f.Write = func(ctx context.Context, w io.Writer, _ dispatch.Stamp) error {
		out := &sticky{w: w}
		_, _ = out.Write(head[:len(head)-1]) // out.err has it
		if withRaw {
			out.text(`,"RawEmail":"`)
			out.run(func() error { return rawInJSON(ctx, out, c, true) })
			out.text(`"`)
		}
		out.text(`,"Attachments":[`)
		for i := range attachments {
			if i > 0 {
				out.text(",")
			}
			a := &attachments[i]
			head, err := marshal(postmarkAttachment{filename(a, i), mediaType(a), a.Size, text(a.ContentID)})
			out.run(func() error { return err })
			out.text(strings.TrimSuffix(string(head), "}"), `,"Content":"`)
			out.run(func() error { return copyBase64(ctx, out, c, i) })
			out.text(`"}`)
		}
		out.text(`]}`)
		return out.err
	}
	return f, nil
}

// rawInJSON writes the mail with its trace fields as the inside of a JSON string, with LF as line ends where feeds is set.
func rawInJSON(ctx context.Context, w io.Writer, c *dispatch.Copy, feeds bool) error {
	inside := &jsonText{w: w}
	if !feeds {
		return closing(inside, func() error { return tracedRaw(ctx, inside, c) })
	}
	lines := &lineFeeds{w: inside}
	return closing(inside, func() error {
		return closing(lines, func() error { return tracedRaw(ctx, lines, c) })
	})
}

// tracedRaw writes the mail behind its trace fields.
func tracedRaw(ctx context.Context, w io.Writer, c *dispatch.Copy) error {
	if _, err := w.Write(c.Trace()); err != nil {
		return err
	}
	return copyRaw(ctx, w, c)
}

// closing closes c once f is done without an error.
func closing(c io.Closer, f func() error) error {
	if err := f(); err != nil {
		return err
	}
	return c.Close()
}

func newPostmarkMail(c *dispatch.Copy) *postmarkMail {
	d := c.Event.Data
	m := &postmarkMail{
		MessageStream: "inbound", OriginalRecipient: recipients(c), Subject: d.Subject, MessageID: uuidOf(c.ID),
		To: addressList(d.To), ToFull: postmarkAddresses(d.To), Cc: addressList(d.Cc), CcFull: postmarkAddresses(d.Cc),
		Bcc: addressList(d.Bcc), BccFull: postmarkAddresses(d.Bcc), ReplyTo: addressList(d.ReplyTo),
		Date: text(d.DateRaw), TextBody: text(d.Text), HtmlBody: text(d.HTML), StrippedTextReply: text(d.Reply.Text),
		Headers: []postmarkField{},
	}
	if len(d.From) > 0 {
		m.FromFull = postmarkAddresses(d.From[:1])[0]
		m.From, m.FromName = m.FromFull.Email, m.FromFull.Name
	}
	if len(d.Recipients) > 0 {
		m.MailboxHash = d.Recipients[0].Detail
	}
	for _, r := range d.Recipients { // who is named nowhere got a blind copy
		if !names(r.Address, d.To, d.Cc, d.Bcc) {
			m.BccFull = append(m.BccFull, postmarkAddress{Email: r.Address, MailboxHash: r.Detail})
			m.Bcc = strings.TrimPrefix(m.Bcc+", "+r.Address, ", ")
		}
	}
	for _, f := range postmarkFields(c) {
		m.Headers = append(m.Headers, postmarkField{f.name, f.value})
	}
	return m
}

// postmarkFields are the fields that have no key of their own, behind those that the receiving side adds.
func postmarkFields(c *dispatch.Copy) []field {
	d := c.Event.Data
	fields := traceFields(c) // the first is Return-Path, where clients look for the reverse-path
	fields = append(fields,
		field{"X-Spam-Checker-Version", spamEngine(d)}, field{"X-Spam-Status", isSpam(d)},
		field{"X-Spam-Score", scoreText(spamScore(d))}, field{"X-Spam-Tests", spamTests(d)},
		field{"Received-SPF", receivedSPF(c)})
	return append(fields, mailFields(d, false, "From", "To", "Cc", "Bcc", "Subject", "Date", "Reply-To",
		"X-Spam-Checker-Version", "X-Spam-Status", "X-Spam-Score", "X-Spam-Tests", "Received-SPF")...)
}

func spamEngine(d *dispatch.EventData) string {
	if d.Spam == nil {
		return "none"
	}
	return oneLine(d.Spam.Engine)
}

// receivedSPF is the value of a field like that of RFC 7208 section 9.1.
func receivedSPF(c *dispatch.Copy) string {
	e := c.Event.Data.Envelope
	return spf(c.Event.Data) + " (" + c.Hostname + ") client-ip=" + e.RemoteIP + "; envelope-from=" + mailFrom(c) + "; helo=" + oneLine(e.Helo) + ";"
}

func postmarkAddresses(list []dispatch.Address) []postmarkAddress {
	full := make([]postmarkAddress, len(list))
	for i, a := range list {
		full[i] = postmarkAddress{Email: a.Address, Name: a.Name, MailboxHash: mailboxHash(a.Address)}
	}
	return full
}

// uuidOf makes a UUID (RFC 9562, version 8) of the id of an event, the same each time.
func uuidOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	s := hex.EncodeToString(sum[:16])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
