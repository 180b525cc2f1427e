// Command peers answers requests in the formats of SendGrid and Mailgun with what the vendors' own Go libraries read in them: 200 and
// JSON where everything verifies, 400 and the reason where something does not.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/mailgun/mailgun-go/v4"
	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"
	"github.com/sendgrid/sendgrid-go/helpers/inbound"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.Handle("/sendgrid", answer(sendgrid))
	http.Handle("/mailgun", answer(viaMailgun))
	fmt.Println("http://" + l.Addr().String())
	panic(http.Serve(l, nil))
}

type file struct{ Filename, Type, SHA256 string }

type mail struct {
	Subject, Text, HTML, From string
	To                        []string
	Headers                   map[string]string
	Files                     map[string]file
}

// answer verifies the signature that every request has, and then that of the format.
func answer(read func(*http.Request, []byte) (*mail, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = verify(r, body)
		}
		var m *mail
		if err == nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
			m, err = read(r, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		json.NewEncoder(w).Encode(m)
	})
}

func verify(r *http.Request, body []byte) error {
	wh, err := standardwebhooks.NewWebhook(os.Getenv("WEBHOOK_SECRET"))
	if err != nil {
		return err
	}
	return wh.Verify(body, r.Header)
}

func sendgrid(r *http.Request, body []byte) (*mail, error) {
	key, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(os.Getenv("SENDGRID_PUBLIC_KEY"))
	if err != nil {
		return nil, err
	}
	ok, err := eventwebhook.VerifySignature(key, body, r.Header.Get(eventwebhook.VerificationHTTPHeader), r.Header.Get(eventwebhook.TimestampHTTPHeader))
	if err != nil || !ok {
		return nil, errors.Join(errors.New("the signature does not verify"), err)
	}
	email, err := inbound.ParseWithAttachments(r)
	if err != nil {
		return nil, err
	}
	if err := email.Validate(); err != nil {
		return nil, err
	}
	m := &mail{
		Subject: email.ParsedValues["subject"], Text: email.TextBody, HTML: email.ParsedValues["html"],
		From: email.Envelope.From, To: email.Envelope.To, Headers: email.Headers, Files: map[string]file{},
	}
	for name, a := range email.ParsedAttachments {
		m.Files[name] = file{a.Filename, a.ContentType, sum(a.File)}
	}
	for name, content := range email.Attachments { // of the raw mode
		m.Files[name] = file{Filename: name, SHA256: sum(bytes.NewReader(content))}
	}
	return m, nil
}

func viaMailgun(r *http.Request, _ []byte) (*mail, error) {
	mg := mailgun.NewMailgun("in.example", "no-api-key")
	mg.SetWebhookSigningKey(os.Getenv("MAILGUN_SIGNING_KEY"))
	ok, err := mg.VerifyWebhookRequest(r) // reads the form
	if err != nil || !ok {
		return nil, errors.Join(errors.New("the signature does not verify"), err)
	}
	sig := mailgun.Signature{TimeStamp: r.FormValue("timestamp"), Token: r.FormValue("token"), Signature: r.FormValue("signature")}
	if ok, err = mg.VerifyWebhookSignature(sig); err != nil || !ok {
		return nil, errors.Join(errors.New("the signature does not verify"), err)
	}
	m := &mail{
		Subject: r.FormValue("subject"), Text: r.FormValue("body-plain") + r.FormValue("body-mime"), HTML: r.FormValue("body-html"),
		From: r.FormValue("sender"), To: r.Form["recipient"], Headers: map[string]string{}, Files: map[string]file{},
	}
	var pairs [][2]string
	if err := json.Unmarshal([]byte(r.FormValue("message-headers")), &pairs); err != nil {
		return nil, err
	}
	for _, p := range pairs {
		m.Headers[p[0]] = p[1]
	}
	if r.MultipartForm == nil {
		return m, nil
	}
	for name, list := range r.MultipartForm.File {
		f, err := list[0].Open()
		if err != nil {
			return nil, err
		}
		m.Files[name] = file{list[0].Filename, list[0].Header.Get("Content-Type"), sum(f)}
	}
	return m, nil
}

func sum(r io.Reader) string {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return err.Error()
	}
	return hex.EncodeToString(h.Sum(nil))
}
