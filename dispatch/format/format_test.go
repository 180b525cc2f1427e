package format

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// The golden files are whole requests. testdata/golden/README.md says why each field is there.
func TestGolden(t *testing.T) {
	raw := readFile(t, "testdata/mixed.eml")
	for name, f := range All() {
		c := copyOf(t, raw)
		c.Endpoint.FormatKey = keyOf(name)
		c.Endpoint.URL = "http://www.example.com/rails/action_mailbox/" + name + "/inbound_emails"
		form, body := bodyOf(t, f, c)
		var out bytes.Buffer
		out.WriteString("Content-Type: " + form.MediaType + "\r\n")
		if form.Sign != nil {
			header := http.Header{}
			if err := form.Sign(t.Context(), header, stamp); err != nil {
				t.Fatal(err)
			}
			header.Del("X-Twilio-Email-Event-Webhook-Signature") // is another one each time
			_ = header.Write(&out)
		}
		out.WriteString("\r\n")
		if form.MediaType == "application/json" {
			_ = json.Indent(&out, body, "", "  ")
			out.WriteString("\n")
		} else {
			out.Write(body)
		}
		golden(t, name+".txt", out.Bytes())
	}
}

// A vector of Mailgun's documentation.
func TestMailgunVector(t *testing.T) {
	const want = "ef24c5225322217bb065b80bb54eb4f9206d764e3e16abab07f0a64d1cf477cc"
	if got := mailgunSignature([]byte(mailgunKey), "1539112500", stamp.Token); got != want {
		t.Errorf("%s", got)
	}
}

// A vector of the tests of Rails: welcome.eml within one event.
func TestMandrillVector(t *testing.T) {
	const want = "1bNbyqkMFL4VYIT5+RQCrPs/mRY="
	mail := readFile(t, "testdata/rails-welcome.eml")
	var inside bytes.Buffer
	escaped := &jsonText{w: &inside}
	if err := closing(escaped, func() error { _, err := escaped.Write(mail); return err }); err != nil {
		t.Fatal(err)
	}
	events := []byte(`[{"event":"inbound","msg":{"raw_msg":"` + inside.String() + `"}}]`)
	mac := mandrillSignature([]byte("1l9Qf7lutEf7h73VXfBwhw"), "http://www.example.com/rails/action_mailbox/mandrill/inbound_emails")
	mac.Write(events)
	if got := base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("%s", got)
	}
}

// The signature of SendGrid verifies over time and body with the public key that we show, and over nothing else.
func TestSendGridSignature(t *testing.T) {
	private, public, err := NewSendGridKey()
	if err != nil {
		t.Fatal(err)
	}
	c := copyOf(t, readFile(t, "testdata/mixed.eml"))
	c.Endpoint.FormatKey = []byte(private)
	form, body := bodyOf(t, sendgrid{}, c)
	header := http.Header{}
	if err := form.Sign(t.Context(), header, stamp); err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(header.Get("X-Twilio-Email-Event-Webhook-Signature"))
	if err != nil {
		t.Fatal(err)
	}
	signed := append([]byte(header.Get("X-Twilio-Email-Event-Webhook-Timestamp")), body...)
	sum := sha256.Sum256(signed)
	if !ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), sum[:], signature) {
		t.Error("it does not verify")
	}
	sum = sha256.Sum256(append(signed, ' '))
	if ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), sum[:], signature) {
		t.Error("it verifies another body")
	}
}

// What a client believes because the vendor writes it never comes from the mail.
func TestNobodySpeaksForTheVendor(t *testing.T) {
	raw := []byte("X-Spam-Status: No, postmark\r\nx-mailgun-sflag: mailgun\r\nX-Envelope-From: mailgun\r\nReceived-SPF: postmark\r\n" +
		"X-Spam-Score: postmark\r\nFrom: a@b.example\r\nSubject: x\r\n\r\nHi\r\n")
	for _, name := range []string{Postmark, Mailgun} {
		c := copyOf(t, raw)
		c.Endpoint.IncludeRaw = false
		if _, body := bodyOf(t, All()[name], c); bytes.Contains(body, []byte(name)) {
			t.Errorf("%s passes on what the sender wrote", name)
		}
	}
}

// An attachment that is not as long as it should be is trouble of ours, and no part of it is taken for the whole.
func TestDamagedAttachment(t *testing.T) {
	raw := readFile(t, "testdata/mixed.eml")
	broken := errors.New("the disk is gone")
	for name, f := range All() {
		if name == Raw || name == SendGridRaw || name == MailgunMIME {
			continue
		}
		for what, open := range map[string]func(context.Context, int) (io.ReadCloser, error){
			"short":  func(context.Context, int) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil },
			"absent": func(context.Context, int) (io.ReadCloser, error) { return nil, broken },
		} {
			c := copyOf(t, raw)
			c.OpenAttachment = open
			c.Endpoint.FormatKey = keyOf(name)
			form, err := f.Form(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if err := form.Write(t.Context(), io.Discard, stamp); err == nil {
				t.Errorf("%s, %s: no error", name, what)
			}
		}
	}
}

// After a 413 a format that can says what it left out, and leaves it out.
func TestSmallest(t *testing.T) {
	raw := readFile(t, "testdata/mixed.eml")
	for name, f := range All() {
		c := copyOf(t, raw)
		c.Endpoint.FormatKey, c.Smallest = keyOf(name), true
		form, body := bodyOf(t, f, c)
		whole := slices.Contains([]string{Raw, SendGridRaw, MailgunMIME}, name)
		if (form.Omitted == "") != whole {
			t.Errorf("%s: omitted %q", name, form.Omitted)
		}
		if text, err := url.QueryUnescape(string(body)); err == nil && name != Mandrill && !whole && strings.Contains(text, "JVBERi0xLjQK") {
			t.Errorf("%s still has the attachment", name)
		}
	}
}

func TestRefuses(t *testing.T) {
	strict := &storage.Endpoint{StrictStatus: true}
	for _, tt := range []struct {
		format string
		ep     *storage.Endpoint
		status int
		want   bool
	}{
		{Mailgun, nil, 406, true}, {MailgunMIME, nil, 406, true}, {Mailgun, nil, 400, false}, {Postmark, nil, 403, true},
		{Postmark, nil, 500, false}, {SendGrid, &storage.Endpoint{}, 400, false}, {SendGrid, strict, 400, true},
		{SendGrid, strict, 429, false}, {SendGrid, strict, 413, false}, {SendGridRaw, strict, 500, false},
		{CloudMailin, nil, 404, false}, {Mandrill, nil, 401, false}, {Raw, nil, 403, false},
	} {
		if got := All()[tt.format].Refuses(tt.ep, tt.status); got != tt.want {
			t.Errorf("%s %d: %v", tt.format, tt.status, got)
		}
	}
}

// Two events of one mail are two messages to a client that remembers ids.
func TestPostmarkIDs(t *testing.T) {
	a, b := uuidOf("msg_01kab0000000000000000000aa_1"), uuidOf("msg_01kab0000000000000000000aa_2")
	if a == b || len(a) != 36 || a[14] != '8' {
		t.Errorf("%s, %s", a, b)
	}
}

// CloudMailin can be asked to keep attachments and hand out links.
func TestCloudMailinLinks(t *testing.T) {
	c := copyOf(t, readFile(t, "testdata/mixed.eml"))
	c.Endpoint.Attachments = storage.AttachmentsURL
	c.OpenAttachment = nil // is not asked
	for _, name := range []string{CloudMailin, CloudMailinMultipart} {
		_, body := bodyOf(t, All()[name], c)
		if !bytes.Contains(body, []byte("https://letterhook.example/v1/blobs/2")) {
			t.Errorf("%s: no link", name)
		}
	}
}

var _ dispatch.Format = raw{}
