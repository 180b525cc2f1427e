package dispatch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/letterhook/letterhook/docs/schema/schematest"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// arrays are the keys of the contract that hold arrays, and are never null.
func arrays(t *testing.T) (keys []string) {
	for key := range strings.FieldsSeq(string(readFile(t, "testdata/keys.txt"))) {
		if before, _, ok := strings.Cut(key, "[]"); ok && !slices.Contains(keys, before) {
			keys = append(keys, before)
		}
	}
	return append(keys, "data.envelope.rcpt_to", "data.kind_reasons", "data.in_reply_to", "data.references", "data.parse.limits_hit",
		"data.parse.truncated")
}

// Every mail of the parser's corpus, the hostile ones too, makes an event that keeps the rules of the contract.
func TestCorpusKeepsTheContract(t *testing.T) {
	h := build(t, storage.Endpoint{Name: "one"})
	defer h.close()
	d := h.dispatcher(nil)
	arrays := arrays(t)
	n := 0
	err := filepath.WalkDir("../parser/testdata/corpus/mime", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".eml" && filepath.Ext(path) != ".msg" {
			return err
		}
		n++
		raw := readFile(t, path)
		m := sampleMail(raw)
		memory := &share{from: d.desk}
		defer memory.release()
		c, err := d.open(t.Context(), m, bytes.NewReader(raw), int64(len(raw)), memory)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, limit := range []int{0, 4000} {
			ev, err := d.event(t.Context(), m, c, "ep_1", epoch)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			body, err := d.native.render.render(ev, limit, false)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			checkContract(t, path, body, arrays)
			checkAttachments(t, path, d, c, ev)
			if limit == 0 && len(body) > defaultMaxBody && len(ev.Data.Attachments) < 300 {
				t.Errorf("%s: %d octets", path, len(body))
			}
		}
		return nil
	})
	if err != nil || n < 200 {
		t.Fatalf("%d mails, %v", n, err)
	}
}

// The same mail gives the same data, octet by octet: an event that is made anew for a retry is the event that was sent.
func TestSameMailSameData(t *testing.T) {
	err := filepath.WalkDir("../parser/testdata/corpus", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw := readFile(t, path)
		var made [2][]byte
		for i := range made {
			msg, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{})
			if err != nil {
				return err
			}
			data, err := DataOf(msg, int64(len(raw)), sha256.Sum256(raw), "test")
			if err != nil {
				return err
			}
			if made[i], err = json.Marshal(data); err != nil {
				return err
			}
		}
		if !bytes.Equal(made[0], made[1]) {
			t.Errorf("%s: two readings differ", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkContract(t *testing.T, path string, body []byte, arrays []string) {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(body, &tree); err != nil || !utf8.Valid(body) {
		t.Fatalf("%s: not JSON in UTF-8: %v", path, err)
	}
	if err := schematest.Check(body); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	if bytes.Contains(body, []byte(`\u0000`)) {
		t.Errorf("%s: a string holds NUL", path)
	}
	for _, key := range arrays {
		var at any = tree
		for step := range strings.SplitSeq(key, ".") {
			object, ok := at.(map[string]any)
			if !ok {
				at = []any{} // below an object that is null
				break
			}
			if at, ok = object[step]; !ok {
				t.Errorf("%s: %s is absent", path, key)
			}
		}
		if _, ok := at.([]any); !ok {
			t.Errorf("%s: %s is no array", path, key)
		}
	}
	var ev Event
	if err := json.Unmarshal(body, &ev); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	joined := ""
	for _, s := range ev.Data.Reply.Segments {
		joined += s.Text
	}
	if text := ev.Data.Text; text != nil && joined != *text {
		t.Errorf("%s: the segments of the reply are not the text", path)
	}
}

// checkAttachments reads back what was stored.
func checkAttachments(t *testing.T, path string, d *Dispatcher, c *content, ev *Event) {
	t.Helper()
	for i, a := range ev.Data.Attachments {
		hash := sha256.New()
		r, err := d.cfg.Blobs.OpenRange(t.Context(), c.found[i].key, 0, -1)
		if err != nil {
			t.Fatalf("%s: attachment %s: %v", path, a.ID, err)
		}
		if n, err := io.Copy(hash, r); err != nil || n != a.Size || hex.EncodeToString(hash.Sum(nil)) != a.SHA256 {
			t.Errorf("%s: attachment %s: %d octets stored, %d announced, %v", path, a.ID, n, a.Size, err)
		}
		r.Close()
		if a.URL == nil || c.found[i].key != storage.AttachmentKey(ev.Data.AccountID, ev.Data.ID, a.SHA256) {
			t.Errorf("%s: attachment %s is not linked", path, a.ID)
		}
	}
}
