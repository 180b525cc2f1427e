package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	stdmultipart "mime/multipart"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/letterhook/letterhook/dispatch"
)

// Every mail of the parser's corpus, the hostile ones too, goes through every format and back through a standard decoder, and
// is what it was.
func TestCorpusComesBack(t *testing.T) {
	n := 0
	for _, folder := range []string{"mime", "bounces", "arf", "calendar", "eai", "replies"} {
		err := filepath.WalkDir("../../parser/testdata/corpus/"+folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".eml" && filepath.Ext(path) != ".msg" {
				return err
			}
			n++
			comesBack(t, path, readFile(t, path))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 500 {
		t.Errorf("only %d mails", n)
	}
}

func FuzzFormats(f *testing.F) {
	for _, path := range []string{"mixed.eml", "hostile.eml"} {
		f.Add(readFile(f, "testdata/"+path))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { comesBack(t, "fuzz", raw) })
}

// comesBack reads what each format wrote.
func comesBack(t *testing.T, name string, raw []byte) {
	t.Helper()
	c := copyOf(t, raw)
	attachments := contents(t, c)
	for format, f := range All() {
		fail := func(what string, got, want any) {
			t.Helper()
			t.Errorf("%s as %s: %s is %.200q instead of %.200q", name, format, what, fmt.Sprint(got), fmt.Sprint(want))
		}
		c.Endpoint.FormatKey = keyOf(format)
		form, body := bodyOf(t, f, c)
		switch format {
		case Raw:
			if !bytes.HasSuffix(body, raw) || !bytes.Contains(body[:len(body)-len(raw)], []byte("Delivered-To: reply+k3y@in.example\r\n")) {
				fail("the mail", body, raw)
			}
		case Postmark:
			postmarkComesBack(t, c, raw, body, attachments, fail)
		case CloudMailin:
			cloudmailinComesBack(t, c, body, attachments, fail)
		case Mandrill:
			mandrillComesBack(t, c, raw, body, attachments, fail)
		default:
			fields, files := decode(t, form.MediaType, body)
			formComesBack(t, format, c, raw, fields, files, attachments, fail)
		}
	}
}

type failing func(what string, got, want any)

func formComesBack(t *testing.T, format string, c *dispatch.Copy, raw []byte, fields url.Values, files map[string]file, want [][]byte, fail failing) {
	t.Helper()
	d := c.Event.Data
	expect := func(name, value string) {
		t.Helper()
		if got := fields.Get(name); got != value {
			fail(name, got, value)
		}
	}
	feeds := strings.ReplaceAll(string(tracedMail(c, raw)), "\r\n", "\n")
	switch format {
	case SendGrid, SendGridRaw:
		expect("subject", d.Subject)
		expect("envelope", `{"from":"bounces+42@sender.example","to":["reply+k3y@in.example"]}`)
		if format == SendGridRaw {
			expect("email", feeds)
			return
		}
		expect("text", text(d.Text))
		expect("html", text(d.HTML))
		expect("attachments", strconv.Itoa(len(want)))
		if len(want) > 0 {
			var info map[string]sendgridInfo
			if err := json.Unmarshal([]byte(fields.Get("attachment-info")), &info); err != nil || len(info) != len(want) {
				fail("attachment-info", fields.Get("attachment-info"), len(want))
			}
		}
		filesComeBack("attachment", 1, "", d, files, want, fail)
	case Mailgun, MailgunMIME:
		expect("subject", d.Subject)
		expect("recipient", "reply+k3y@in.example")
		expect("signature", "ef24c5225322217bb065b80bb54eb4f9206d764e3e16abab07f0a64d1cf477cc")
		if format == MailgunMIME {
			expect("body-mime", string(tracedMail(c, raw)))
			return
		}
		expect("body-plain", text(d.Text))
		expect("body-html", text(d.HTML))
		if len(want) > 0 {
			expect("attachment-count", strconv.Itoa(len(want)))
		}
		filesComeBack("attachment-", 1, "", d, files, want, fail)
	case CloudMailinMultipart:
		expect("plain", text(d.Text))
		expect("html", text(d.HTML))
		expect("envelope[recipients][0]", "reply+k3y@in.example")
		filesComeBack("attachments[", 0, "]", d, files, want, fail)
	}
}

func filesComeBack(before string, first int, after string, d *dispatch.EventData, files map[string]file, want [][]byte, fail failing) {
	if len(files) != len(want) {
		fail("the number of files", len(files), len(want))
	}
	for i := range want {
		name := before + strconv.Itoa(first+i) + after
		if got := files[name]; got.name != filename(&d.Attachments[i], i) || !bytes.Equal(got.content, want[i]) {
			fail(name, got.name+": "+string(got.content), filename(&d.Attachments[i], i)+": "+string(want[i]))
		}
	}
}

func postmarkComesBack(t *testing.T, c *dispatch.Copy, raw, body []byte, want [][]byte, fail failing) {
	t.Helper()
	var got struct {
		postmarkMail
		RawEmail    string
		Attachments []struct {
			postmarkAttachment
			Content []byte
		}
	}
	if err := json.Unmarshal(body, &got); err != nil || !utf8.Valid(body) {
		t.Fatalf("not JSON: %v", err)
	}
	d := c.Event.Data
	if got.Subject != d.Subject || got.TextBody != text(d.Text) || got.HtmlBody != text(d.HTML) {
		fail("a text", got.Subject, d.Subject)
	}
	if len(got.Headers) == 0 || got.Headers[0] != (postmarkField{"Return-Path", "<bounces+42@sender.example>"}) {
		fail("the first field", got.Headers, "Return-Path")
	}
	if want := readable(strings.ReplaceAll(string(tracedMail(c, raw)), "\r\n", "\n")); readable(got.RawEmail) != want {
		fail("RawEmail", got.RawEmail, want)
	}
	if len(got.Attachments) != len(want) {
		fail("the number of attachments", len(got.Attachments), len(want))
		return
	}
	for i, a := range got.Attachments {
		if !bytes.Equal(a.Content, want[i]) || a.ContentLength != int64(len(want[i])) || a.Name != filename(&d.Attachments[i], i) {
			fail("attachment "+a.Name, string(a.Content), string(want[i]))
		}
	}
}

func cloudmailinComesBack(t *testing.T, c *dispatch.Copy, body []byte, want [][]byte, fail failing) {
	t.Helper()
	var got struct {
		Headers     map[string]any
		Plain, HTML string
		Envelope    struct{ Recipients []string }
		Attachments []struct {
			Content  []byte
			FileName string `json:"file_name"`
		}
	}
	if err := json.Unmarshal(body, &got); err != nil || !utf8.Valid(body) {
		t.Fatalf("not JSON: %v", err)
	}
	d := c.Event.Data
	if got.Plain != text(d.Text) || got.HTML != text(d.HTML) || len(got.Envelope.Recipients) != 1 || got.Headers["received"] == nil {
		fail("a text", got.Plain, text(d.Text))
	}
	if len(got.Attachments) != len(want) || got.Attachments == nil {
		fail("the number of attachments", len(got.Attachments), len(want))
		return
	}
	for i, a := range got.Attachments {
		if !bytes.Equal(a.Content, want[i]) || a.FileName != filename(&d.Attachments[i], i) {
			fail("attachment "+a.FileName, string(a.Content), string(want[i]))
		}
	}
}

func mandrillComesBack(t *testing.T, c *dispatch.Copy, raw, body []byte, want [][]byte, fail failing) {
	t.Helper()
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form) != 1 {
		t.Fatalf("not a form of one field: %v", err)
	}
	type content struct{ Content []byte }
	var events []struct {
		Msg struct {
			RawMsg              string `json:"raw_msg"`
			Text, HTML, Subject string
			Attachments, Images map[string]content
		}
	}
	if err := json.Unmarshal([]byte(form.Get("mandrill_events")), &events); err != nil || len(events) != 1 {
		t.Fatalf("not JSON: %v", err)
	}
	got, d := &events[0].Msg, c.Event.Data
	if got.Subject != d.Subject || got.Text != text(d.Text) || got.HTML != text(d.HTML) {
		fail("a text", got.Text, text(d.Text))
	}
	if want := readable(string(tracedMail(c, raw))); readable(got.RawMsg) != want {
		fail("raw_msg", got.RawMsg, want)
	}
	files, images := mandrillFiles(d.Attachments)
	if len(files) != len(got.Attachments) || len(images) != len(got.Images) || len(files)+len(images) != len(want) {
		fail("the number of attachments", len(got.Attachments)+len(got.Images), len(want))
	}
	for _, f := range files {
		if !bytes.Equal(got.Attachments[f.key].Content, want[f.index]) {
			fail("attachment "+f.key, string(got.Attachments[f.key].Content), string(want[f.index]))
		}
	}
	for _, f := range images {
		if !bytes.Equal(got.Images[f.key].Content, want[f.index]) {
			fail("image "+f.key, string(got.Images[f.key].Content), string(want[f.index]))
		}
	}
}

// readable is what JSON can hold of octets. Where a character is broken decoders write one sign or several.
func readable(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
	for strings.Contains(s, "\uFFFD\uFFFD") {
		s = strings.ReplaceAll(s, "\uFFFD\uFFFD", "\uFFFD")
	}
	return s
}

// contents are the decoded attachments.
func contents(t *testing.T, c *dispatch.Copy) [][]byte {
	t.Helper()
	list := make([][]byte, len(c.Event.Data.Attachments))
	for i := range list {
		r, err := c.OpenAttachment(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		if list[i], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

type file struct {
	name    string
	content []byte
}

// decode reads a form with the standard library.
func decode(t *testing.T, mediaType string, body []byte) (url.Values, map[string]file) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(mediaType)
	if err != nil {
		t.Fatal(err)
	}
	if kind == urlFormType {
		fields, err := url.ParseQuery(string(body))
		if err != nil {
			t.Fatal(err)
		}
		return fields, nil
	}
	fields, files := url.Values{}, map[string]file{}
	for r := stdmultipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return fields, files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, params, _ := mime.ParseMediaType(p.Header.Get("Content-Disposition")); params["filename"] != "" {
			files[p.FormName()] = file{params["filename"], content}
		} else {
			fields.Add(p.FormName(), string(content))
		}
	}
}
