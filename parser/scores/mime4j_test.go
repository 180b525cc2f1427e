package scores_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
)

// TestMime4j compares the tree of parts, and what is in each leaf, with the event tree that Apache Mime4j expects of itself.
func TestMime4j(t *testing.T) {
	field := func(name string, whole, copied int) *score {
		return newScore("mime4j "+name, floor{1, whole}, floor{1, copied})
	}
	c := newTruth(t, "mime4j", field("structure", 76, 30), field("content", 65, 23))
	for _, set := range []string{"mime4j-testmsgs", "mime4j-mimetools"} {
		files, err := filepath.Glob(filepath.Join(folder(t, "mime/"+set), "*_decoded.xml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			name := strings.TrimSuffix(filepath.Base(path), "_decoded.xml") + ".msg"
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), name)); err != nil {
				continue // a second truth for headless reading
			}
			tree, contents := foreignTree(t, path)
			ours, leaves := ourTree(parseFile(t, filepath.Dir(path), name).Root)
			file := set + "/" + name
			c.note(file, "structure", ours == tree, ours, tree)
			if ours == tree && len(leaves) == len(contents) {
				compareLeaves(c, file, leaves, contents)
			}
		}
	}
	c.report()
}

func compareLeaves(c *truth, file string, leaves []*parser.Part, contents [][]byte) {
	c.t.Helper()
	for i, p := range leaves {
		b, err := io.ReadAll(p.Open())
		if err != nil {
			c.t.Fatal(err)
		}
		// Mime4j writes texts with line ends of its own.
		if !bytes.Equal(oneLineEnd(b), oneLineEnd(contents[i])) {
			c.note(file, "content", false, string(b), string(contents[i]))
			return
		}
	}
	c.note(file, "content", true, nil, nil)
}

func oneLineEnd(b []byte) []byte {
	return bytes.TrimRight(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), "\n")
}

// ourTree writes the tree of a part: "m(...)" a multipart, "r(...)" a message, "l" a leaf.
func ourTree(p *parser.Part) (tree string, leaves []*parser.Part) {
	var b strings.Builder
	var walk func(p *parser.Part)
	walk = func(p *parser.Part) {
		switch {
		case p.Message != nil:
			b.WriteString("r(")
			walk(p.Message.Root)
			b.WriteString(")")
		case len(p.Parts) > 0:
			b.WriteString("m(")
			for _, child := range p.Parts {
				walk(child)
			}
			b.WriteString(")")
		default:
			b.WriteString("l")
			leaves = append(leaves, p)
		}
	}
	walk(p)
	return b.String(), leaves
}

// foreignTree writes Mime4j's tree in the same way, and reads its leaves from the files that it names.
func foreignTree(t *testing.T, path string) (tree string, contents [][]byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := xml.NewDecoder(f)
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var b strings.Builder
	messages := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return b.String(), contents
		}
		if err != nil {
			t.Fatal(path, err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			switch e.Name.Local {
			case "message":
				if messages++; messages > 1 {
					b.WriteString("r(")
				}
			case "multipart":
				b.WriteString("m(")
			case "text-body", "binary-body":
				b.WriteString("l")
				content, err := os.ReadFile(filepath.Join(filepath.Dir(path), e.Attr[0].Value))
				if err != nil {
					t.Fatal(err)
				}
				contents = append(contents, content)
			}
		case xml.EndElement:
			switch e.Name.Local {
			case "message":
				if messages--; messages > 0 {
					b.WriteString(")")
				}
			case "multipart":
				b.WriteString(")")
			}
		}
	}
}
