package parser_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/letterhook/letterhook/parser"
)

// TestOpen: transfer encodings as they arrive, and the damage that is named.
func TestOpen(t *testing.T) {
	for _, c := range []struct{ name, encoding, body, want, defect string }{
		{"7bit", "7bit", "a\r\nb\r\n", "a\r\nb\r\n", ""},
		{"base64", "base64", "aGVs\r\nbG8=\r\n", "hello", ""},
		{"base64 with a comment", "Base64 (x)", "aGVsbG8=", "hello", ""},
		{"base64 in quotes", `"base64"`, "aGVsbG8=", "hello", ""},
		{"base64 on odd lines", "base64", "aGV\r\nsbG\r\n8=\r\n", "hello", ""},
		{"base64 with spaces", "base64", " aGVs bG8=\r\n", "hello", ""},
		{"base64 noise", "base64", "aG!V#sbG8=\r\n", "hello", parser.DefectBase64Noise},
		{"base64 cut, 2 of 4", "base64", "aGVsbA\r\n", "hell", parser.DefectBase64Truncated},
		{"base64 cut, 1 of 4", "base64", "aGVsb\r\n", "hel", parser.DefectBase64Truncated},
		{"base64 blocks with padding", "base64", "YQ==\r\nYmM=\r\nZGVm\r\n", "abcdef", ""},
		{"base64 blocks in one line", "base64", "YQ==YmM=\r\n", "abc", ""},
		{"base64 in groups", "base64", "YWJj ZGVm Z2hp amts bW5v\r\ncHFy c3R1 dnd4 eXph YQ==\r\n", "abcdefghijklmnopqrstuvwxyzaa", ""},
		{"base64 in groups, amid other lines", "base64", "YWJj\r\nZGVmZ2 hpamts bW5vcH Fyc3R1\r\ndnd4\r\n", "abcdefghijklmnopqrstuvwx", ""},
		{"base64 and words of one length", "base64", "aGVs\r\nthis list, sent here\r\n", "hel", parser.DefectBase64Trailing},
		{"base64 and a list's footer", "base64", "aGVsbG8=\r\n____________\r\nlist mailing list\r\n", "hello", parser.DefectBase64Trailing},
		{"base64 and a sentence", "base64", "aGVs\r\nThe list has a new address\r\n", "hel", parser.DefectBase64Trailing},
		{"base64 and a word behind its padding", "base64", "aGVsbG8= ignored\r\n", "hello", parser.DefectBase64Trailing},
		{"base64 blocks with a space between", "base64", "YQ== YmM= ZGVm\r\n", "abcdef", ""},
		{"a word, not base64", "base64", "Thank you!\r\n", "Thank you!\r\n", parser.DefectBase64Missing},
		{"one line of base64 with noise", "base64", "aGVs!!!bG8h\r\n", "hello!", parser.DefectBase64Noise},
		{"prose, not base64", "base64", "This is no base64 at all.\r\nHello\r\n", "This is no base64 at all.\r\nHello\r\n", parser.DefectBase64Missing},
		{"quoted-printable", "quoted-printable", "caf=C3=A9=\r\n au lait  \r\n", "caf\u00e9 au lait\r\n", ""},
		{"quoted-printable, lower case", "Quoted-Printable", "=c3=a9", "\u00e9", ""},
		{"quoted-printable, space behind the soft break", "quoted-printable", "a= \r\nb", "ab", ""},
		{"quoted-printable, bad escapes", "quoted-printable", "1=2 =ZZ a=\r\n", "1=2 =ZZ a", parser.DefectQuotedPrintable},
		{"quoted-printable, cut", "quoted-printable", "a=", "a", ""},
		{"uuencode", "x-uuencode", "begin 644 a\r\n#0V%T\r\n`\r\nend\r\n", "Cat", ""},
		{"uuencode, cut", "uuencode", "begin 644 a\r\n#0V\r\n", "", parser.DefectUUEncode},
		{"unknown", "rot13", "a", "a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := checkMessage(t, c.name, []byte("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: "+c.encoding+"\r\n\r\n"+c.body))
			content := m.Attachments[0].Open()
			got, err := io.ReadAll(iotest.OneByteReader(content))
			if err != nil || !strings.HasPrefix(string(got), c.want) || c.name != "uuencode, cut" && string(got) != c.want {
				t.Errorf("%q (%v), want %q", got, err, c.want)
			}
			var codes []string
			for _, d := range content.Defects() {
				codes = append(codes, d.Code)
			}
			if strings.Join(codes, " ") != c.defect {
				t.Errorf("defects %q, want %q", codes, c.defect)
			}
		})
	}
}

// TestOpenLarge: bodies longer than any buffer come out exactly, whatever their line lengths.
func TestOpenLarge(t *testing.T) {
	body := make([]byte, 300_000)
	if _, err := rand.Read(body); err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString(body)
	var lines strings.Builder
	for s := encoded; s != ""; {
		n := min(len(s), 75) // groups broken across lines
		lines.WriteString(s[:n] + "\r\n")
		s = s[n:]
	}
	var qp bytes.Buffer
	w := quotedprintable.NewWriter(&qp)
	w.Binary = true
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, sent := range map[string]struct{ encoding, body string }{
		"one line":         {"base64", encoded},
		"lines":            {"base64", lines.String()},
		"quoted-printable": {"quoted-printable", qp.String()},
		"qp, one line":     {"quoted-printable", strings.ReplaceAll(qp.String(), "=\r\n", "")},
	} {
		raw := []byte("Content-Type: image/png\r\nContent-Transfer-Encoding: " + sent.encoding + "\r\n\r\n" + sent.body)
		for _, padding := range []int{0, 600_000} { // held in memory, and streamed
			mail := append(bytes.Clone(raw), bytes.Repeat([]byte("\r\n"), padding/2)...)
			m, err := parser.Parse(bytes.NewReader(mail), int64(len(mail)), parser.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(m.Attachments[0].Open())
			if err != nil || !bytes.Equal(bytes.TrimRight(got, "\r\n"), bytes.TrimRight(body, "\r\n")) {
				t.Errorf("%s, padding %d: %d octets, error %v", name, padding, len(got), err)
			}
		}
	}
}

// TestCharset: the declared charset is believed unless the octets contradict it.
func TestCharset(t *testing.T) {
	for _, c := range []struct{ charset, body, want, used, defect string }{
		{"utf-8", "caf\u00e9", "café", "utf-8", ""},
		{"UTF8", "caf\u00e9", "café", "utf-8", ""},
		{"", "cafe", "cafe", "utf-8", ""},
		{"", "caf\u00e9", "café", "utf-8", parser.DefectCharsetMissing},
		{"", "caf\xe9", "café", "windows-1252", parser.DefectCharsetMissing},
		{"us-ascii", "caf\u00e9", "café", "utf-8", parser.DefectCharsetInvalid},
		{"us-ascii", "caf\xe9", "café", "windows-1252", parser.DefectCharsetInvalid},
		{"iso-8859-1", "\x93caf\xe9\x94", "“café”", "windows-1252", ""},
		{"iso-8859-1", "caf\u00e9", "cafÃ©", "windows-1252", ""},
		{"iso-8859-2", "\xb3", "ł", "iso-8859-2", ""},
		{"utf-8", "caf\xe9", "café", "windows-1252", parser.DefectCharsetInvalid},
		{"utf-8", "\u00e9\u00e9\u00e9\xe9", "ééé\ufffd", "utf-8", parser.DefectCharsetInvalid},
		{"x-nobody", "caf\u00e9", "café", "utf-8", parser.DefectCharsetUnknown},
		{"shift_jis", "\x93\xfa\x96{", "日本", "shift_jis", ""},
		{"gb2312", "\xc4\xe3\xba\xc3", "你好", "gbk", ""},
		{"gb18030", "\xc4\xe3\xba\xc3", "你好", "gb18030", ""},
		{"big5", "\xa7A\xa6n", "你好", "big5", ""},
		{"ks_c_5601-1987", "\xb0\xa1", "가", "euc-kr", ""},
		{"koi8-r", "\xf0\xd2", "Пр", "koi8-r", ""},
		{"iso-2022-jp", "\x1b$BF|K\\\x1b(B", "日本", "iso-2022-jp", ""},
		{"utf-16", "\xff\xfea\x00\xe9\x00", "aé", "utf-16le", ""},
		{"utf-16be", "\x00a\x00\xe9", "aé", "utf-16be", ""},
		{"utf-8", "\ufeffa", "a", "utf-8", ""},
		{"cp850", "\x82", "é", "cp850", ""},
		{"hz-gb-2312", "~{VPNDND~}.", "中文文.", "hz-gb-2312", ""},
		{"utf-16", "\xfe\xff\x00a\x00\xe9", "aé", "utf-16be", ""},
		{"utf-16", "a\x00\xe9\x00", "aé", "utf-16le", ""},
		{"utf-16le", "plain", "plain", "utf-8", parser.DefectCharsetInvalid},
		{"utf-32", "\x00\x00\xfe\xff\x00\x00\x00a\x00\x01\xf6\x00", "a\U0001f600", "utf-32", ""},
		{"utf-32", "\xff\xfe\x00\x00a\x00\x00\x00", "a", "utf-32", ""},
		{"utf-32le", "a\x00\x00\x00\x00\xf6\x01\x00", "a\U0001f600", "utf-32le", ""},
		{"utf-7", "Hi Mom -+Jjo--!", "Hi Mom -\u263a-!", "utf-7", ""},
		{"unicode-1-1-utf-7", "1 +- 1 = 2, +2D3eAA-", "1 + 1 = 2, \U0001f600", "utf-7", ""},
		{"utf-7", "a + b, +A", "a + b, +A", "utf-7", parser.DefectCharsetInvalid},
		{"utf-7", "caf\xe9", "café", "windows-1252", parser.DefectCharsetInvalid},
		{"iso-2022-kr", "\x1b$)Ca \x0e0!\x0f b", "a 가 b", "iso-2022-kr", ""},
		{"cp932", "\x93\xfa\x96{", "日本", "shift_jis", ""},
		{"MS949", "\xb0\xa1", "가", "euc-kr", ""},
		{"x-windows-950", "\xa7A\xa6n", "你好", "big5", ""},
		{"euc_jp", "\xc6\xfc\xcb\xdc", "日本", "euc-jp", ""},
		{"iso-2022-jp-2", "\x1b$BF|K\\\x1b(B", "日本", "iso-2022-jp", ""},
		{"_iso-2022-jp$ESC", "\x1b$BF|K\\\x1b(B", "日本", "iso-2022-jp", ""},
		{"cp50221", "\x1b$BF|K\\\x1b(B", "日本", "iso-2022-jp", ""},
		{"win-1251", "\xcf\xf0", "Пр", "windows-1251", ""},
		{"ISO8859_2", "\xb3", "ł", "iso-8859-2", ""},
		{"8859-15", "\xa4", "€", "iso-8859-15", ""},
		{"koi8r", "\xf0\xd2", "Пр", "koi8-r", ""},
		{"UTF_8", "caf\u00e9", "café", "utf-8", ""},
		{"iso646-us", "caf\u00e9", "café", "utf-8", parser.DefectCharsetInvalid},
		{"646", "cafe", "cafe", "windows-1252", ""},
		{"", "\x1b$BF|K\\\x1b(B", "日本", "iso-2022-jp", parser.DefectCharsetMissing},
		{"us-ascii", "a \x1b$@F|K\\\x1b(J b", "a 日本 b", "iso-2022-jp", parser.DefectCharsetInvalid},
		{"x-nobody", "\x1b$)Ca \x0e0!\x0f b", "a 가 b", "iso-2022-kr", parser.DefectCharsetUnknown},
		{"utf-8", "no \x1b$B\xff", "no \x1b$Bÿ", "windows-1252", parser.DefectCharsetInvalid},
		{"us-ascii", "no \x1b$B", "no \x1b$B", "windows-1252", ""},
		{"utf-16", "caf\u00e9 at noon", "café at noon", "utf-8", parser.DefectCharsetInvalid},
		{"x-user-defined", "a\x80", "a\uf780", "x-user-defined", ""},
		{"us-ascii", "\xcf\xf0\xe8\xe2\xe5\xf2, \xea\xe0\xea \xe4\xe5\xeb\xe0? \xcd\xe0\xef\xe8\xf8\xe8 \xec\xed\xe5 \xef\xe8\xf1\xfc\xec\xee, \xef\xee\xe6\xe0\xeb\xf3\xe9\xf1\xf2\xe0.",
			"Привет, как дела? Напиши мне письмо, пожалуйста.", "windows-1251", parser.DefectCharsetInvalid},
		{"", "\xe4\xbd\xa0\xff \xc4\xe3\xba\xc3", "ä½\u00a0ÿ ÄãºÃ", "windows-1252", parser.DefectCharsetMissing},
	} {
		t.Run(c.charset+" "+c.body, func(t *testing.T) {
			field := "Content-Type: text/plain; charset=\"" + c.charset + "\"\r\n"
			if c.charset == "" {
				field = ""
			}
			body := base64.StdEncoding.EncodeToString([]byte(c.body))
			m := checkMessage(t, c.charset, []byte(field+"Content-Transfer-Encoding: base64\r\n\r\n"+body))
			if m.Text == nil || *m.Text != c.want || m.TextCharset != c.used {
				t.Errorf("text %q in %s, want %q in %s", deref(m.Text), m.TextCharset, c.want, c.used)
			}
			checkDefect(t, m, c.defect)
		})
	}
}

// TestMetaCharset: a document that can be read until it names its charset is in none of two octets a character.
func TestMetaCharset(t *testing.T) {
	for _, c := range []struct{ html, want, used string }{
		{"<meta charset=windows-1251><p>\xcf\xf0</p>", "Пр\n", "windows-1251"},
		{"<meta http-equiv=Content-Type content=\"text/html; charset=unicode\"><p>caf\u00e9</p>", "café\n", "utf-8"},
		{"<META CHARSET='UTF-16LE'><p>caf\u00e9</p>", "café\n", "utf-8"},
		{"<p>caf\u00e9</p>", "café\n", "utf-8"},
	} {
		m := checkMessage(t, c.html, []byte("Content-Type: text/html\r\n\r\n"+c.html))
		if deref(m.Text) != c.want || m.HTMLCharset != c.used {
			t.Errorf("%q is %q in %s, want %q in %s", c.html, deref(m.Text), m.HTMLCharset, c.want, c.used)
		}
	}
}

// TestTextFromHTML: how HTML reads as text.
func TestTextFromHTML(t *testing.T) {
	for _, c := range []struct{ html, want string }{
		{"<p style=x>one</p><p>two</p>", "one\n\ntwo\n"},
		{"<div>one</div>\n<div>two<br>three</div>", "one\ntwo\nthree\n"},
		{"a  b\n c &amp; &euro;&#x41;&nbsp;d", "a b c & €A d\n"},
		{"<style>p{}</style><script>x<y</script><title>t</title>one<!-- no -->", "one\n"},
		{"<ul><li>one<li>two</ul>", "- one\n- two\n"},
		{"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"},
		{`see <a href="https://x.example/a">here</a> or <a href="https://x.example">https://x.example</a>`, "see here <https://x.example/a> or https://x.example\n"},
		{"on Monday:<blockquote>one<br>two<blockquote>three</blockquote></blockquote>me", "on Monday:\n> one\n> two\n> > three\nme\n"},
		{"<pre>a\n  b</pre>c", "a\n  b\nc\n"},
		{"<img alt=logo src=x>text", "logotext\n"},
		{"1 < 2 > 0", "1 < 2 > 0\n"},
		{"", ""},
	} {
		m := checkMessage(t, c.html, []byte("Content-Type: text/html\r\n\r\n"+c.html))
		if !m.TextFromHTML || deref(m.Text) != c.want {
			t.Errorf("%q is %q, want %q", c.html, deref(m.Text), c.want)
		}
	}
}
