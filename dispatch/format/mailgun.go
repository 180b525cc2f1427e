package format

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// mailgun is what a Mailgun route with forward(url) posts; mime is what it posts to a URL that ends with "mime".
type mailgun struct{ mime bool }

// multipartFrom is the size of a mail from which on it goes as multipart although the vendor's is not: frameworks take no form of
// more than a few megabytes.
const multipartFrom = 4 << 20

// Refuses implements [dispatch.Format]: 406 stops the attempts of Mailgun.
func (mailgun) Refuses(_ *storage.Endpoint, status int) bool {
	return status == http.StatusNotAcceptable
}

// Form implements [dispatch.Format].
func (g mailgun) Form(_ context.Context, c *dispatch.Copy) (*dispatch.Form, error) {
	d := c.Event.Data
	f := &dispatch.Form{MediaType: urlFormType, Held: held(d)}
	attachments := d.Attachments
	if c.Smallest && !g.mime && len(attachments) > 0 {
		attachments, f.Omitted = nil, "attachments"
	}
	boundary := ""
	if !g.mime && len(attachments) > 0 || g.mime && d.Size > multipartFrom {
		boundary = boundaryOf(c)
		f.MediaType = multipartType(boundary)
	}
	f.Write = func(ctx context.Context, w io.Writer, at dispatch.Stamp) error {
		var out form = newURLForm(w)
		var files *multipart
		if boundary != "" {
			files = newMultipart(w, boundary)
			out = files
		}
		if err := mailgunFields(out, c, at); err != nil {
			return err
		}
		if g.mime {
			out.stream("body-mime", func(w io.Writer) error { return tracedRaw(ctx, w, c) })
			return out.end()
		}
		if err := mailgunContent(out, d, attachments); err != nil {
			return err
		}
		for i := range attachments {
			a := &attachments[i]
			files.file("attachment-"+strconv.Itoa(i+1), filename(a, i), mediaType(a), func(w io.Writer) error {
				return copyAttachment(ctx, w, c, i)
			})
		}
		return out.end()
	}
	return f, nil
}

// mailgunFields writes what both kinds have.
func mailgunFields(out form, c *dispatch.Copy, at dispatch.Stamp) error {
	d := c.Event.Data
	seconds := strconv.FormatInt(at.Time.Unix(), 10)
	out.field("recipient", recipients(c))
	out.field("sender", mailFrom(c))
	out.field("from", addressList(d.From))
	out.field("subject", d.Subject)
	out.field("timestamp", seconds)
	out.field("token", at.Token)
	out.field("signature", mailgunSignature(c.Endpoint.FormatKey, seconds, at.Token))
	fields := mailgunHeader(c)
	pairs := make([][2]string, len(fields))
	for i, f := range fields {
		pairs[i] = [2]string{f.name, f.value}
	}
	list, err := marshal(pairs)
	if err != nil {
		return err
	}
	out.field("message-headers", string(list))
	for _, f := range fields {
		out.field(f.name, f.value) // in title case, so that none is one of the vendor's own
	}
	return nil
}

// mailgunHeader is the header of the mail behind what the vendor adds to it.
func mailgunHeader(c *dispatch.Copy) []field {
	d := c.Event.Data
	_, valid := dkim(d)
	check := "Fail"
	if valid {
		check = "Pass"
	}
	own := []field{{"X-Mailgun-Incoming", "Yes"}, {"X-Envelope-From", "<" + mailFrom(c) + ">"}}
	own = append(own, traceFields(c)[1:]...)
	own = append(own, field{"X-Mailgun-Spf", mailgunWord(spf(d))})
	if signed, _ := dkim(d); signed {
		own = append(own, field{"X-Mailgun-Dkim-Check-Result", check})
	}
	if d.Spam != nil {
		own = append(own, field{"X-Mailgun-Sflag", isSpam(d)}, field{"X-Mailgun-Sscore", scoreText(d.Spam.Score)},
			field{"X-Mailgun-Spam-Rules", spamTests(d)})
	}
	for _, f := range mailFields(d, true, "X-Envelope-From") {
		f.name = titleCase(f.name)
		if !strings.HasPrefix(f.name, "X-Mailgun-") {
			own = append(own, f)
		}
	}
	return own
}

func mailgunWord(result string) string {
	switch result {
	case "softfail":
		return "SoftFail"
	case "pass", "fail":
		return strings.ToUpper(result[:1]) + result[1:]
	}
	return "Neutral"
}

// mailgunContent writes the fields of the parsed kind.
func mailgunContent(out form, d *dispatch.EventData, attachments []dispatch.Attachment) error {
	out.field("body-plain", text(d.Text))
	if d.HTML != nil {
		out.field("body-html", *d.HTML)
	}
	if d.Reply.Text != nil {
		out.field("stripped-text", *d.Reply.Text)
		out.field("stripped-signature", signatureOf(d))
	}
	switch {
	case d.Reply.HTML != nil:
		out.field("stripped-html", *d.Reply.HTML)
	case d.HTML != nil:
		out.field("stripped-html", *d.HTML)
	}
	if len(attachments) == 0 {
		return nil
	}
	out.field("attachment-count", strconv.Itoa(len(attachments)))
	ids := map[string]string{}
	for i := range attachments {
		if a := &attachments[i]; a.ContentID != nil {
			ids["<"+*a.ContentID+">"] = "attachment-" + strconv.Itoa(i+1)
		}
	}
	if len(ids) > 0 {
		list, err := marshal(ids)
		if err != nil {
			return err
		}
		out.field("content-id-map", string(list))
	}
	return nil
}

func signatureOf(d *dispatch.EventData) string {
	var b strings.Builder
	for _, s := range d.Reply.Segments {
		if s.Type == "signature" {
			b.WriteString(s.Text)
		}
	}
	return strings.TrimSpace(b.String())
}

// mailgunSignature is over the time and the token; it says nothing about the rest.
func mailgunSignature(key []byte, timestamp, token string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, timestamp+token) // a hash takes everything
	return hex.EncodeToString(mac.Sum(nil))
}
