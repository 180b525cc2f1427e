package parser_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/parser/tnef/tneftest"
)

// winmail is a mail with a text and a winmail.dat.
func winmail(text string, stream []byte) string {
	return "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + text + "\n--b\nContent-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n" +
		inLines(base64.StdEncoding.EncodeToString(stream)) + "\n--b--\n"
}

// inLines breaks a text into lines of 76.
func inLines(s string) string {
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\n")
		s = s[76:]
	}
	return b.String() + s
}

func TestWinmail(t *testing.T) {
	file := tneftest.New().File("plan.doc", []byte("the plan"))
	for _, c := range []struct{ name, mail, want string }{
		{"its contents stand for it", winmail("hello", file), `"" multipart/mixed
"1" text/plain
"2" application/ms-tnef
"2.1" application/octet-stream
text "hello"
attachment 2.1 "plan.doc" "the plan"
`},
		{"cut", winmail("hello", file[:len(file)-2]), `"" multipart/mixed
"1" text/plain
"2" application/ms-tnef
"2.1" application/octet-stream
text "hello"
` + fmt.Sprintf("attachment 2 \"winmail.dat\" %q\n", file[:len(file)-2]) + `attachment 2.1 "plan.doc" "the plan"
defect tnef-invalid "2"
`},
		{"nothing in it", winmail("hello", tneftest.New()), `"" multipart/mixed
"1" text/plain
"2" application/ms-tnef
text "hello"
attachment 2 "winmail.dat" "x\x9f>\"\x01\x00"
`},
		{"none at all", winmail("hello", []byte("hello")), `"" multipart/mixed
"1" text/plain
"2" application/ms-tnef
text "hello"
attachment 2 "winmail.dat" "hello"
defect tnef-invalid "2"
`},
		{"known by its name", strings.Replace(winmail("hello", file), "application/ms-tnef", "application/octet-stream", 1), `"" multipart/mixed
"1" text/plain
"2" application/octet-stream
"2.1" application/octet-stream
text "hello"
attachment 2.1 "plan.doc" "the plan"
`},
		{"texts beside those of the mail", winmail("hello", tneftest.New().Body("t").Properties(tneftest.Binary(0x1013, []byte("<p>h")), tneftest.Binary(0x1009, tneftest.StoredRTF("{r}")))), `"" multipart/mixed
"1" text/plain
"2" application/ms-tnef
"2.1" text/plain
"2.2" text/html
"2.3" application/rtf
text "hello"
attachment 2.1 "body.txt" "t\x00"
attachment 2.2 "body.html" "<p>h"
attachment 2.3 "body.rtf" "{r}"
`},
		{"texts for a mail that has none", winmail("", tneftest.New().Properties(tneftest.Unicode(0x1000, "grüße"), tneftest.Int32(0x3FDE, 1252), tneftest.Binary(0x1013, []byte("<p>gr\xfc\xdfe"))).File("a", []byte("a"))), `"" multipart/mixed
"1" text/plain
"2" application/ms-tnef
"2.1" application/octet-stream
"2.2" text/plain
"2.3" text/html
text "grüße"
html "<p>grüße"
attachment 2.1 "a" "a"
`},
		{"html only", winmail("", tneftest.New().Properties(tneftest.Binary(0x1013, []byte("<p>hello")))), `"" multipart/mixed
"1" text/plain
"2" application/ms-tnef
"2.1" text/html
text "hello\n"
html "<p>hello"
`},
		{"RTF only", winmail(" ", tneftest.New().Properties(tneftest.Binary(0x1009, tneftest.StoredRTF(`{\rtf1\ansi\ansicpg1252 caf\'e9\par}`)))), `"" multipart/mixed
"1" text/plain
"2" application/ms-tnef
"2.1" application/rtf
text "café\n"
attachment 2.1 "body.rtf" "{\\rtf1\\ansi\\ansicpg1252 caf\\'e9\\par}"
`},
		{"HTML within RTF only", winmail("", tneftest.New().Properties(tneftest.Binary(0x1009, tneftest.StoredRTF(`{\rtf1\fromhtml1{\*\htmltag64 <p>}hello{\*\htmltag72 </p>}}`)))), `"" multipart/mixed
"1" text/plain
"2" application/ms-tnef
"2.1" application/rtf
text "hello\n"
html "<p>hello</p>"
attachment 2.1 "body.rtf" "{\\rtf1\\fromhtml1{\\*\\htmltag64 <p>}hello{\\*\\htmltag72 </p>}}"
`},
		{"message within", winmail("hello", tneftest.New().File("a", []byte("a")).Embedded("Re: offer", tneftest.New().Body("inner").File("b", []byte("b")))), `"" multipart/mixed
"1" text/plain
"2" application/ms-tnef
"2.1" application/octet-stream
"2.2" application/ms-tnef
"2.2.1" application/octet-stream
"2.2.2" text/plain
text "hello"
attachment 2.1 "a" "a"
attachment 2.2.1 "b" "b"
attachment 2.2.2 "Re_ offer.txt" "inner\x00"
`},
		{"names are made harmless", winmail("hello", tneftest.New().File(`..\..\a/b`, []byte("x"))), `"" multipart/mixed
"1" text/plain
"2" application/ms-tnef
"2.1" application/octet-stream
text "hello"
attachment 2.1 "_.._a_b" "x"
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, outline(t, parse(t, c.mail))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestWinmailInline: an image of a winmail.dat is inline where the HTML shows it.
func TestWinmailInline(t *testing.T) {
	m := parse(t, winmail("", tneftest.New().Properties(tneftest.Binary(0x1013, []byte(`<img src="cid:i@x">`))).
		Attachment(1).Data([]byte("png")).AttachmentProperties(tneftest.String(0x370E, "image/png"), tneftest.String(0x3712, "i@x"))))
	if len(m.Attachments) != 1 || !m.Attachments[0].Inline || m.Attachments[0].ContentType != "image/png" {
		t.Errorf("attachments %+v", m.Attachments)
	}
}

// TestWinmailLimits: as many files as there may be parts, in a container of any size.
func TestWinmailLimits(t *testing.T) {
	stream := tneftest.New()
	for i := range 50 {
		stream = stream.File(fmt.Sprint(i), []byte{byte(i)})
	}
	mail := winmail("hello", stream)
	m, err := parser.Parse(strings.NewReader(mail), int64(len(mail)), parser.Limits{Parts: 10})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.LimitsHit, []string{parser.LimitParts}) || len(m.Attachments) != 8 || m.Attachments[0].Filename != "winmail.dat" {
		t.Errorf("limits %v, %d attachments", m.LimitsHit, len(m.Attachments))
	}
	deep := tneftest.New().Body("x")
	for range 20 {
		deep = tneftest.New().Embedded("m", deep)
	}
	if m := parse(t, winmail("hello", deep)); !slices.Contains(m.LimitsHit, parser.LimitDepth) || m.Attachments[0].Filename != "winmail.dat" {
		t.Errorf("limits %v, attachments %v", m.LimitsHit, m.Attachments)
	}
}

// TestWinmailRandomAccess: each of many files is right, and reading all of them reads the container only a few times over,
// in every encoding.
func TestWinmailRandomAccess(t *testing.T) {
	stream := tneftest.New()
	content := make([][]byte, 200)
	for i := range content {
		content[i] = bytes.Repeat([]byte(fmt.Sprintf("%d=\r\n\x00.", i)), 3000+i)
		stream = stream.File(fmt.Sprint(i), content[i])
	}
	for _, c := range []struct{ encoding, body string }{
		{"base64", inLines(base64.StdEncoding.EncodeToString(stream))},
		{"base64", base64.StdEncoding.EncodeToString(stream)},
		{"binary", string(stream)},
		{"quoted-printable", quoted(stream)},
	} {
		raw := []byte("Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: " + c.encoding + "\r\n\r\n" + c.body)
		r := &counting{ReaderAt: bytes.NewReader(raw)}
		m, err := parser.Parse(r, int64(len(raw)), parser.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Attachments) != len(content) {
			t.Fatalf("%s: %d attachments", c.encoding, len(m.Attachments))
		}
		for i, p := range m.Attachments {
			if got, err := io.ReadAll(p.Open()); err != nil || !bytes.Equal(got, content[i]) {
				t.Fatalf("%s: attachment %d: %d octets, %v, want %d", c.encoding, i, len(got), err, len(content[i]))
			}
		}
		if r.octets > int64(len(raw))*15 {
			t.Errorf("%s: %d octets read of %d", c.encoding, r.octets, len(raw))
		}
	}
}

// quoted is quoted-printable in which every octet is escaped.
func quoted(b []byte) string {
	var s strings.Builder
	for i, c := range b {
		fmt.Fprintf(&s, "=%02X", c)
		if i%20 == 19 {
			s.WriteString("=\r\n")
		}
	}
	return s.String()
}
