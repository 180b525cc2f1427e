package dispatch

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// partOf makes a mail with one attachment and returns that part.
func partOf(t *testing.T, content []byte) *parser.Part {
	t.Helper()
	var raw bytes.Buffer
	raw.WriteString("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\n")
	text := base64.StdEncoding.EncodeToString(content)
	for len(text) > 76 {
		raw.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	raw.WriteString(text + "\r\n")
	msg, err := parser.Parse(bytes.NewReader(raw.Bytes()), int64(raw.Len()), parser.Limits{})
	if err != nil || len(msg.Attachments) != 1 {
		t.Fatalf("%d attachments, %v", len(msg.Attachments), err)
	}
	return msg.Attachments[0]
}

func TestStoreAttachment(t *testing.T) {
	h := build(t, storage.Endpoint{Name: "one"})
	defer h.close()
	m := &storage.Mail{ID: "msg_1", Account: "acc_1"}
	var kept bytes.Buffer
	for _, size := range []int{0, 1, keptAttachment - 1, keptAttachment, keptAttachment + 1, 3 * keptAttachment} {
		content := make([]byte, size)
		rand.Read(content)
		part := partOf(t, content)
		a, err := storeAttachment(t.Context(), h.blobs, m, part, &kept)
		if err != nil {
			t.Fatalf("%d octets: %v", size, err)
		}
		r, err := h.blobs.OpenRange(t.Context(), a.key, 0, -1)
		if err != nil {
			t.Fatalf("%d octets: %v", size, err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, content) || a.size != int64(size) {
			t.Errorf("%d octets: %d stored, size %d, %v", size, len(got), a.size, err)
		}
		// Again, and once more knowing that it is there: the same key, and no further put.
		again, err := storeAttachment(t.Context(), h.blobs, m, part, &kept)
		if err != nil || again.key != a.key {
			t.Errorf("%d octets again: %v", size, err)
		}
		known := *m
		known.Summary = &storage.Summary{Attachments: []storage.AttachmentBlob{{Key: a.key}}}
		if _, err := storeAttachment(t.Context(), brokenBlobs{h.blobs, nil}, &known, part, &kept); err != nil {
			t.Errorf("%d octets, stored before: %v", size, err)
		}
		if _, err := storeAttachment(t.Context(), brokenBlobs{h.blobs, nil}, m, part, &kept); !errors.Is(err, errBroken) {
			t.Errorf("%d octets, broken blobs: %v", size, err)
		}
	}
}

func TestDecodedSeeks(t *testing.T) {
	content := make([]byte, 100_000)
	rand.Read(content)
	if err := iotest.TestReader(&decoded{part: partOf(t, content), size: int64(len(content))}, content); err != nil {
		t.Error(err)
	}
}

var errBroken = errors.New("the blobs are broken")

// brokenBlobs refuse to store while broken says so; nil: always.
type brokenBlobs struct {
	storage.Blobs
	broken func() bool
}

func (b brokenBlobs) Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error {
	if b.broken == nil || b.broken() {
		return errBroken
	}
	return b.Blobs.Put(ctx, key, r, size)
}
