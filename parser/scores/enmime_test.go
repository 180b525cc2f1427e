package scores_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jhillyerd/enmime/v2"

	"github.com/letterhook/letterhook/parser"
)

// mostForEnmime keeps enmime from mail that it does not get through: its time doubles with each level of multiparts that are
// not closed, and grows with the square of the parts.
var mostForEnmime = struct {
	size, delimiters, boundaries int
}{size: 1 << 20, delimiters: 500, boundaries: 12}

// fitForEnmime reports whether enmime may read a message whole.
func fitForEnmime(raw []byte) bool {
	return len(raw) <= mostForEnmime.size && bytes.Count(raw, []byte("\n--")) <= mostForEnmime.delimiters &&
		bytes.Count(bytes.ToLower(raw), []byte("boundary=")) <= mostForEnmime.boundaries
}

// TestEnmime compares with enmime's reading of the whole message, of which this parser uses only its reading of single fields.
func TestEnmime(t *testing.T) {
	field := func(name string, whole, copied int) *score {
		return newScore("enmime "+name, floor{1, whole}, floor{1, copied})
	}
	c := newTruth(t, "enmime", field("structure", 653, 275), field("types", 640, 267), field("names", 640, 267), field("bodies", 640, 267))
	root := folder(t, "mime")
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".eml" && filepath.Ext(path) != ".msg" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		compareEnmime(c, filepath.ToSlash(file), raw)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.report()
}

func compareEnmime(c *truth, file string, raw []byte) {
	c.t.Helper()
	if !fitForEnmime(raw) {
		c.score("structure").skip(c.t, file, "enmime might not come to an end")
		return
	}
	p := enmime.NewParser(enmime.DisableTextConversion(true), enmime.DisableCharacterDetection(true), enmime.MaxStoredPartErrors(10),
		enmime.SkipMalformedParts(true), enmime.SetReadPartErrorPolicy(func(*enmime.Part, error) bool { return true }))
	theirs, err := p.ReadParts(bytes.NewReader(raw))
	if err != nil {
		c.score("structure").skip(c.t, file, "enmime: "+err.Error())
		return
	}
	m := parse(c.t, raw)
	ours := leavesOf(m.Root)
	their := theirs.DepthMatchAll(func(p *enmime.Part) bool { return p.FirstChild == nil })
	c.note(file, "structure", len(ours) == len(their), len(ours), len(their))
	if len(ours) != len(their) {
		return
	}
	var a, b [3][]string // types, names, bodies
	for i, p := range ours {
		q := their[i]
		a[0], b[0] = append(a[0], p.ContentType), append(b[0], enmimeType(q))
		a[1], b[1] = append(a[1], p.Filename), append(b[1], strings.Trim(q.FileName, " "))
		body, text := ourBody(c.t, p)
		a[2] = append(a[2], body)
		if text {
			// We keep no NUL and no byte order mark in a text.
			b[2] = append(b[2], fold(strings.ReplaceAll(strings.TrimPrefix(string(q.Content), "\ufeff"), "\x00", "")))
		} else {
			b[2] = append(b[2], string(q.Content))
		}
	}
	for i, name := range []string{"types", "names", "bodies"} {
		c.note(file, name, slices.Equal(a[i], b[i]), a[i], b[i])
	}
}

// enmimeType is the type of a part; one without Content-Type is text (RFC 2045 section 5.2).
func enmimeType(p *enmime.Part) string {
	if p.ContentType == "" {
		return "text/plain"
	}
	return strings.ToLower(p.ContentType)
}

// leavesOf lists the leaves of MIME: an attached message is one, and so is what was unpacked further.
func leavesOf(p *parser.Part) []*parser.Part {
	if !strings.HasPrefix(p.ContentType, "multipart/") || len(p.Parts) == 0 {
		return []*parser.Part{p}
	}
	var list []*parser.Part
	for _, child := range p.Parts {
		list = append(list, leavesOf(child)...)
	}
	return list
}

// ourBody is the body of a leaf as enmime gives it: texts in UTF-8. A text that is a message by itself is read by Parse.
func ourBody(t *testing.T, p *parser.Part) (body string, text bool) {
	t.Helper()
	b, err := io.ReadAll(p.Open())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(p.ContentType, "text/") {
		return string(b), false
	}
	header := fmt.Sprintf("Content-Type: text/plain; charset=%q\r\nContent-Transfer-Encoding: binary\r\n\r\n", p.Charset)
	if p.Charset == "" {
		header = "Content-Transfer-Encoding: binary\r\n\r\n"
	}
	return fold(deref(parse(t, append([]byte(header), b...)).Text)), true
}
