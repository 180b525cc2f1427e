package format

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/inbound"
)

// A bounce that could not be parsed, from a client in clear, with no check of the sender and no scanner, to two recipients at once.
func bare(t *testing.T) *dispatch.Copy {
	t.Helper()
	c := copyOf(t, []byte("\r\n"))
	d := c.Event.Data
	d.Authentication, d.Spam, d.Envelope.TLS, d.Text, d.Reply = nil, nil, nil, nil, dispatch.Reply{}
	d.Envelope.MailFrom, c.Envelope.ReversePath = "", inbound.Path{}
	second := d.Recipients[0]
	second.Address = "b@in.example"
	d.Recipients = append(d.Recipients, second)
	d.Envelope.RcptTo = append(d.Envelope.RcptTo, second.Address)
	c.Envelope.Recipients = append(c.Envelope.Recipients, inbound.Recipient{Path: inbound.Path{LocalPart: "b", Domain: "in.example"}})
	return c
}

func TestBareMail(t *testing.T) {
	for name, want := range map[string][]string{
		Postmark:             {`"OriginalRecipient":"reply+k3y@in.example, b@in.example"`, `"Value":"\u003c\u003e"`, `"X-Spam-Status","Value":"No"`, `"Attachments":[]`},
		SendGrid:             {`{"from":"","to":["reply+k3y@in.example","b@in.example"]}`, "name=\"SPF\"\r\n\r\nnone\r\n", "name=\"dkim\"\r\n\r\nnone\r\n", "name=\"attachments\"\r\n\r\n0\r\n"},
		SendGridRaw:          {"name=\"email\"\r\n\r\nReturn-Path: <>\nReceived: from"},
		Mailgun:              {"X-Mailgun-Spf=Neutral", "X-Envelope-From=<>", "&body-plain=", "recipient=reply+k3y@in.example, b@in.example"},
		MailgunMIME:          {"body-mime=Return-Path: <>\r\nReceived: from"},
		Mandrill:             {`"spf":{"result":"none"`, `"dkim":{"signed":false,"valid":false}`, `"score":0`, `"from_name":null`},
		CloudMailin:          {`"tls":false`, `"recipients":["reply+k3y@in.example","b@in.example"]`, `"plain":""`, `"attachments":[]`},
		CloudMailinMultipart: {"name=\"envelope[recipients][1]\"\r\n\r\nb@in.example"},
		Raw:                  {"Return-Path: <>\r\n", "X-Original-To: reply+k3y@in.example\r\n", "X-Original-To: b@in.example\r\n\r\n"},
	} {
		c := bare(t)
		c.Endpoint.FormatKey = keyOf(name)
		form, body := bodyOf(t, All()[name], c)
		text := string(body)
		switch form.MediaType {
		case urlFormType:
			var err error
			if text, err = url.QueryUnescape(text); err != nil {
				t.Fatal(err)
			}
		case "application/json":
			if !json.Valid(body) {
				t.Errorf("%s: not JSON: %s", name, body)
			}
			text = strings.ReplaceAll(text, "<>", `\u003c\u003e`)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q is missing in %s", name, w, text)
			}
		}
		if bytes.Contains(body, []byte("null")) && name != Mandrill {
			t.Errorf("%s: null in %s", name, body)
		}
	}
}
