package scores_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
)

// TestTNEF holds what is unpacked from winmail.dat against the lists of what others found in them, by name and by SHA-256.
// The files are under the GPL, so that there is no copy of them here; TestOwnTNEF has some that were made here.
func TestTNEF(t *testing.T) {
	names := newScore("tnef names", floor{1, 25}, floor{})
	contents := newScore("tnef contents", floor{1, 25}, floor{})
	dir := folder(t, "tnef/verdammelt")
	known := tnefHashes(t, filepath.Join(dir, "contents.sha256"))
	lists, err := filepath.Glob(filepath.Join(dir, "*.list"))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		stem := strings.TrimSuffix(list, ".list")
		found := tnefContents(t, stem+".tnef")
		for name := range tnefLines(t, list) {
			// Their name for a body begins with that of the file.
			ours := strings.Replace(name, filepath.Base(stem)+"-body.", "body.", 1)
			hash, ok := found[ours]
			names.note(t, filepath.Base(list), ok, found, name)
			if len(known[name]) == 0 {
				contents.skip(t, name, "its content is not known")
				continue
			}
			contents.note(t, filepath.Base(list)+": "+name, known[name][hash], hash, known[name])
		}
	}
	names.report(t)
	contents.report(t)
}

// tnefContents is unpackTNEF of a file.
func tnefContents(t *testing.T, file string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return unpackTNEF(t, b)
}

// unpackTNEF is the SHA-256 of every file in a stream that comes as an attachment of a mail, by name.
func unpackTNEF(t *testing.T, b []byte) map[string]string {
	t.Helper()
	m := parseMail(t, []byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"+
		base64.StdEncoding.EncodeToString(b)+"\r\n--b--\r\n"))
	found := map[string]string{}
	for _, p := range m.Attachments {
		found[p.Filename] = hashOf(t, p)
	}
	return found
}

func parseMail(t *testing.T, raw []byte) *parser.Message {
	t.Helper()
	m, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func hashOf(t *testing.T, p *parser.Part) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, p.Open()); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// tnefHashes reads lines of hash, size and name; several files may have one name.
func tnefHashes(t *testing.T, file string) map[string]map[string]bool {
	t.Helper()
	hashes := map[string]map[string]bool{}
	for line := range tnefLines(t, file) {
		fields := strings.SplitN(line, "  ", 3)
		if len(fields) != 3 {
			t.Fatalf("%s: %q", file, line)
		}
		if hashes[fields[2]] == nil {
			hashes[fields[2]] = map[string]bool{}
		}
		hashes[fields[2]][fields[0]] = true
	}
	return hashes
}

// tnefLines is the set of lines of a file, which the copy does not have.
func tnefLines(t *testing.T, file string) map[string]bool {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		if !wholeCorpus() {
			return nil
		}
		t.Fatal(err)
	}
	defer f.Close()
	lines := map[string]bool{}
	for in := bufio.NewScanner(f); in.Scan(); {
		if in.Text() != "" {
			lines[in.Text()] = true
		}
	}
	return lines
}
