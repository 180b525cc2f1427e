package storage

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Mails reads those of the messages that there are, in one go and in no order.
func (s *Store) Mails(ctx context.Context, ids []string) ([]*Mail, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("read %d messages: %w", len(ids), err)
	}
	rows, err := s.reads.mails.query(ctx, string(list))
	if err != nil {
		return nil, fmt.Errorf("read %d messages: %w", len(ids), err)
	}
	mails := make([]*Mail, 0, len(ids))
	err = each(rows, func() error {
		m, err := scanMail(rows.Scan)
		mails = append(mails, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %d messages: %w", len(ids), err)
	}
	s.metrics.read("mails", len(mails))
	return mails, nil
}

// Mail reads a message by its id. An unknown id gives an error that Is [ErrNotFound].
func (s *Store) Mail(ctx context.Context, id string) (*Mail, error) {
	m, err := scanMail(s.reads.mail.queryRow(ctx, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read message %s: %w", id, err)
	}
	return m, nil
}

// scanMail reads the columns of selectMail.
func scanMail(scan func(...any) error) (*Mail, error) {
	m := &Mail{}
	var received int64
	var hash, envelope []byte
	var summary sql.NullString
	r := &m.raw
	err := scan(&m.ID, &m.Account, &received, &m.Size, &hash, &envelope, &r.pack, &r.offset, &r.length, &r.key, &m.ParseCount, &summary)
	if err != nil {
		return nil, err
	}
	m.ReceivedAt, m.Erased = time.UnixMilli(received), len(r.key) == 0
	if copy(m.SHA256[:], hash) != len(m.SHA256) {
		return nil, errors.New("the stored hash has a wrong length")
	}
	if err := m.decode(envelope, summary); err != nil {
		return nil, err
	}
	return m, nil
}

// decode fills in what is stored as JSON.
func (m *Mail) decode(envelope []byte, summary sql.NullString) error {
	if err := json.Unmarshal(envelope, &m.Envelope); err != nil {
		return fmt.Errorf("decode envelope: %w", err)
	}
	if summary.Valid {
		if err := json.Unmarshal([]byte(summary.String), &m.Summary); err != nil {
			return fmt.Errorf("decode summary: %w", err)
		}
	}
	return nil
}

// BeginParse counts, durably, that a parse of the message begins. Whoever comes back from that parse, with a result or
// not, calls [Store.EndParse]; so a count of two or more tells of a parse that took the program down. The count starts
// again at zero when a [Completion] with Parsed is recorded. After an error nothing is counted.
func (s *Store) BeginParse(ctx context.Context, messageID string) (count int, err error) {
	p := &beginning{message: messageID, done: make(chan error, 1)}
	if !s.results.putBeginning(p) {
		return 0, ErrClosed
	}
	select {
	case err := <-p.done:
		return p.count, err
	case <-ctx.Done():
		if s.results.withdrawBeginning(p) {
			return 0, ctx.Err()
		}
		err := <-p.done
		return p.count, err
	}
}

// EndParse takes one count of [Store.BeginParse] back. It does not wait: the count is taken back durably with one of the
// next transactions, within a second, and before any later BeginParse of the message counts.
func (s *Store) EndParse(messageID string) { s.results.putEnds([]string{messageID}) }

// Raw is the content of a message as it was received. Close it after use.
type Raw struct {
	io.ReaderAt
	size   int64
	octets []byte    // all of it, when it lies in memory; not nil then
	closer io.Closer // may be nil
}

// Octets gives the whole content where it lies in memory anyway, because it is small; else nil. It is not to be changed.
func (r *Raw) Octets() []byte { return r.octets }

// Size is the number of octets.
func (r *Raw) Size() int64 { return r.size }

// Close lets go of the file or connection below.
func (r *Raw) Close() error {
	if r.closer == nil {
		return nil
	}
	return r.closer.Close()
}

// OpenRaw opens the content of a message. Every octet read is proved by the seal of the message: damage is an error and
// never wrong bytes. Absent bytes give an error that Is [ErrNotFound]. ctx bounds the reads too.
func (s *Store) OpenRaw(ctx context.Context, m *Mail) (*Raw, error) {
	raw, err := s.openRaw(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("open raw bytes of %s: %w", m.ID, err)
	}
	return raw, nil
}

func (s *Store) openRaw(ctx context.Context, m *Mail) (*Raw, error) {
	if m.Erased {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, ErrErased)
	}
	key, err := unwrapKey(s.cfg.Keys, m.ID, m.raw.key)
	if err != nil {
		return nil, err
	}
	if m.raw.small() {
		return s.openSmall(ctx, m, key)
	}
	src, closer, err := s.openSealedBytes(ctx, &m.raw)
	if err != nil {
		return nil, err
	}
	sealed, err := openSealed(key, src, m.raw.length)
	if err == nil {
		err = sizeIs(m, sealed.Size())
	}
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	return &Raw{ReaderAt: sealed, size: sealed.Size(), closer: closer}, nil
}

// small says whether the sealed bytes are worth reading at once: one chunk of a file, or what a pack in Blobs may hold, of
// which every read is a request.
func (r *rawRef) small() bool {
	most := int64(chunkSealed)
	if !strings.HasPrefix(r.pack, segmentPrefix) {
		most = sealedSize(maxPacked)
	}
	return 0 <= r.length && r.length <= most
}

// openSmall reads a message with one read.
func (s *Store) openSmall(ctx context.Context, m *Mail, key messageKey) (*Raw, error) {
	sealed, err := s.readSealed(ctx, &m.raw)
	if err != nil {
		return nil, err
	}
	plain, err := unseal(key, sealed)
	if err == nil {
		err = sizeIs(m, int64(len(plain)))
	}
	if err != nil {
		return nil, err
	}
	return &Raw{ReaderAt: bytes.NewReader(plain), size: m.Size, octets: plain}, nil
}

// sizeIs proves that the row and the bytes speak of the same content.
func sizeIs(m *Mail, size int64) error {
	if size != m.Size {
		return fmt.Errorf("%w: %d octets instead of %d", ErrDamaged, size, m.Size)
	}
	return nil
}

// readSealed reads the stored octets of one message into memory.
func (s *Store) readSealed(ctx context.Context, r *rawRef) ([]byte, error) {
	sealed := make([]byte, r.length)
	if strings.HasPrefix(r.pack, segmentPrefix) {
		f, err := s.reader.open(r.pack)
		if err != nil {
			return nil, err
		}
		_, err = f.ReadAt(sealed, r.offset)
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: the segment ends before them", ErrDamaged)
		}
		return sealed, errors.Join(err, f.Close())
	}
	body, err := s.cfg.Blobs.OpenRange(ctx, r.pack, r.offset, r.length)
	if err != nil {
		return nil, err
	}
	_, err = io.ReadFull(body, sealed)
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("read pack: %w", err)
	}
	return sealed, nil
}

// openSealedBytes gives the stored octets of one message: of a segment as a part of the file, of a blob as a stream.
func (s *Store) openSealedBytes(ctx context.Context, r *rawRef) (io.ReaderAt, io.Closer, error) {
	if strings.HasPrefix(r.pack, segmentPrefix) {
		f, err := s.reader.open(r.pack)
		if err != nil {
			return nil, nil, err
		}
		return io.NewSectionReader(f, r.offset, r.length), f, nil
	}
	stream := &rangeReader{open: func(off int64) (io.ReadCloser, error) {
		return s.cfg.Blobs.OpenRange(ctx, r.pack, r.offset+off, r.length-off)
	}}
	return stream, stream, nil
}

// rangeReader reads an object from anywhere. Reads in order share one stream; another place opens a new one.
type rangeReader struct {
	open func(off int64) (io.ReadCloser, error)

	mu   sync.Mutex
	body io.ReadCloser // nil: none
	at   int64         // where body stands
}

// ReadAt implements io.ReaderAt.
func (r *rangeReader) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.body == nil || r.at != off {
		if err := r.close(); err != nil {
			return 0, err
		}
		body, err := r.open(off)
		if err != nil {
			return 0, err
		}
		r.body, r.at = body, off
	}
	n, err := io.ReadFull(r.body, p)
	r.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// Close ends the stream.
func (r *rangeReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.close()
}

func (r *rangeReader) close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}
