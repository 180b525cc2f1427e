package parser_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
)

const trace = "Received: from mail.sender.example (mail.sender.example [203.0.113.7])\r\n" +
	"\tby mx.example.com with ESMTPS id 4Xyz; Sat, 21 Nov 2026 18:30:00 +0000\r\n"

// alternative is a usual mail: trace fields, a text and its HTML, of about size octets.
func alternative(size int) []byte {
	text := strings.Repeat("Good morning, here are the figures for this week, as promised. K=C3=BCche!\r\n", size/3/77)
	html := "<html><body>" + strings.Repeat("<p style=3D\"margin:0\">Good morning, here are the figures.</p>\r\n", size*2/3/66) + "</body></html>\r\n"
	return []byte("Return-Path: <ann@sender.example>\r\n" + strings.Repeat(trace, 4) +
		"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=s1;\r\n\th=from:to:subject; bh=" + strings.Repeat("x", 44) + ";\r\n\tb=" + strings.Repeat("y", 300) + "\r\n" +
		"From: =?utf-8?Q?Ann_K=C3=BChn?= <ann@sender.example>\r\nTo: Bob <bob@in.example.com>, \"Desk, Help\" <help@in.example.com>\r\n" +
		"Subject: =?utf-8?B?RmlndXJlcyBmw7xyIHRoZSB3ZWVr?=\r\nDate: Sat, 21 Nov 2026 18:29:55 +0000\r\nMessage-ID: <abc@sender.example>\r\n" +
		"References: <1@sender.example> <2@sender.example>\r\nIn-Reply-To: <2@sender.example>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/alternative; boundary=\"=_alt_1\"\r\n\r\n" +
		"--=_alt_1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + text +
		"\r\n--=_alt_1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + html +
		"\r\n--=_alt_1--\r\n")
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

func benchmarkParse(b *testing.B, raw []byte) {
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range m.Attachments {
			if _, err := io.Copy(io.Discard, p.Open()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkParse is the work that dispatch asks for: every field, attachments decoded into a discarding sink.
func BenchmarkParse(b *testing.B) {
	for _, size := range []int{10 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("alternative-%dk", size>>10), func(b *testing.B) { benchmarkParse(b, alternative(size)) })
	}
	for _, size := range []int{100 << 10, 25 << 20} {
		b.Run(fmt.Sprintf("attachment-%dk", size>>10), func(b *testing.B) { benchmarkParse(b, withAttachment(size)) })
	}
}
