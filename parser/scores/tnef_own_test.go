package scores_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/letterhook/letterhook/parser/tnef/tneftest"
)

// The properties of attachments and messages that the streams use (MS-OXPROPS).
const (
	propLongName = 0x3707
	propMIMEType = 0x370E
	propHTML     = 0x1013
	propRTF      = 0x1009
)

// ownStreams are winmail.dat as Outlook builds them, made here since those of others may not be passed on. files is what lies in
// a stream, by name. Tried by hand: tnef 1.4.18 unpacks the same files from them; messages within it leaves packed.
func ownStreams() map[string]struct {
	stream []byte
	files  map[string][]byte
} {
	noise := make([]byte, 100_000)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(noise); i++ {
		noise[i] = byte(r.Uint32())
	}
	long := bytes.Repeat([]byte("0123456789abcdef\r\n"), 3000)
	type files = map[string][]byte
	type own = struct {
		stream []byte
		files  map[string][]byte
	}
	rtf := []byte(`{\rtf1\ansi hello\par}`)
	return map[string]own{
		"one file":      {tneftest.New().Codepage(1252).File("plan.doc", []byte("the plan")), files{"plan.doc": []byte("the plan")}},
		"several files": {tneftest.New().Codepage(1252).File("a.txt", []byte("a")).File("b.bin", noise).File("c.txt", long), files{"a.txt": []byte("a"), "b.bin": noise, "c.txt": long}},
		"an empty file": {tneftest.New().File("empty.txt", nil).File("full.txt", []byte("x")), files{"empty.txt": nil, "full.txt": []byte("x")}},
		"names in Unicode": {
			tneftest.New().Codepage(1251).File("Отчёт за май.pdf", []byte("%PDF-1.4")).File("見積書.xlsx", []byte("PK\x03\x04")),
			files{"Отчёт за май.pdf": []byte("%PDF-1.4"), "見積書.xlsx": []byte("PK\x03\x04")},
		},
		"a short name alone": {tneftest.New().Codepage(1252).Attachment(1).Title("BERICH~1.DOC").Data([]byte("report")), files{"BERICH~1.DOC": []byte("report")}},
		"a short and a long name": {
			tneftest.New().Codepage(1252).Attachment(1).Title("BERICH~1.DOC").Data(long).AttachmentProperties(tneftest.Unicode(propLongName, "Bericht für Mai.doc")),
			files{"Bericht für Mai.doc": long},
		},
		"a long name of a code page": {
			tneftest.New().Codepage(1252).Attachment(1).Data([]byte("x")).AttachmentProperties(tneftest.String(propLongName, "caf\xe9.txt"), tneftest.String(propMIMEType, "text/plain")),
			files{"café.txt": []byte("x")},
		},
		"text and a file": {tneftest.New().Codepage(1252).Body("hello").File("a.txt", []byte("a")), files{"body.txt": []byte("hello\x00"), "a.txt": []byte("a")}},
		"HTML and RTF": {
			tneftest.New().Codepage(1252).Properties(tneftest.Binary(propHTML, []byte("<p>hello")), tneftest.Binary(propRTF, tneftest.StoredRTF(string(rtf)))),
			files{"body.html": []byte("<p>hello"), "body.rtf": rtf},
		},
		"properties of all kinds": {
			tneftest.New().Codepage(1252).Properties(tneftest.Int32(0x3FDE, 65001), tneftest.Int16s(0x1234, 1, 2, 3), tneftest.Named("Keywords", 7), tneftest.Time(0x0039, 133_000_000_000_000_000)).File("last.txt", []byte("z")),
			files{"last.txt": []byte("z")},
		},
		"a message within": {
			tneftest.New().File("outer.txt", []byte("outer")).Embedded("Offer", tneftest.New().Body("inner").File("inner.txt", long)),
			files{"outer.txt": []byte("outer"), "inner.txt": long, "Offer.txt": []byte("inner\x00")},
		},
		"messages within a message": {
			tneftest.New().Embedded("One", tneftest.New().Embedded("Two", tneftest.New().File("deep.bin", noise))),
			files{"deep.bin": noise},
		},
	}
}

// TestOwnTNEF unpacks them.
func TestOwnTNEF(t *testing.T) {
	names := newScore("tnef own names", floor{1, 20}, floor{1, 20})
	contents := newScore("tnef own contents", floor{1, 20}, floor{1, 20})
	for row, own := range ownStreams() {
		found := unpackTNEF(t, own.stream)
		if len(found) != len(own.files) {
			t.Errorf("%s: %d files, want %d", row, len(found), len(own.files))
		}
		for name, content := range own.files {
			hash, ok := found[name]
			sum := sha256.Sum256(content)
			names.note(t, row, ok, found, name)
			contents.note(t, row+": "+name, hash == hex.EncodeToString(sum[:]), hash, name)
		}
	}
	names.report(t)
	contents.report(t)
}
