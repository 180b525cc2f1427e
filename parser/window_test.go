package parser_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/letterhook/letterhook/parser"
)

// checkWindows reads raw through windows of several sizes, none of which may change what comes of it.
func checkWindows(t *testing.T, name string, raw []byte, lim parser.Limits) {
	t.Helper()
	want, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), lim)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	own := bytes.Clone(raw)
	got, err := parser.Parse(parser.Octets(own), int64(len(own)), lim)
	if err != nil || !reflect.DeepEqual(want, got) || !bytes.Equal(own, raw) {
		t.Fatalf("%s: octets in memory (-read +in memory), error %v, changed %v:\n%s", name, err, !bytes.Equal(own, raw),
			cmp.Diff(want, got, cmpopts.IgnoreUnexported(parser.Part{})))
	}
	for _, window := range []int{1, 16, 61} {
		got, err := parser.ParseWindowed(bytes.NewReader(raw), int64(len(raw)), lim, window)
		if err != nil {
			t.Fatalf("%s: window of %d: %v", name, window, err)
		}
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("%s: window of %d (-whole +window):\n%s", name, window, cmp.Diff(want, got, cmpopts.IgnoreUnexported(parser.Part{})))
		}
	}
}

// TestWindowCorpus reads every message of testdata through windows so small that each look ahead crosses an edge.
func TestWindowCorpus(t *testing.T) {
	err := filepath.WalkDir("testdata/corpus/mime", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".jsonl" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		checkWindows(t, path, raw, parser.Limits{})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWindowEdge has what a header can end with, where the look ahead must not lose what was read before it.
func TestWindowEdge(t *testing.T) {
	multipart := "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	for name, mail := range map[string]string{
		"a dash ends the header":       strings.Repeat("X-A: a\r\n", 9) + "-\nSubject: x\r\n\r\nbody",
		"a dash begins a field":        "X-A: a\r\n-X-B: b\r\nX-C: c\r\n\r\nbody",
		"dashes begin a field":         multipart + "preamble\r\n--b\r\nX-A: a\r\n--X-B: b\r\nX-C: c\r\n\r\nbody\r\n--b--\r\n",
		"a delimiter ends the header":  multipart + "--b\r\nX-A: a\r\n--b\r\nX-B: b\r\n--b--\r\n",
		"a line lost its indent":       "X-A: a\r\nlost words\r\nContent-Language: en\r\n\r\nbody",
		"a long name follows":          "X-A: a\r\nlost words\r\nX-" + strings.Repeat("b", 80) + ": c\r\n\r\nbody",
		"a delimiter with much behind": multipart + "--b" + strings.Repeat(" ", 400) + "\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n",
		"words behind a delimiter":     multipart + "--b some words\r\n\r\none\r\n--b-- and more\r\nepilogue\r\n",
		"a field with a broken name":   "X-A b: c\r\n d\r\nX-A/b <c>: d\r\n e\r\nSubject: s\r\n\r\nbody",
		"a header too long":            strings.Repeat("X-A: a\r\n", 40_000) + "\r\nbody",
	} {
		t.Run(name, func(t *testing.T) { checkWindows(t, name, []byte(mail), parser.Limits{}) })
	}
}

// TestWindowBehindLimit: what is counted of the octets is counted in all of them, also when a limit ended the scan early.
func TestWindowBehindLimit(t *testing.T) {
	mail := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 9) + strings.Repeat("bare\n", 40)
	checkWindows(t, "parts", []byte(mail), parser.Limits{Parts: 3})
}

// TestHostileWindow reads each hostile mail, cut to a size that tiny windows get through soon.
func TestHostileWindow(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			mail := c.mail()
			checkWindows(t, c.name, []byte(mail[:min(len(mail), 8<<10)]), parser.Limits{})
		})
	}
}

// TestWindowOfAMegabyte puts the look ahead for a delimiter at the end of the window that a message of that size has.
func TestWindowOfAMegabyte(t *testing.T) {
	header := strings.Repeat("X-A: "+strings.Repeat("a", 58)+"\r\n", 1008)
	header += "X-B: " + strings.Repeat("b", 65_534-len(header)-7) + "\r\n"
	mail := header + "-\nSubject: x\r\n\r\n" + strings.Repeat("body\r\n", 170_000)
	m, err := parser.Parse(strings.NewReader(mail), int64(len(mail)), parser.Limits{HeaderCount: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Headers) != 1010 || m.Subject != "x" || !strings.HasPrefix(deref(m.Text), "body\nbody\n") {
		t.Errorf("%d fields, subject %q, text %.40q", len(m.Headers), m.Subject, deref(m.Text))
	}
}
