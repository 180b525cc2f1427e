package parser_test

import (
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
)

// TestDecodedValue: encoded-words and raw octets of a header field (RFC 2047).
func TestDecodedValue(t *testing.T) {
	for _, c := range []struct{ name, raw, want, defect string }{
		{"plain", "hello", "hello", ""},
		{"q", "=?iso-8859-1?Q?caf=E9_au_lait?=", "café au lait", ""},
		{"b", "=?utf-8?B?Y2Fmw6k=?=", "café", ""},
		{"b without padding", "=?utf-8?B?Y2Fmw6k?=", "café", ""},
		{"space between words goes", "=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab", ""},
		{"space beside text stays", "a =?utf-8?Q?b?= c", "a b c", ""},
		{"folded between words", "=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=", "ab", ""},
		{"character split in two words", "=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?=", "café", ""},
		{"split between q and b", "=?utf-8?Q?caf=C3?= =?UTF-8?B?qQ==?=", "café", ""},
		{"two charsets", "=?utf-8?Q?=C3=A9?= =?iso-8859-1?Q?=E9?=", "éé", ""},
		{"q with spaces", "=?utf-8?Q?Hello big World?=", "Hello big World", ""},
		{"q that begins with =", "=?utf-8?Q?=41?=", "A", ""},
		{"in a word", "x=?utf-8?Q?=C3=A9?=y", "xéy", ""},
		{"language", "=?utf-8*en?Q?=C3=A9?=", "é", ""},
		{"latin-1 is windows-1252", "=?iso-8859-1?Q?=93a=94?=", "“a”", ""},
		{"wrong charset", "=?x-unknown?Q?=C3=A9?=", "é", ""},
		{"utf-8 that is not", "=?utf-8?Q?=E9t=E9?=", "été", ""},
		{"iso-2022-jp", "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本", ""},
		{"one broken word", "=?utf-8?Z?a?= =?utf-8?Q?b?=", "=?utf-8?Z?a?= b", parser.DefectEncodedWord},
		{"not closed", "=?utf-8?Q?abc", "=?utf-8?Q?abc", parser.DefectEncodedWord},
		{"no base64", "=?utf-8?B?!!!?=", "=?utf-8?B?!!!?=", parser.DefectEncodedWord},
		{"line end within", "=?utf-8?Q?a=0D=0ABcc:_x?=", "a  Bcc: x", ""},
		{"nul within", "=?utf-8?Q?a=00b?=", "ab", ""},
		{"raw utf-8", "caf\u00e9", "café", ""},
		{"raw latin-1", "caf\xe9", "café", parser.DefectHeader8Bit},
		{"raw iso-2022-jp", "\x1b$BF|K\\\x1b(B", "日本", ""},
		{"raw control character", "a\x01b", "a b", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := checkMessage(t, c.name, []byte("X: "+c.raw+"\r\n\r\n"))
			if len(m.Headers) != 1 || m.Headers[0].Value != c.want {
				t.Errorf("headers %q, want %q", m.Headers, c.want)
			}
			checkDefect(t, m, c.defect)
		})
	}
}

// TestRawOctets: a program that encodes neither header nor body writes both in one charset.
func TestRawOctets(t *testing.T) {
	for _, c := range []struct{ charset, subject, want string }{
		{"gb2312", "\xc4\xe3\xba\xc3", "你好"},
		{"windows-1251", "\xcf\xf0", "Пр"},
		{"shift_jis", "\x93\xfa\x96{", "日本"},
		{"windows-1251", "\u041f\u0440", "Пр"},
		{"shift_jis", "\xff\xff", "ÿÿ"},
		{"utf-8", "\xe9", "é"},
		{"utf-16", "\xe9a", "éa"},
		{"x-nobody", "\xe9", "é"},
	} {
		m := checkMessage(t, c.charset, []byte("Subject: "+c.subject+"\r\nFrom: \""+c.subject+"\" <a@x.example>\r\nContent-Type: text/plain; charset="+c.charset+"\r\n\r\n"))
		if m.Subject != c.want || len(m.From) != 1 || m.From[0].Name != c.want || m.From[0].Address != "a@x.example" {
			t.Errorf("%q in %s: %q, from %q", c.subject, c.charset, m.Subject, m.From)
		}
	}
}

// TestEncodedWordHead: what no encoded-word can begin with is known before anybody looks for its end.
func TestEncodedWordHead(t *testing.T) {
	for s, want := range map[string]int{
		"=?utf-8?Q?": 10, "=?a?b?x": 6, "=?a?X? ": 0, "=?a?Qx?=": 0, "=??Q?": 0, "=?a b?Q?": 0, "=?a?": 0, "a=?a?Q?": 0,
		"=?" + strings.Repeat("a", 64) + "?Q?": 0,
	} {
		if got := parser.EncodedWordHead(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

func checkDefect(t *testing.T, m *parser.Message, code string) {
	t.Helper()
	var codes []string
	for _, d := range m.Defects {
		codes = append(codes, d.Code)
	}
	if got := strings.Join(codes, " "); got != code {
		t.Errorf("defects %q, want %q", got, code)
	}
}

// TestDate has the forms of RFC 5322 and what else is sent.
func TestDate(t *testing.T) {
	for raw, want := range map[string]string{
		"Fri, 21 Nov 1997 09:55:06 -0600":          "1997-11-21T15:55:06Z",
		"21 Nov 97 09:55:06 GMT":                   "1997-11-21T09:55:06Z",
		"21 Nov 2026 09:55 +0200":                  "2026-11-21T07:55:00Z",
		"Fri,21 Nov 1997 09:55:06 EST":             "1997-11-21T14:55:06Z",
		"Fri, 21 Nov 1997 09(comment):55:06 +0000": "1997-11-21T09:55:06Z",
		"Fri Nov 21 09:55:06 1997":                 "1997-11-21T09:55:06Z",
		"Fri Nov 21 09:55:06 PST 1997":             "1997-11-21T17:55:06Z",
		"Fri, 21-Nov-1997 09:55:06 GMT+0100":       "1997-11-21T08:55:06Z",
		"2026-11-21T18:30:00Z":                     "2026-11-21T18:30:00Z",
		"2026-11-21T18:30:00+05:30":                "2026-11-21T13:00:00Z",
		"21 Nov 2026 23:59:60 +0000":               "2026-11-22T00:00:00Z",
		"Sat, 31 Feb 2026 10:00:00 +0000":          "",
		"2026-11-21 18:30:00 +0100":                "2026-11-21T17:30:00Z",
		"2026-11-21 18:30:00":                      "2026-11-21T18:30:00Z",
		"2026/11/21 18:30:00 GMT":                  "2026-11-21T18:30:00Z",
		"Sat, 21 Nov 2026 6:30:00 PM +0100":        "2026-11-21T17:30:00Z",
		"Sat, 21 Nov 2026 6:30:00PM +0100":         "2026-11-21T17:30:00Z",
		"Sat, 21 Nov 2026 12:05:00 a.m. +0000":     "2026-11-21T00:05:00Z",
		"Sat, 21 Nov 2026 12:05:00 pm":             "2026-11-21T12:05:00Z",
		"Sat, 21 Nov 2026 18.30.05 +0100":          "2026-11-21T17:30:05Z",
		"Sat, 21 Nov 2026 18 : 30 : 05 +0100":      "2026-11-21T17:30:05Z",
		"Sat, 21 Nov 2026 18:30 :05 +0100":         "2026-11-21T17:30:05Z",
		"2026-13-21 18:30:00":                      "",
		"yesterday":                                "",
		"21 Nov 2026 25:00:00 +0000":               "",
		"99 Nov 2026 10:00:00 +0000":               "",
		"-":                                        "",
	} {
		m := checkMessage(t, raw, []byte("Date: "+raw+"\r\n\r\n"))
		got := ""
		if !m.Date.IsZero() {
			got = m.Date.Format("2006-01-02T15:04:05Z07:00")
		}
		if got != want || m.DateRaw != raw {
			t.Errorf("%q is %q, want %q (raw %q)", raw, got, want, m.DateRaw)
		}
		if want == "" {
			checkDefect(t, m, parser.DefectDate)
		}
	}
}

// TestFilename: how file names are sent, and made harmless.
func TestFilename(t *testing.T) {
	for _, c := range []struct{ name, fields, want string }{
		{"quoted", `Content-Disposition: attachment; filename="a b.pdf"`, "a b.pdf"},
		{"bare with spaces", `Content-Disposition: attachment; filename=a b.pdf`, "a b.pdf"},
		{"name of the type", `Content-Type: application/pdf; name="a.pdf"`, "a.pdf"},
		{"disposition wins", "Content-Type: application/pdf; name=b.pdf\r\nContent-Disposition: attachment; filename=a.pdf", "a.pdf"},
		{"escaped quote", `Content-Disposition: attachment; filename="a\"b.pdf"`, `a"b.pdf`},
		{"quotes within quotes", `Content-Disposition: attachment; filename="a "b" c.pdf"`, `a "b" c.pdf`},
		{"encoded-word", `Content-Disposition: attachment; filename="=?utf-8?Q?caf=C3=A9.pdf?="`, "café.pdf"},
		{"encoded-words with a split character", "Content-Disposition: attachment;\r\n filename=\"=?utf-8?Q?caf=C3?=\r\n =?utf-8?Q?=A9.pdf?=\"", "café.pdf"},
		{"extended", `Content-Disposition: attachment; filename*=utf-8''caf%C3%A9.pdf`, "café.pdf"},
		{"extended in latin-1", `Content-Disposition: attachment; filename*=iso-8859-1'de'caf%E9.pdf`, "café.pdf"},
		{"extended beats plain", `Content-Disposition: attachment; filename=cafe.pdf; filename*=utf-8''caf%C3%A9.pdf`, "café.pdf"},
		{"segments", `Content-Disposition: attachment; filename*0="a "; filename*1="b.pdf"`, "a b.pdf"},
		{"segments out of order", `Content-Disposition: attachment; filename*1=b.pdf; filename*0=a`, "ab.pdf"},
		{"encoded first segment, plain second", `Content-Disposition: attachment; filename*0*=iso-8859-1''caf%E9; filename*1=x.pdf`, "caféx.pdf"},
		{"character split between segments", `Content-Disposition: attachment; filename*0*=utf-8''caf%C3; filename*1*=%A9.pdf`, "café.pdf"},
		{"segments from one", `Content-Disposition: attachment; filename*1=a; filename*2=b.pdf`, "ab.pdf"},
		{"no charset", `Content-Disposition: attachment; filename*=caf%C3%A9.pdf`, "café.pdf"},
		{"raw utf-8", "Content-Disposition: attachment; filename=\"caf\u00e9.pdf\"", "café.pdf"},
		{"raw latin-1", "Content-Disposition: attachment; filename=\"caf\xe9.pdf\"", "café.pdf"},
		{"path", `Content-Disposition: attachment; filename="../../etc/passwd"`, "_.._etc_passwd"},
		{"windows path", `Content-Disposition: attachment; filename="C:\\dir\\a.pdf"`, "C__dir_a.pdf"},
		{"leading dots", `Content-Disposition: attachment; filename="..hidden"`, "hidden"},
		{"control characters", `Content-Disposition: attachment; filename*=utf-8''a%00%0D%0Ab%1b.pdf`, "a  b .pdf"},
		{"text direction", `Content-Disposition: attachment; filename*=utf-8''a%E2%80%AEfdp.exe`, "afdp.exe"},
		{"comment behind", `Content-Disposition: attachment; filename="a.pdf" (a comment)`, "a.pdf"},
		{"name of the disposition", `Content-Disposition: attachment; name="a.pdf"`, "a.pdf"},
		{"only dots", `Content-Disposition: attachment; filename=".."`, ""},
		{"long", `Content-Disposition: attachment; filename="` + strings.Repeat("é", 300) + `.pdf"`, strings.Repeat("é", 125) + ".pdf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := checkMessage(t, c.name, []byte("Content-Type: application/octet-stream\r\n"+c.fields+"\r\n\r\nx"))
			if strings.HasPrefix(c.fields, "Content-Type") {
				m = checkMessage(t, c.name, []byte(c.fields+"\r\n\r\nx"))
			}
			if len(m.Attachments) != 1 {
				t.Fatalf("attachments %v", m.Attachments)
			}
			if got := m.Attachments[0].Filename; got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
