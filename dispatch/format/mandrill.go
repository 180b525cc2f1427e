package format

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the vendor's clients verify no other
	"encoding/base64"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// mandrill is the inbound webhook of Mandrill (Mailchimp Transactional).
type mandrill struct{}

type mandrillRule struct {
	Name        string  `json:"name"`
	Score       float64 `json:"score"`
	Description string  `json:"description"`
}

// mandrillMail is everything but raw_msg, attachments and images, which are written as they are read.
type mandrillMail struct {
	Headers    map[string]any `json:"headers"`
	Text       string         `json:"text"`
	TextFlowed bool           `json:"text_flowed"`
	HTML       *string        `json:"html,omitempty"`
	FromEmail  string         `json:"from_email"`
	FromName   *string        `json:"from_name"`
	To         [][2]*string   `json:"to"`
	Cc         [][2]*string   `json:"cc,omitempty"`
	Email      string         `json:"email"`
	Subject    string         `json:"subject"`
	Tags       []string       `json:"tags"`
	Sender     *string        `json:"sender"`
	Template   *string        `json:"template"`
	SpamReport struct {
		Score        float64        `json:"score"`
		MatchedRules []mandrillRule `json:"matched_rules"`
	} `json:"spam_report"`
	DKIM struct {
		Signed bool `json:"signed"`
		Valid  bool `json:"valid"`
	} `json:"dkim"`
	SPF struct {
		Result string `json:"result"`
		Detail string `json:"detail"`
	} `json:"spf"`
}

// Refuses implements [dispatch.Format].
func (mandrill) Refuses(*storage.Endpoint, int) bool { return false }

// Form implements [dispatch.Format].
func (mandrill) Form(_ context.Context, c *dispatch.Copy) (*dispatch.Form, error) {
	head, err := marshal(newMandrillMail(c))
	if err != nil {
		return nil, err
	}
	f := &dispatch.Form{MediaType: urlFormType, Held: held(c.Event.Data) + int64(len(head))}
	attachments := c.Event.Data.Attachments
	if c.Smallest && len(attachments) > 0 {
		attachments, f.Omitted = nil, "attachments"
	}
	files, images := mandrillFiles(attachments)
	events := func(ctx context.Context, w io.Writer) error {
		out := &sticky{w: w}
		out.text(`[{"event":"inbound","ts":`, strconv.FormatInt(c.Event.Data.ReceivedAt.Unix(), 10), `,"msg":`)
		_, _ = out.Write(head[:len(head)-1]) // out.err has it
		out.text(`,"raw_msg":"`)
		out.run(func() error { return rawInJSON(ctx, out, c, false) })
		out.text(`"`)
		out.run(func() error { return writeMandrillFiles(ctx, out, c, "attachments", files) })
		out.run(func() error { return writeMandrillFiles(ctx, out, c, "images", images) })
		out.text(`}}]`)
		return out.err
	}
	f.Write = func(ctx context.Context, w io.Writer, _ dispatch.Stamp) error {
		form := newURLForm(w)
		form.stream("mandrill_events", func(w io.Writer) error { return events(ctx, w) })
		return form.end()
	}
	f.Sign = func(ctx context.Context, header http.Header, _ dispatch.Stamp) error {
		mac := mandrillSignature(c.Endpoint.FormatKey, c.Endpoint.URL)
		if err := events(ctx, mac); err != nil {
			return err
		}
		header.Set("X-Mandrill-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		return nil
	}
	return f, nil
}

// mandrillSignature begins the signature: over the URL as the endpoint has it, and the name and the value of the one field.
func mandrillSignature(key []byte, url string) hash.Hash {
	mac := hmac.New(sha1.New, key)
	_, _ = io.WriteString(mac, url+"mandrill_events") // a hash takes everything
	return mac
}

func newMandrillMail(c *dispatch.Copy) *mandrillMail {
	d := c.Event.Data
	m := &mandrillMail{
		Headers: map[string]any{}, Text: text(d.Text), HTML: d.HTML, To: mandrillPairs(d.To), Cc: mandrillPairs(d.Cc),
		Email: recipients(c), Subject: d.Subject, Tags: []string{},
	}
	if len(d.From) > 0 {
		m.FromEmail = d.From[0].Address
		m.FromName = nameOf(&d.From[0])
	}
	order, values := grouped(append(traceFields(c)[1:], mailFields(d, true)...), titleCase)
	for _, name := range order {
		if len(values[name]) == 1 {
			m.Headers[name] = values[name][0]
		} else {
			m.Headers[name] = values[name]
		}
	}
	m.SpamReport.Score, m.SpamReport.MatchedRules = spamScore(d), []mandrillRule{}
	if d.Spam != nil {
		for _, s := range d.Spam.Symbols {
			m.SpamReport.MatchedRules = append(m.SpamReport.MatchedRules, mandrillRule{Name: s.Name, Score: s.Score})
		}
	}
	m.DKIM.Signed, m.DKIM.Valid = dkim(d)
	m.SPF.Result = spf(d)
	if d.Authentication != nil {
		m.SPF.Detail = d.Authentication.SPF.Explanation
	}
	return m
}

func nameOf(a *dispatch.Address) *string {
	if a.Name == "" {
		return nil
	}
	return &a.Name
}

func mandrillPairs(list []dispatch.Address) [][2]*string {
	pairs := make([][2]*string, len(list))
	for i := range list {
		pairs[i] = [2]*string{&list[i].Address, nameOf(&list[i])}
	}
	return pairs
}

// mandrillFile is an attachment under the name that it has in its object.
type mandrillFile struct {
	key   string
	index int
	head  struct {
		Name   string `json:"name"`
		Type   string `json:"type"`
		Base64 bool   `json:"base64"`
	}
}

// mandrillFiles divides attachments into files, by name, and images, by content id. A name that is taken gets a number: of two
// equal keys of an object clients keep one.
func mandrillFiles(attachments []dispatch.Attachment) (files, images []mandrillFile) {
	fileTaken, imageTaken := map[string]bool{}, map[string]bool{}
	for i := range attachments {
		a := &attachments[i]
		f := mandrillFile{index: i}
		f.head.Name, f.head.Type, f.head.Base64 = filename(a, i), mediaType(a), true
		if a.ContentID != nil && isInline(a) && strings.HasPrefix(a.ContentType, "image/") && !imageTaken[*a.ContentID] {
			f.key = *a.ContentID
			imageTaken[f.key] = true
			images = append(images, f)
			continue
		}
		f.key = f.head.Name
		for n := 2; fileTaken[f.key]; n++ {
			f.key = strconv.Itoa(n) + "-" + f.head.Name
		}
		fileTaken[f.key] = true
		files = append(files, f)
	}
	return files, images
}

func writeMandrillFiles(ctx context.Context, out *sticky, c *dispatch.Copy, name string, files []mandrillFile) error {
	if len(files) == 0 {
		return nil
	}
	out.text(`,"`, name, `":`)
	for i := range files {
		f := &files[i]
		if i == 0 {
			out.text("{")
		} else {
			out.text(",")
		}
		out.json(f.key)
		head, err := marshal(&f.head)
		out.run(func() error { return err })
		out.text(":", strings.TrimSuffix(string(head), "}"), `,"content":"`)
		out.run(func() error { return copyBase64(ctx, out, c, f.index) })
		out.text(`"}`)
	}
	out.text("}")
	return out.err
}
