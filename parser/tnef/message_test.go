package tnef_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser/tnef"
	"github.com/letterhook/letterhook/parser/tnef/tneftest"
)

// outline is what a stream holds, in words.
func outline(stream []byte, m *tnef.Message, indent string) string {
	var b strings.Builder
	show := func(what string, r tnef.Range, more string) {
		if r.Length > 0 || what != "text" && what != "html" && what != "rtf" {
			fmt.Fprintf(&b, "%s%s %q%s\n", indent, what, stream[r.Offset:][:r.Length], more)
		}
	}
	show("text", m.Text.Range, " "+m.Text.Charset)
	show("html", m.HTML.Range, " "+m.HTML.Charset)
	if m.RTF.Length > 0 {
		rtf := tnef.NewRTFReader(bytes.NewReader(stream[m.RTF.Offset:][:m.RTF.Length]))
		text, err := io.ReadAll(rtf)
		fmt.Fprintf(&b, "%srtf %q %v%s\n", indent, text, err, rtf.Damage())
	}
	for _, a := range m.Attachments {
		if a.Message != nil {
			fmt.Fprintf(&b, "%smessage %q\n%s", indent, a.Name, outline(stream, a.Message, indent+"  "))
			continue
		}
		show("file "+a.Name, a.Range, strings.TrimRight(" "+a.ContentType+" "+a.ContentID, " "))
	}
	for _, c := range []struct {
		is   bool
		what string
	}{{m.MoreFiles, "more files"}, {m.TooDeep, "too deep"}, {m.Damage != "", m.Damage}} {
		if c.is {
			b.WriteString(indent + c.what + "\n")
		}
	}
	return b.String()
}

func TestDecode(t *testing.T) {
	inner := tneftest.New().Body("inside").File("in.txt", []byte("x"))
	object := append(bytes.Repeat([]byte{7}, 16), "OLE!"...)
	for _, c := range []struct {
		name   string
		stream tneftest.Stream
		want   string
	}{
		{"empty", tneftest.New(), ""},
		{"file", tneftest.New().File("long name.txt", []byte("content")), "file long name.txt \"content\"\n"},
		{"short name only", tneftest.New().Attachment(1).Title("A.TXT").Data([]byte("a")), "file A.TXT \"a\"\n"},
		{"long name wins", tneftest.New().Attachment(1).Title("LONGNA~1.TXT").Data([]byte("a")).AttachmentProperties(
			tneftest.String(0x3001, "shown"), tneftest.String(0x3704, "LONGNA~1.TXT"), tneftest.String(0x3707, "long name.txt")), "file long name.txt \"a\"\n"},
		{"content before name, no begin", tneftest.New().Data([]byte("a")).Title("a").Data([]byte("b")).Title("b"), "file a \"a\"\nfile b \"b\"\n"},
		{"type and id", tneftest.New().Attachment(1).Data([]byte("a")).AttachmentProperties(tneftest.String(0x370E, "Image/PNG"), tneftest.Unicode(0x3712, "<i@x>")),
			"file  \"a\" image/png i@x\n"},
		{"content in a property", tneftest.New().Attachment(1).AttachmentProperties(tneftest.Unicode(0x3707, "a"), tneftest.Binary(0x3701, []byte("abc"))), "file a \"abc\"\n"},
		{"codepage", tneftest.New().Codepage(1251).Attachment(1).Title("\xef\xf0\xe8\xe2\xe5\xf2").Data([]byte("a")).Body("\xef"),
			"text \"\\xef\\x00\" windows-1251\nfile привет \"a\"\n"},
		{"texts", tneftest.New().Properties(tneftest.Int32(0x3FDE, 65001), tneftest.Binary(0x1013, []byte("<p>")), tneftest.Unicode(0x1000, "t"), tneftest.Binary(0x1009, tneftest.StoredRTF(`{\rtf1}`))),
			"text \"t\\x00\\x00\\x00\" utf-16le\nhtml \"<p>\" utf-8\nrtf \"{\\\\rtf1}\" <nil>\n"},
		{"properties of all kinds", tneftest.New().Properties(tneftest.Time(0x0039, 1), tneftest.Named("abc", 5), tneftest.Named("abcd", 5), tneftest.Int16s(0x1234, 1, 2, 3), tneftest.String(0x0037, "abc"), tneftest.Binary(0x1013, []byte("<p>"))),
			"html \"<p>\" \n"},
		{"embedded message", tneftest.New().Embedded("Re: x", inner).File("b", []byte("b")),
			"message \"Re: x\"\n  text \"inside\\x00\" windows-1252\n  file in.txt \"x\"\nfile b \"b\"\n"},
		{"object", tneftest.New().Attachment(2).AttachmentProperties(tneftest.Object(0x3701, object)), "file  \"\\a\\a\\a\\a\\a\\a\\a\\a\\a\\a\\a\\a\\a\\a\\a\\aOLE!\"\n"},
		{"empty file", tneftest.New().File("empty", nil), "file empty \"\"\n"},
		{"octets at the end", append(tneftest.New().File("a", []byte("a")), 0, 0, 0), "file a \"a\"\noctets behind the last attribute\n"},
		{"cut in an attribute", cut(tneftest.New().File("a", []byte("a")).File("b", []byte("b"))), "file a \"a\"\nfile  \"b\"\nan attribute is cut or damaged\n"},
		{"too deep", tneftest.New().Embedded("1", tneftest.New().Embedded("2", tneftest.New().Embedded("3", tneftest.New()))),
			"message \"1\"\n  message \"2\"\n    file 3 \"" + strings.Repeat(`\x00`, 16) + "x\\x9f>\\\"\\x01\\x00\"\n    too deep\n  too deep\ntoo deep\n"},
		{"too many", tneftest.New().File("1", nil).File("2", nil).File("3", nil).File("4", nil), "file 1 \"\"\nfile 2 \"\"\nfile 3 \"\"\nmore files\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := tnef.Decode(iotest.OneByteReader(bytes.NewReader(c.stream)), tnef.Limits{Files: 3, Depth: 2})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, outline(c.stream, m, "")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// cut takes the last octets of a stream away.
func cut(s tneftest.Stream) tneftest.Stream { return s[:len(s)-4] }

func TestNotTNEF(t *testing.T) {
	for _, s := range []string{"", "x", "begin 644 a\n"} {
		if _, err := tnef.Decode(strings.NewReader(s), tnef.Limits{}); !errors.Is(err, tnef.ErrNotTNEF) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestReadFails: the error of reading is the caller's, and no damage of the stream.
func TestReadFails(t *testing.T) {
	broken := errors.New("broken")
	stream := tneftest.New().File("a", make([]byte, 100))
	for n := range stream {
		in := io.MultiReader(bytes.NewReader(stream[:n]), iotest.ErrReader(broken))
		if _, err := tnef.Decode(in, tnef.Limits{}); !errors.Is(err, broken) {
			t.Fatalf("after %d octets: %v", n, err)
		}
	}
}

// TestCutAnywhere: whatever is missing, what is left gives a message, and the damage is told.
func TestCutAnywhere(t *testing.T) {
	stream := tneftest.New().Properties(tneftest.Unicode(0x1000, "t"), tneftest.Named("abc", 5)).Embedded("m", tneftest.New().File("in", []byte("abc"))).File("a", []byte("content"))
	whole := 0
	for n := 6; n < len(stream); n++ {
		m, err := tnef.Decode(bytes.NewReader(stream[:n]), tnef.Limits{})
		if err != nil {
			t.Fatalf("%d octets: %v", n, err)
		}
		if m.Damage == "" {
			whole++
		}
	}
	if whole != 6 { // between two attributes nothing is missing
		t.Errorf("%d cuts were not told, want 6", whole)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(tneftest.New().Codepage(1252).Body("x").File("a", []byte("content")).Embedded("m", tneftest.New().File("in", []byte("abc")))))
	f.Add([]byte(tneftest.New().Properties(tneftest.Unicode(0x1000, "t"), tneftest.Int16s(1, 2, 3), tneftest.Named("n", 1), tneftest.Binary(0x1009, tneftest.StoredRTF("{}")))))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := tnef.Decode(bytes.NewReader(b), tnef.Limits{Files: 5, Depth: 2})
		if err != nil {
			if !errors.Is(err, tnef.ErrNotTNEF) {
				t.Fatal(err)
			}
			return
		}
		files := 0
		var check func(m *tnef.Message, depth int)
		check = func(m *tnef.Message, depth int) {
			ranges := []tnef.Range{m.Text.Range, m.HTML.Range, m.RTF}
			for _, a := range m.Attachments {
				files++
				ranges = append(ranges, a.Range)
				if a.Message != nil {
					check(a.Message, depth+1)
				}
			}
			for _, r := range ranges {
				if r.Offset < 0 || r.Length < 0 || m.Damage == "" && r.Offset+r.Length > int64(len(b)) {
					t.Errorf("%v of %d octets", r, len(b))
				}
			}
			if depth > 2 {
				t.Errorf("depth %d", depth)
			}
		}
		check(m, 0)
		if files > 5 {
			t.Errorf("%d files", files)
		}
	})
}
