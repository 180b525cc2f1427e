package dispatch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// keptAttachment is the size to which the decoded content of an attachment is kept in memory while it is hashed. A larger
// one is decoded a second time while it is stored.
const keptAttachment = 256 << 10

// attachment is what was learned of an attachment by reading it.
type attachment struct {
	part    string // id
	key     string // in Blobs; empty when it is not stored
	size    int64
	sha256  string // lower-case hex
	defects []parser.Defect
}

// measure reads the part once. Where kept is not nil it gets the content, if that is small.
func measure(part *parser.Part, kept *bytes.Buffer) (*attachment, error) {
	content, hash := part.Open(), sha256.New()
	var sink io.Writer = hash
	if kept != nil {
		sink = io.MultiWriter(hash, &head{kept, keptAttachment})
	}
	size, err := io.Copy(sink, content)
	if err != nil {
		return nil, err
	}
	return &attachment{part: part.ID, size: size, sha256: hex.EncodeToString(hash.Sum(nil)), defects: content.Defects()}, nil
}

// head keeps the first octets that are written.
type head struct {
	kept *bytes.Buffer
	room int
}

// Write implements [io.Writer].
func (h *head) Write(p []byte) (int, error) {
	n := min(len(p), h.room)
	h.room -= n
	h.kept.Write(p[:n])
	return len(p), nil
}

// storeAttachment makes sure that the content of the part lies in blobs under a key of account, message and content, so
// that a repeat after a crash stores the same bytes under the same key. Where stored lists it already it is only read.
func storeAttachment(ctx context.Context, blobs storage.Blobs, mail *storage.Mail, part *parser.Part, kept *bytes.Buffer) (*attachment, error) {
	kept.Reset()
	a, err := measure(part, kept)
	if err != nil {
		return nil, fmt.Errorf("reading attachment %s: %w", part.ID, err)
	}
	a.key = storage.AttachmentKey(mail.Account, mail.ID, a.sha256)
	if isStored(mail.Summary, a.key) {
		return a, nil
	}
	var content io.ReadSeeker = bytes.NewReader(kept.Bytes())
	if a.size > int64(kept.Len()) {
		content = &decoded{part: part, size: a.size}
	}
	if err := blobs.Put(ctx, a.key, content, a.size); err != nil {
		return nil, fmt.Errorf("storing attachment %s: %w", part.ID, err)
	}
	return a, nil
}

func isStored(s *storage.Summary, key string) bool {
	if s == nil {
		return false
	}
	for i := range s.Attachments {
		if s.Attachments[i].Key == key {
			return true
		}
	}
	return false
}

// decoded reads a part of known size and can seek in it, by decoding it again from the start. Blob stores seek to learn
// a length, to hash, and to try again.
type decoded struct {
	part *parser.Part
	size int64
	pos  int64     // where the next Read is to read
	src  io.Reader // nil: not open
	at   int64     // where src stands
}

// Read implements [io.Reader].
func (d *decoded) Read(p []byte) (int, error) {
	if d.pos >= d.size {
		return 0, io.EOF
	}
	if d.src == nil || d.at > d.pos {
		d.src, d.at = d.part.Open(), 0
	}
	if skip := d.pos - d.at; skip > 0 {
		n, err := io.CopyN(io.Discard, d.src, skip)
		if d.at += n; err != nil {
			return 0, fmt.Errorf("decoding again: %w", err)
		}
	}
	n, err := d.src.Read(p)
	d.at += int64(n)
	d.pos = d.at
	return n, err
}

// Seek implements [io.Seeker].
func (d *decoded) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += d.pos
	case io.SeekEnd:
		offset += d.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	d.pos = offset
	return offset, nil
}
