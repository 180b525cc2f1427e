package parser_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
)

const trace = "Received: from mail.sender.example (mail.sender.example [203.0.113.7])\r\n" +
	"\tby mx.example.com with ESMTPS id 4Xyz; Sat, 21 Nov 2026 18:30:00 +0000\r\n"

const (
	textLine = "Good morning, here are the figures for this week, as promised. K=C3=BCche!\r\n"
	htmlLine = "<p style=3D\"margin:0\">Good morning, here are the figures.</p>\r\n"
)

// frame is about what alternativeOf adds to its two parts.
const frame = 2 << 10

// alternative is a usual mail: trace fields, a text and its HTML, of about size octets.
func alternative(size int) []byte {
	size -= frame
	return alternativeOf(strings.Repeat(textLine, size/3/len(textLine)), strings.Repeat(htmlLine, size*2/3/len(htmlLine)))
}

// quoting is such a mail whose second half is another one, quoted as Gmail does it.
func quoting(size int) []byte {
	const by = "On Mon, Nov 16, 2026 at 10:00 AM Bob Smith <bob@in.example.com> wrote:\r\n\r\n"
	const byHTML = "<div class=3D\"gmail_quote\"><div class=3D\"gmail_attr\">On Mon, Nov 16, 2026 at 10:00 AM Bob Smith &lt;<a href=3D\"mailto:bob@in.example.com\">bob@in.example.com</a>&gt; wrote:<br></div><blockquote class=3D\"gmail_quote\">\r\n"
	size -= frame
	text, html := strings.Repeat(textLine, size/6/len(textLine)), strings.Repeat(htmlLine, size/3/len(htmlLine))
	return alternativeOf(text+"\r\n"+by+strings.ReplaceAll("\n"+text, "\n", "\n> ")[1:], html+byHTML+html+"</blockquote></div>\r\n")
}

func alternativeOf(text, html string) []byte {
	return []byte("Return-Path: <ann@sender.example>\r\n" + strings.Repeat(trace, 4) +
		"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=s1;\r\n\th=from:to:subject; bh=" + strings.Repeat("x", 44) + ";\r\n\tb=" + strings.Repeat("y", 300) + "\r\n" +
		"From: =?utf-8?Q?Ann_K=C3=BChn?= <ann@sender.example>\r\nTo: Bob <bob@in.example.com>, \"Desk, Help\" <help@in.example.com>\r\n" +
		"Subject: =?utf-8?B?RmlndXJlcyBmw7xyIHRoZSB3ZWVr?=\r\nDate: Sat, 21 Nov 2026 18:29:55 +0000\r\nMessage-ID: <abc@sender.example>\r\n" +
		"References: <1@sender.example> <2@sender.example>\r\nIn-Reply-To: <2@sender.example>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/alternative; boundary=\"=_alt_1\"\r\n\r\n" +
		"--=_alt_1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + text +
		"\r\n--=_alt_1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<html><body>" + html +
		"</body></html>\r\n\r\n--=_alt_1--\r\n")
}

// withAttachment is a mail of about size octets, nearly all of it one attachment in base64.
func withAttachment(size int) []byte {
	var b bytes.Buffer
	b.WriteString("From: ann@sender.example\r\nTo: bob@in.example.com\r\nSubject: The file\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n" +
		"--m\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"a.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	line := make([]byte, 57)
	for i := range size / 78 {
		line[i%57]++
		b.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
	}
	b.WriteString("--m--\r\n")
	return b.Bytes()
}

func benchmarkParse(b *testing.B, r io.ReaderAt, raw []byte) {
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := parser.Parse(r, int64(len(raw)), parser.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range m.Attachments {
			hash := sha256.New()
			if _, err := io.Copy(hash, p.Open()); err != nil {
				b.Fatal(err)
			}
			hash.Sum(nil)
		}
	}
}

// BenchmarkParse is the work that dispatch asks for: every field, reply and kind included, attachments decoded and hashed. The
// server holds small messages in memory already, and reads large ones from a file.
func BenchmarkParse(b *testing.B) {
	run := func(name string, size int, mail func(int) []byte, held bool) {
		raw := mail(size)
		var r io.ReaderAt = bytes.NewReader(raw)
		if held {
			r = parser.Octets(raw)
		}
		b.Run(fmt.Sprintf("%s-%dk", name, size>>10), func(b *testing.B) { benchmarkParse(b, r, raw) })
	}
	for _, size := range []int{10 << 10, 100 << 10} {
		run("alternative", size, alternative, true)
		run("quoting", size, quoting, true)
		run("attachment", size, withAttachment, true)
	}
	run("attachment", 25<<20, withAttachment, false)
}
