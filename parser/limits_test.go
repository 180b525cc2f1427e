package parser_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
)

// TestLimits: each limit stops where it says, and what came before is there.
func TestLimits(t *testing.T) {
	three := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b\r\n\r\nthree\r\n--b--\r\n"
	for _, c := range []struct {
		name, mail, want string
		limits           parser.Limits
	}{
		{"parts", three, "\"\" multipart/mixed\n\"1\" text/plain\n\"2\" text/plain\ntext \"one\\ntwo\"\nlimit parts\n", parser.Limits{Parts: 3}},
		{"body", three, "\"\" multipart/mixed\n\"1\" text/plain\n\"2\" text/plain\n\"3\" text/plain\ntext \"one\\nt\"\nlimit body-bytes\n", parser.Limits{BodyBytes: 5}},
		{"a character is not cut", "\r\n\u00e9\u00e9\u00e9", "\"1\" text/plain\ntext \"éé\"\ndefect charset-missing \"1\"\nlimit body-bytes\n", parser.Limits{BodyBytes: 5}},
		{"depth", nest(3, true), "\"\" multipart/mixed\n\"1\" multipart/mixed\nattachment 1 \"\" \"--b1\\r\\nContent-Type: multipart/mixed; boundary=b2\\r\\n\\r\\n--b2\\r\\n\\r\\nx\\r\\n--b2--\\r\\n--b1--\"\nlimit depth\n", parser.Limits{Depth: 1}},
		{"header count", "A: 1\r\nB: 2\r\n\r\nx", "\"1\" text/plain\ntext \"x\"\nlimit header-count\n", parser.Limits{HeaderCount: 1}},
		{"header bytes", "A: 1\r\nB: 222222222222222222222\r\n\r\nx", "\"1\" text/plain\ntext \"x\"\nlimit header-bytes\n", parser.Limits{HeaderBytes: 10}},
		{"boundary", three, "\"1\" text/plain\ntext \"--bb\\n\"\nlimit boundary-length\n", parser.Limits{Boundary: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mail := c.mail
			if c.name == "boundary" {
				mail = "Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n"
			}
			m, err := parser.Parse(strings.NewReader(mail), int64(len(mail)), c.limits)
			if err != nil {
				t.Fatal(err)
			}
			if got := outline(t, m); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// beyond has a mail for every word of Message.LimitsHit: one that is just within the limit, and one beyond it.
var beyond = []struct {
	word         string
	what         string
	mail         func(n int) string
	within, over int
}{
	{parser.LimitDepth, "multiparts", func(n int) string { return nest(n, true) }, 32, 33},
	{parser.LimitDepth, "messages", func(n int) string {
		return strings.Repeat("Content-Type: message/rfc822\r\n\r\n", n) + "\r\nx"
	}, 32, 33},
	{parser.LimitParts, "parts", func(n int) string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", n) + "--b--\r\n"
	}, 999, 1000},
	{parser.LimitHeaderBytes, "header", func(n int) string { return "A: " + strings.Repeat("x", n-len("A: \r\n\r\n")) + "\r\n\r\nx" }, 256 << 10, 256<<10 + 1},
	{parser.LimitHeaderBytes, "headers of all parts", func(n int) string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nX: "+strings.Repeat("y", 100_000)+"\r\n\r\nx\r\n", n)
	}, 10, 12},
	{parser.LimitHeaderCount, "fields", func(n int) string { return strings.Repeat("A: b\r\n", n) + "\r\nx" }, 1000, 1001},
	{parser.LimitBoundary, "boundary", func(n int) string {
		b := strings.Repeat("b", n)
		return "Content-Type: multipart/mixed; boundary=" + b + "\r\n\r\n--" + b + "\r\n\r\nx\r\n--" + b + "--\r\n"
	}, 1000, 1001},
	{parser.LimitParameters, "parameters", func(n int) string { return "Content-Type: text/plain" + strings.Repeat("; a=b", n) + "\r\n\r\nx" }, 64, 65},
	{parser.LimitParameters, "parameters of a multipart", func(n int) string {
		return "Content-Type: multipart/mixed" + strings.Repeat("; a=b", n-1) + "; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"
	}, 64, 65},
	{parser.LimitParameters, "octets of a disposition", func(n int) string {
		return "Content-Disposition: attachment; filename=" + strings.Repeat("f", n-len("attachment; filename=")) + "\r\n\r\nx"
	}, 2048, 2049},
	{parser.LimitEncodedWords, "encoded-words", func(n int) string { return "Subject: " + strings.Repeat("=?utf-8?Q?a?= ", n) + "\r\n\r\nx" }, 2500, 2501},
	{parser.LimitAddresses, "addresses", func(n int) string { return "To: " + strings.Repeat("a@b,", n) + "\r\n\r\nx" }, 1000, 1001},
	{parser.LimitNestedBytes, "messages in base64", func(n int) string {
		return "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
			base64.StdEncoding.EncodeToString([]byte("\r\n"+strings.Repeat("x", n-2))) + "\r\n"
	}, 1 << 20, 1<<20 + 1},
	{parser.LimitBodyBytes, "text", func(n int) string { return "\r\n" + strings.Repeat("x", n) }, 2 << 20, 2<<20 + 1},
	{parser.LimitBodyBytes, "html", func(n int) string {
		return "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\n" + strings.Repeat("x", n) + "\r\n--b--\r\n"
	}, 2 << 20, 2<<20 + 1},
	{parser.LimitBodyBytes, "html made text", func(n int) string { return "Content-Type: text/html\r\n\r\n" + strings.Repeat("x", n) }, 512 << 10, 512<<10 + 1},
	{parser.LimitReply, "lines of text", func(n int) string { return "\r\n" + strings.Repeat("x\r\n", n-1) }, 50_000, 50_001},
	{parser.LimitReply, "html that quotes", func(n int) string {
		const quote = "<blockquote>x</blockquote>"
		return "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\n" + quote + strings.Repeat("x", n-len(quote)) + "\r\n--b--\r\n"
	}, 1 << 20, 1<<20 + 1},
	{parser.LimitCalendar, "events", func(n int) string {
		return "Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n" + strings.Repeat("BEGIN:VEVENT\r\nDTSTART:20200101T000000Z\r\nEND:VEVENT\r\n", n) + "END:VCALENDAR\r\n"
	}, 100, 101},
	{parser.LimitReport, "recipients of a report", func(n int) string {
		return "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n" +
			strings.Repeat("Final-Recipient: rfc822; a@b\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n", n) + "\r\n--b--\r\n"
	}, 900, 1001},
	{parser.LimitDefects, "defects", func(n int) string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: rubbish\r\nContent-Disposition: attachment\r\n\r\nx\r\n", n) + "--b--\r\n"
	}, 100, 101},
}

// TestBeyondLimits: by default each limit is where it is said to be; beyond it the word is there, and so is the rest of the message.
func TestBeyondLimits(t *testing.T) {
	for _, c := range beyond {
		t.Run(c.what, func(t *testing.T) {
			read := func(n int) *parser.Message {
				mail := "From: ann@example.com\r\n" + c.mail(n)
				if c.word == parser.LimitHeaderCount || c.what == "header" {
					mail = c.mail(n)
				}
				m, err := parser.Parse(strings.NewReader(mail), int64(len(mail)), parser.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(mail, "From:") && len(m.From) != 1 {
					t.Errorf("from %v", m.From)
				}
				return m
			}
			if m := read(c.within); len(m.LimitsHit) > 0 {
				t.Errorf("%d: limits %q", c.within, m.LimitsHit)
			}
			if m := read(c.over); !slices.Equal(m.LimitsHit, []string{c.word}) {
				t.Errorf("%d: limits %q, want %s", c.over, m.LimitsHit, c.word)
			}
		})
	}
}

// TestLimitsDocumented: every word has a row in the document, and every row a word that was tried here.
func TestLimitsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, c := range beyond {
		words[c.word] = true
		if !strings.Contains(string(text), fmt.Sprintf("\n| `%s` |", c.word)) {
			t.Errorf("%s is not in docs/limits.md", c.word)
		}
	}
	if n := strings.Count(string(text), "\n| `"); n != len(words)+1 { // "parser" is of the server
		t.Errorf("%d words in docs/limits.md, %d here", n, len(words))
	}
}
