package parser_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/parser/tnef/tneftest"
)

func addMail(f *testing.F) {
	f.Helper()
	var files []string
	for _, set := range []string{"mime/*/*", "arf/*/*.eml", "bounces/spamassassin/*.eml"} {
		found, err := filepath.Glob("testdata/corpus/" + set)
		if err != nil {
			f.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(raw) < 8<<10 {
			f.Add(raw)
		}
	}
	f.Add([]byte(nest(40, false)))
	f.Add([]byte(winmail("x", tneftest.New().Body("t").File("a", []byte("a")).Embedded("m", tneftest.New().File("b", []byte("b"))))))
	f.Add([]byte("\n" + uuCat + yenc("x", []byte("Cat"), 0)))
	f.Add([]byte("Content-Type: text/calendar\n\nBEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260701T120000Z\nEND:VEVENT\nEND:VCALENDAR\n"))
}

// FuzzParse holds any bytes against what is promised of any message, and against the same bytes read in windows.
func FuzzParse(f *testing.F) {
	addMail(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkMessage(t, "fuzz", raw)
		checkWindows(t, "fuzz", raw, parser.Limits{})
	})
}

// FuzzHeader fuzzes one field's value: as text, as date, as addresses and ids, as type and disposition.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{"=?utf-8?Q?caf=C3=A9?= =?x?B?YQ==?=", `"a b" <"c d"@e>, F: g@h;`, "Fri, 21 Nov 1997 09:55:06 -0600 (CST)",
		"multipart/mixed; boundary=\"b\"", "attachment; filename*0*=utf-8''%41; filename*1=b", "<a@b> <c@d>", "base64 (x)"} {
		f.Add([]byte(s))
	}
	names := []string{"Subject", "From", "To", "Date", "Message-ID", "References", "Content-Type", "Content-Disposition", "Content-ID", "Content-Transfer-Encoding", "Auto-Submitted"}
	f.Fuzz(func(t *testing.T, value []byte) {
		var mail bytes.Buffer
		for _, name := range names {
			mail.WriteString(name + ": ")
			mail.Write(value)
			mail.WriteString("\r\n")
		}
		mail.WriteString("\r\nbody")
		checkMessage(t, "fuzz", mail.Bytes())
	})
}

// FuzzAddresses reads any octets as an address list, in the field and in the two that stand for one.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{`"a b" <"c d"@e>, F: g@h, i@[192.0.2.1];`, "a . b @ c (d (e)) <f@g> <h@i", "<@a,@b:c@d>; <mailto:e@f?subject=g>", "=?utf-8?Q?Lee,_Ann?= <a@b>",
		`"\" <<a@b>>, c..d@e.`, "=?a?Q?\"\" =?a?B? ?= : ;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		if work := parser.AddressWork(list); work > 4*len(list) {
			t.Errorf("%d looked at for %d octets", work, len(list))
		}
		m := checkMessage(t, "fuzz", []byte("To: "+list+"\r\nReply-To: "+list+"\r\n\r\n"))
		for _, a := range m.To {
			if at := strings.LastIndexByte(a.Address, '@'); at == 0 || a.Address == "" && a.Name == "" || len(a.Address) > 3*len(list)+4 { // an octet of no charset becomes U+FFFD
				t.Errorf("%q", a)
			}
		}
	})
}

// FuzzOpen decodes any body under each transfer encoding: all at once, octet by octet and copied give the same.
func FuzzOpen(f *testing.F) {
	for _, s := range []string{"aGVsbG8=\r\nYQ==\r\n____\r\n", "=C3=A9=\r\n =\r\n", "begin 644 a\n#0V%T\n`\nend\n"} {
		f.Add(uint8(0), []byte(s))
	}
	f.Add(uint8(4), []byte(yenc("x", []byte("Cat"), 0)))
	encodings := []string{"base64", "quoted-printable", "uuencode", "8bit", "x-yenc"}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		head := "Content-Type: image/png\r\nContent-Transfer-Encoding: " + encodings[int(which)%len(encodings)] + "\r\n\r\n"
		m := checkMessage(t, "fuzz", append([]byte(head), body...))
		p := m.Attachments[0]
		whole, err := io.ReadAll(p.Open())
		if err != nil {
			t.Fatal(err)
		}
		var pieces []byte
		content := p.Open()
		for buf := make([]byte, 3); ; {
			n, err := content.Read(buf)
			pieces = append(pieces, buf[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(whole, pieces) {
			t.Errorf("%q, in pieces %q", whole, pieces)
		}
		var copied bytes.Buffer
		content = p.Open()
		first, err := io.CopyN(&copied, content, 5)
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if n, err := content.WriteTo(&copied); err != nil || first+n != int64(len(whole)) || !bytes.Equal(whole, copied.Bytes()) {
			t.Errorf("%q, copied %q and %d octets, error %v", whole, copied.Bytes(), n, err)
		}
	})
}

// FuzzText reads any octets as a text in any charset, flowed and not.
func FuzzText(f *testing.F) {
	for _, s := range []string{"+AGE-", "\x1b$)C\x0e0!\x0f", "~{VPND~}", "\xff\xfea\x00", "> a \r\n> b\r\n-- \r\n", "a\x80",
		"\xcf\xf0\xe8\xe2\xe5\xf2 \xea\xe0\xea \xe4\xe5\xeb\xe0 \xcd\xe0\xef\xe8\xf8\xe8 \xec\xed\xe5 \xef\xe8\xf1\xfc\xec\xee"} {
		f.Add(uint8(0), []byte(s))
	}
	charsets := []string{"", "us-ascii", "utf-8", "utf-7", "utf-16", "utf-32", "iso-2022-kr", "iso-2022-jp", "hz-gb-2312", "gb18030", "big5",
		"shift_jis", "x-user-defined", "iso-8859-8-i", "x-nobody"}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		head := "Content-Type: text/plain; format=flowed; charset=" + charsets[int(which)%len(charsets)] + "\r\n\r\n"
		m := checkMessage(t, "fuzz", append([]byte(head), body...))
		checkWindows(t, "fuzz", append([]byte(head), body...), parser.Limits{})
		if len(deref(m.Text)) > 3*len(body)+1 {
			t.Errorf("%d octets of text from %d", len(deref(m.Text)), len(body))
		}
	})
}

// FuzzLimits: whatever the limits, the promises hold.
func FuzzLimits(f *testing.F) {
	f.Add([]byte(nest(4, true)), 2, 3, 60, 2, 3)
	f.Fuzz(func(t *testing.T, raw []byte, depth, parts, header, count, body int) {
		lim := parser.Limits{Depth: depth % 8, Parts: parts % 8, HeaderBytes: header % 256, HeaderCount: count % 8, BodyBytes: body % 64, Addresses: 2, Boundary: 8}
		m, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), lim)
		if err != nil {
			t.Fatal(err)
		}
		checkTree(t, "fuzz", m, int64(len(raw)))
		checkWindows(t, "fuzz", raw, lim)
		if lim.BodyBytes > 0 && len(deref(m.Text)) > lim.BodyBytes {
			t.Errorf("text of %d, limit %d", len(*m.Text), lim.BodyBytes)
		}
	})
}
