package parser_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser"
)

const uuCat = "begin 644 cat.txt\n#0V%T\n`\nend\n"

// uuencode writes a file as uuencode does.
func uuencode(name string, b []byte) string {
	var s strings.Builder
	s.WriteString("begin 644 " + name + "\n")
	digit := func(v byte) byte {
		if v&63 == 0 {
			return '`'
		}
		return v&63 + ' '
	}
	for len(b) > 0 {
		line := b[:min(45, len(b))]
		b = b[len(line):]
		s.WriteByte(digit(byte(len(line))))
		for len(line)%3 != 0 {
			line = append(slices.Clip(line), 0)
		}
		for i := 0; i < len(line); i += 3 {
			s.Write([]byte{digit(line[i] >> 2), digit(line[i]<<4 | line[i+1]>>4), digit(line[i+1]<<2 | line[i+2]>>6), digit(line[i+2])})
		}
		s.WriteByte('\n')
	}
	return s.String() + "`\nend\n"
}

// yenc writes a file as yEnc does.
func yenc(name string, b []byte, crc uint32) string {
	var s strings.Builder
	fmt.Fprintf(&s, "=ybegin line=128 size=%d name=%s\n", len(b), name)
	column := 0
	for _, c := range b {
		c += 42
		if strings.IndexByte("\x00\r\n=", c) >= 0 {
			s.WriteByte('=')
			c += 64
			column++
		}
		s.WriteByte(c)
		if column++; column >= 128 {
			s.WriteByte('\n')
			column = 0
		}
	}
	fmt.Fprintf(&s, "\n=yend size=%d crc32=%08x\n", len(b), crc)
	return strings.Replace(s.String(), "\n\n=yend", "\n=yend", 1)
}

func octets(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}

func TestInlineFiles(t *testing.T) {
	big := octets(1000)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	type file struct{ name, content, defect string }
	for _, c := range []struct {
		name, body, text string
		files            []file
	}{
		{"uuencode between text", "before\n" + uuCat + "after\n", "before\nafter\n", []file{{"cat.txt", "Cat", ""}}},
		{"uuencode alone", uuCat, "", []file{{"cat.txt", "Cat", ""}}},
		{"uuencode, many lines", "a\n" + uuencode("big file.bin", big) + "b", "a\nb", []file{{"big file.bin", string(big), ""}}},
		{"two files", uuCat + "and\n" + uuencode("b", big), "and\n", []file{{"cat.txt", "Cat", ""}, {"b", string(big), ""}}},
		{"uuencode without end", "a\n" + strings.TrimSuffix(uuencode("b", big[:90]), "`\nend\n") + "\nRegards\n", "a\n\nRegards\n", []file{{"b", string(big[:90]), parser.DefectUUEncode}}},
		{"uuencode cut in a line", "a\n" + uuencode("b", big)[:100], "a\n" + uuencode("b", big)[74:100], []file{{"b", string(big[:45]), parser.DefectUUEncode}}},
		{"empty file", "a\nbegin 600 e\n`\nend\nb\n", "a\nb\n", []file{{"e", "", ""}}},
		{"uuencode, the zero line lost", "begin 644 e\n#0V%T\n\nend\nb\n", "b\n", []file{{"e", "Cat", ""}}},
		{"yEnc", "a\n" + yenc("x y.bin", big, crc32.ChecksumIEEE(big)) + "b\n", "a\nb\n", []file{{"x y.bin", string(big), ""}}},
		{"yEnc, every octet", yenc("x", all, crc32.ChecksumIEEE(all)), "", []file{{"x", string(all), ""}}},
		{"yEnc, small", yenc("x", []byte("Cat"), crc32.ChecksumIEEE([]byte("Cat"))), "", []file{{"x", "Cat", ""}}},
		{"yEnc, wrong checksum", yenc("x", big, 1), "", []file{{"x", string(big), parser.DefectYEnc}}},
		{"yEnc, no end", strings.Split(yenc("x", big, 1), "=yend")[0] + "\nand text\n", "\nand text\n", []file{{"x", string(big), parser.DefectYEnc}}},
		{"yEnc, a part", "=ybegin part=2 line=128 size=100 name=x\n=ypart begin=98 end=100\n\x6d\x8b\x9e\n=yend size=3 part=2 pcrc32=" + fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte("Cat"))) + "\n", "", []file{{"x", "Cat", ""}}},
		// Texts that only look like it.
		{"prose that begins", "Let us\nbegin 644 words\nof this.\n", "Let us\nbegin 644 words\nof this.\n", nil},
		{"an end of something else", "begin 644 words\nof this.\nend\n", "begin 644 words\nof this.\nend\n", nil},
		{"no name", "begin 644\n#0V%T\n`\nend\n", "begin 644\n#0V%T\n`\nend\n", nil},
		{"no mode", "begin with cat.txt\n#0V%T\n`\nend\n", "begin with cat.txt\n#0V%T\n`\nend\n", nil},
		{"quoted", "> begin 644 cat.txt\n> #0V%T\n> `\n> end\n", "> begin 644 cat.txt\n> #0V%T\n> `\n> end\n", nil},
		{"begin and no more", "begin 644 cat.txt", "begin 644 cat.txt", nil},
		{"begin after begin", "begin 644 this\n" + uuCat, "begin 644 this\n", []file{{"cat.txt", "Cat", ""}}},
		{"capitals", "begin 644 A\nI AM SHOUTING\nLOUD\nend\n", "begin 644 A\nI AM SHOUTING\nLOUD\nend\n", nil},
		{"yEnc explained", "It begins with\n=ybegin line=128 size=123456 name=x\nand ends with =yend.\n", "It begins with\n=ybegin line=128 size=123456 name=x\nand ends with =yend.\n", nil},
		{"yEnc without its numbers", "=ybegin name=x\nabc\n=yend size=3\n", "=ybegin name=x\nabc\n=yend size=3\n", nil},
	} {
		for _, encoding := range []string{"8bit", "base64", "quoted-printable"} {
			t.Run(c.name+" "+encoding, func(t *testing.T) {
				m := parseEncoded(t, encoding, strings.ReplaceAll(c.body, "\n", "\r\n"))
				if m.Text == nil || *m.Text != c.text {
					t.Errorf("text %q, want %q", deref(m.Text), c.text)
				}
				var got []file
				for i, p := range m.Attachments {
					f := file{name: p.Filename, content: decoded(t, p)}
					content := p.Open()
					if _, err := bytes.NewBuffer(nil).ReadFrom(content); err != nil {
						t.Fatal(err)
					}
					for _, d := range content.Defects() {
						f.defect += d.Code
					}
					if want := fmt.Sprintf("1.%d", i+1); p.ID != want {
						t.Errorf("id %s, want %s", p.ID, want)
					}
					got = append(got, f)
				}
				if diff := cmp.Diff(c.files, got, cmp.AllowUnexported(file{})); diff != "" {
					t.Errorf("files, -want +got:\n%s", diff)
				}
			})
		}
	}
}

func parseEncoded(t *testing.T, encoding, body string) *parser.Message {
	t.Helper()
	switch encoding {
	case "base64":
		body = strings.ReplaceAll(inLines(base64.StdEncoding.EncodeToString([]byte(body))), "\n", "\r\n")
	case "quoted-printable":
		body = quoted([]byte(body))
	}
	return checkMessage(t, t.Name(), []byte("Content-Type: text/plain; charset=windows-1252\r\nContent-Transfer-Encoding: "+encoding+"\r\n\r\n"+body))
}

// TestInlineFileLarge: a file larger than the text may be leaves room for the text behind it, and is not held in memory.
func TestInlineFileLarge(t *testing.T) {
	raw := []byte("Subject: x\r\n\r\nbefore\r\n" + strings.ReplaceAll(uuencode("big", octets(4<<20)), "\n", "\r\n") + "after\r\n")
	m, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if deref(m.Text) != "before\nafter\n" || len(m.LimitsHit) > 0 {
		t.Errorf("text of %d, limits %v", len(deref(m.Text)), m.LimitsHit)
	}
	if got := decoded(t, m.Attachments[0]); got != string(octets(4<<20)) {
		t.Errorf("%d octets differ", len(got))
	}
	if size := allocated(t, raw); size > 6<<20 {
		t.Errorf("%d octets allocated", size)
	}
}

// TestOtherTextsAreLeft: only a text that is shown may hold files.
func TestOtherTextsAreLeft(t *testing.T) {
	m := parse(t, "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\n"+uuCat)
	if len(m.Attachments) != 1 || m.Attachments[0].Filename != "a.txt" {
		t.Errorf("attachments %+v", m.Attachments)
	}
}
