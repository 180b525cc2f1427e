package parser_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser"
)

// parse reads a message written with bare line feeds as if it had come over SMTP, and checks what must hold of any.
func parse(t *testing.T, mail string) *parser.Message {
	t.Helper()
	return checkMessage(t, t.Name(), []byte(strings.ReplaceAll(mail, "\n", "\r\n")))
}

// outline writes the tree, the bodies and the attachments of a message in a few lines.
func outline(t *testing.T, m *parser.Message) string {
	t.Helper()
	var b strings.Builder
	var walk func(p *parser.Part)
	walk = func(p *parser.Part) {
		fmt.Fprintf(&b, "%q %s\n", p.ID, p.ContentType)
		for _, child := range p.Parts {
			walk(child)
		}
		if p.Message != nil {
			walk(p.Message.Root)
		}
	}
	walk(m.Root)
	if m.Text != nil {
		fmt.Fprintf(&b, "text %q\n", *m.Text)
	}
	if m.HTML != nil {
		fmt.Fprintf(&b, "html %q\n", *m.HTML)
	}
	for _, p := range m.Attachments {
		fmt.Fprintf(&b, "attachment %s %q %q\n", p.ID, p.Filename, decoded(t, p))
	}
	for _, d := range m.Defects {
		fmt.Fprintf(&b, "defect %s %q\n", d.Code, d.Part)
	}
	for _, l := range m.LimitsHit {
		fmt.Fprintf(&b, "limit %s\n", l)
	}
	return b.String()
}

func decoded(t *testing.T, p *parser.Part) string {
	t.Helper()
	b, err := io.ReadAll(p.Open())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestStructure has one case for each way in which mail is put together or broken.
func TestStructure(t *testing.T) {
	for _, c := range []struct{ name, mail, want string }{
		{"plain", "Subject: x\n\nhello\n", `"1" text/plain
text "hello\n"
`},
		{"empty", "", `"1" text/plain
text ""
`},
		{"header only", "Subject: x\n", `"1" text/plain
text ""
`},
		{"alternative", "Content-Type: multipart/alternative; boundary=b\n\npreamble\n--b\n\none\n--b\nContent-Type: text/html\n\n<p>one\n--b--\nepilogue\n", `"" multipart/alternative
"1" text/plain
"2" text/html
text "one"
html "<p>one"
`},
		{"texts joined, footer of a list", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--c\nContent-Type: text/html\n\n<p>one\n--c--\n--b\n\nfooter\n--b--\n", `"" multipart/mixed
"1" multipart/alternative
"1.1" text/plain
"1.2" text/html
"2" text/plain
text "one\nfooter"
html "<p>one"
`},
		{"html with a plain footer", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>one</p>\n--b\n\nfooter\n--b--\n", `"" multipart/mixed
"1" text/html
"2" text/plain
text "one\nfooter"
html "<p>one</p>"
`},
		{"html between pictures", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: text/html\n\n<p>a\n--c\nContent-Type: image/png; name=x.png\n\nPNG\n--c\nContent-Type: text/html\n\n<p>b\n--c--\n--b--\n", `"" multipart/alternative
"1" text/plain
"2" multipart/mixed
"2.1" text/html
"2.2" image/png
"2.3" text/html
text "one"
html "<p>a\n<p>b"
attachment 2.2 "x.png" "PNG"
`},
		{"named and attached texts", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: text/plain; name=notes.txt\n\nnotes\n--b\nContent-Type: text/csv; charset=iso-8859-1\nContent-Disposition: attachment; filename=a.csv\nContent-Transfer-Encoding: base64\n\n5Dv2Cg==\n--b\nContent-Disposition: weird\n\nodd\n--b--\n", `"" multipart/mixed
"1" text/plain
"2" text/plain
"3" text/csv
"4" text/plain
text "one"
attachment 2 "notes.txt" "notes"
attachment 3 "a.csv" "\xe4;\xf6\n"
attachment 4 "" "odd"
`},
		{"no content-type, but a name", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Disposition: attachment; filename=\"x y.txt\"\nContent-ID: <c+d@e>\n\ntwo\n--b--\n", `"" multipart/mixed
"1" text/plain
"2" text/plain
text "one"
attachment 2 "x y.txt" "two"
`},
		{"nested message", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nsee\n--b\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\ndeep\n--c--\n--b--\n", `"" multipart/mixed
"1" text/plain
"2" message/rfc822
"2" multipart/mixed
"2.1" text/plain
text "see"
attachment 2 "" "Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\ndeep\r\n--c--"
`},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: inner\n\ndeep\n--b--\n", `"" multipart/digest
"1" message/rfc822
"1.1" text/plain
attachment 1 "" "Subject: inner\r\n\r\ndeep"
`},
		{"message in base64", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogaW5uZXINCg0KZGVlcA==\n", `"1" message/rfc822
"1.1" text/plain
attachment 1 "" "Subject: inner\r\n\r\ndeep"
defect encoding-on-container "1"
`},
		{"multipart in base64", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\nLS1iDQoNCm9uZQ0KLS1iLS0NCg==\n", `"" multipart/mixed
"1" text/plain
text "one"
defect encoding-on-container ""
`},
		{"multipart that only says base64", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\none\n--b--\n", `"" multipart/mixed
"1" text/plain
text "one"
defect encoding-on-container ""
`},
		{"boundary never appears", "Content-Type: multipart/mixed; boundary=b\n\n--c\n\none\n--c--\n", `"1" text/plain
text "--c\n\none\n--c--\n"
defect boundary-not-found "1"
`},
		{"boundary in mid-line", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none --b\nand --b--\n--b--\n", `"" multipart/mixed
"1" text/plain
text "one --b\nand --b--"
`},
		{"boundary that begins another", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--bc\none\n--b-\n--b--\n", `"" multipart/mixed
"1" text/plain
text "--bc\none\n--b-"
`},
		{"white space behind the boundary", "Content-Type: multipart/mixed; boundary=\"b \"\n\n--b  \t\n\none\n--b-- \n", `"" multipart/mixed
"1" text/plain
text "one"
`},
		{"no boundary", "Content-Type: multipart/mixed\n\n--b\n\none\n", `"1" text/plain
text "--b\n\none\n"
defect boundary-missing "1"
`},
		{"not closed", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--b\n\ntwo\n", `"" multipart/mixed
"1" multipart/mixed
"1.1" text/plain
"2" text/plain
text "one\ntwo\n"
defect boundary-unclosed "1"
defect boundary-unclosed ""
`},
		{"one boundary for two multiparts", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n--b--\n", `"" multipart/mixed
"1" multipart/mixed
"1.1" text/plain
"2" text/plain
text "one\ntwo"
`},
		{"one boundary for two, and another between", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n--b--\n", `"" multipart/mixed
"1" multipart/mixed
"1.1" multipart/mixed
"1.1.1" text/plain
"2" text/plain
text "one\ntwo"
defect boundary-unclosed "1"
`},
		{"part without header", "Content-Type: multipart/mixed; boundary=b\n\n--b\nno header here\n--b--\n", `"" multipart/mixed
"1" text/plain
text "no header here"
defect header-separator "1"
`},
		{"type that is none", "Content-Type: nonsense\n\none\n", `"1" text/plain
text "one\n"
defect content-type-malformed "1"
`},
		{"mangled type", "Content-Type: text/html text/plain; charset=utf-8\n\n<p>x\n", `"1" text/html
text "x\n"
html "<p>x\n"
`},
		{"mbox", "From ann@x Mon Jan  1 00:00:00 2024\nSubject: x\n\none\n", `"1" text/plain
text "one\n"
defect mbox-from "1"
`},
		{"lost indent", "Subject: a long\nline of it\nFrom: a@b\n\none\n", `"1" text/plain
text "one\n"
defect header-unindented "1"
`},
		{"header runs into body", "Subject: x\nHello there,\n\nText.\n", `"1" text/plain
text "Hello there,\n\nText.\n"
defect header-separator "1"
`},
		{"empty text beside html", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n\n--b\nContent-Type: text/html\n\n<div>one</div><div>two</div>\n--b--\n", `"" multipart/alternative
"1" text/plain
"2" text/html
text "one\ntwo\n"
html "<div>one</div><div>two</div>"
`},
		{"private encoding", "Content-Type: text/plain\nContent-Transfer-Encoding: x-gzip64\n\nH4sI\n", `"1" text/plain
attachment 1 "" "H4sI\r\n"
defect encoding-unknown "1"
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, outline(t, parse(t, c.mail))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestLineEnds: octets that RFC 5322 forbids are named; a lone LF ends lines, a lone CR does not.
func TestLineEnds(t *testing.T) {
	m := checkMessage(t, "line ends", []byte("Subject: a\nX: b\rc: d\r\n\r\none\rtwo\nthree\x00\r\n"))
	want := `"1" text/plain
text "one\rtwo\nthree\n"
defect nul ""
defect bare-cr ""
defect bare-lf ""
`
	if diff := cmp.Diff(want, outline(t, m)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(m.Headers) != 2 || m.Headers[1].Value != "b c: d" {
		t.Errorf("headers: %q", m.Headers)
	}
}

// TestFields: what a message says of itself in its header.
func TestFields(t *testing.T) {
	m := parse(t, "Received: a\nReceived: b\nSubject: =?utf-8?q?caf=C3=A9?=\n folded\nSubject: second\nFrom: Ann <ann@x.example>\nSender: s@x.example\n"+
		"To: a@x.example\nTo: b@x.example\nCc: Team: c@x.example;\nMessage-ID: <id@x>\nIn-Reply-To: Your mail <b@x>\nReferences: <a@x>\n <b@x>\n"+
		"Date: Fri, 21 Nov 1997 09:55:06 -0600 (CST)\n\n")
	var names []string
	for _, h := range m.Headers {
		names = append(names, h.Name+"="+h.Value)
	}
	wantNames := []string{"Received=a", "Received=b", "Subject=café folded", "Subject=second"}
	if diff := cmp.Diff(wantNames, names[:4]); diff != "" {
		t.Error(diff)
	}
	if m.Headers[2].Raw != "=?utf-8?q?caf=C3=A9?= folded" || m.Subject != "café folded" {
		t.Errorf("raw %q, subject %q", m.Headers[2].Raw, m.Subject)
	}
	if diff := cmp.Diff([]parser.Address{{Address: "a@x.example"}, {Address: "b@x.example"}}, m.To); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]parser.Address{{Address: "c@x.example", Group: "Team"}}, m.Cc); diff != "" {
		t.Error(diff)
	}
	if m.MessageID != "id@x" || !cmp.Equal(m.InReplyTo, []string{"b@x"}) || !cmp.Equal(m.References, []string{"a@x", "b@x"}) {
		t.Errorf("ids %q %q %q", m.MessageID, m.InReplyTo, m.References)
	}
	if got := m.Date.Format("2006-01-02T15:04:05Z07:00"); got != "1997-11-21T15:55:06Z" || !strings.HasSuffix(m.DateRaw, "(CST)") {
		t.Errorf("date %s from %q", got, m.DateRaw)
	}
	if m.Sender == nil || m.Sender.Address != "s@x.example" {
		t.Errorf("sender %v", m.Sender)
	}
	first := parse(t, "Message-ID: <a@x>\n\n")
	if first.ThreadID != m.ThreadID || !strings.HasPrefix(m.ThreadID, "thr_") {
		t.Errorf("thread %q, its first mail %q", m.ThreadID, first.ThreadID)
	}
	if parse(t, "Subject: x\n\n").ThreadID != "" {
		t.Error("a thread without any id")
	}
}

// TestMessageIDs: the forms in which ids come.
func TestMessageIDs(t *testing.T) {
	for raw, want := range map[string][]string{
		"<a@x> <b@x>":             {"a@x", "b@x"},
		"<a@x>,<b@x>":             {"a@x", "b@x"},
		"a@x b@x":                 {"a@x", "b@x"},
		"<<a@x>>":                 {"a@x"},
		"<a@\n x>":                {"a@x"},
		"=?utf-8?q?=3Ca=40x=3E?=": {"a@x"},
		"=?utf-8?q?=3Clong-id-that-a-program-folded?=\n =?utf-8?q?=40x=3E?= =?us-ascii?Q?_=3Cb=40x=3E?=": {"long-id-that-a-program-folded@x", "b@x"},
		"Your mail of Monday": nil,
		"":                    nil,
	} {
		if m := parse(t, "References: "+raw+"\n\n"); !cmp.Equal(m.References, want) {
			t.Errorf("%q is %q, want %q", raw, m.References, want)
		}
	}
}

// TestInline: only a part that the HTML shows is inline.
func TestInline(t *testing.T) {
	m := parse(t, "Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n<img src=\"cid:a%2Bb@c\"> <img src=cid:d@e>\n"+
		"--b\nContent-Type: image/png\nContent-ID: <a+b@c>\n\nx\n--b\nContent-Type: image/png\nContent-ID: d@e\n\nx\n--b\nContent-Type: image/png\nContent-ID: <f@g>\n\nx\n--b--\n")
	var got []bool
	for _, p := range m.Attachments {
		got = append(got, p.Inline)
	}
	if !cmp.Equal(got, []bool{true, true, false}) {
		t.Errorf("inline %v", got)
	}
}

// TestNestedSummary: a nested message has its own fields, tree and list of attachments.
func TestNestedSummary(t *testing.T) {
	m := parse(t, "Content-Type: message/rfc822\n\nSubject: inner\nFrom: i@x.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: image/png; name=a.png\n\nx\n--b--\n")
	n := m.Attachments[0].Message
	if n == nil || n.Subject != "inner" || len(n.From) != 1 || n.Text != nil {
		t.Fatalf("nested %+v", n)
	}
	if len(n.Attachments) != 1 || n.Attachments[0].ID != "1.2" || decoded(t, n.Attachments[0]) != "x" {
		t.Errorf("its attachments %+v", n.Attachments)
	}
}
