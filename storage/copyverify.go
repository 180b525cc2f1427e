package storage

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// FaultCopy says that a table or an object of the target is not that of the source.
const FaultCopy = "copy"

// verify proves that the target is what the source is: every row the same, every object there, and of every message and attachment
// the octets that its row tells.
func (c *Copy) verify(ctx context.Context, r *CopyReport, o *copyList) error {
	for key, object := range o.wanted {
		if size, ok := o.there[key]; !ok || size != object.size {
			r.Faults = append(r.Faults, Fault{Kind: FaultCopy, Subject: key, Detail: "the object is not there whole"})
		}
	}
	for _, t := range c.tables {
		differ := 0
		count := func([]driver.Value) error { differ++; return nil }
		d := difference{put: count, drop: count}
		from, to := c.walks(t)
		if err := d.compareTables(ctx, t, from, to); err != nil {
			return err
		}
		if differ > 0 {
			r.Faults = append(r.Faults, Fault{Kind: FaultCopy, Subject: t.name, Detail: fmt.Sprintf("rows that are not those of the source: %d", differ)})
		}
	}
	err := c.target.read.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM delivery)").Scan(&r.Messages, &r.Pending)
	if err != nil {
		return err
	}
	return c.prove(ctx, r, o, true)
}

// prove reads the target as a store would: what was proven before is not read again. The last time everything that [Store.Check] knows
// is looked at; before that rows may well speak of what comes with a later pass.
func (c *Copy) prove(ctx context.Context, r *CopyReport, o *copyList, last bool) (err error) {
	cfg := c.cfg.To
	cfg.Beside, cfg.Blobs = true, &wholePacks{Blobs: cfg.Blobs}
	if c.target.dir != "" {
		cfg.Dir = c.target.dir
	}
	store, err := Open(ctx, cfg)
	if err != nil {
		return fmt.Errorf("open the copy: %w", err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	total, done := int64(0), int64(0)
	if err := store.read.QueryRowContext(ctx, "SELECT count(*) FROM message").Scan(&total); err != nil {
		return err
	}
	looked, faulty := map[string]bool{}, map[string]bool{}
	check := checking{
		store: store,
		report: func(f Fault) {
			faulty[f.Subject] = true
			if last || f.Kind == FaultBytes || f.Kind == FaultAttachment {
				r.Faults = append(r.Faults, f)
			}
		},
		look: func(key string) bool {
			if _, ok := o.there[key]; c.proven[key] || !ok && !last {
				return false
			}
			looked[key] = true
			return true
		},
		step: func() {
			if done++; done%checkRows == 0 || done == total {
				c.cfg.Progress(ProvingBytes, done, total)
			}
		},
	}
	checks := check.all()
	if !last {
		checks = []func(context.Context) error{check.messages}
	}
	for _, check := range checks {
		if err := check(ctx); err != nil {
			return err
		}
	}
	for key := range looked {
		c.proven[key] = !faulty[key]
	}
	r.Proven += len(looked)
	return nil
}

// wholePacks fetches each pack once for all the messages in it, which are read one after the other.
type wholePacks struct {
	Blobs

	mu     sync.Mutex
	packs  []wholePack // the one used last stands last
	octets int
}

type wholePack struct {
	key     string
	content []byte
}

// wholePacksMost bounds the octets that are kept; one pack always is.
const wholePacksMost = 128 << 20

// OpenRange implements [Blobs].
func (w *wholePacks) OpenRange(ctx context.Context, key string, offset, n int64) (io.ReadCloser, error) {
	if !strings.HasPrefix(key, packPrefix) {
		return w.Blobs.OpenRange(ctx, key, offset, n)
	}
	content, err := w.pack(ctx, key)
	if err != nil {
		return nil, err
	}
	offset = min(max(offset, 0), int64(len(content)))
	if rest := int64(len(content)) - offset; n < 0 || n > rest {
		n = rest
	}
	return io.NopCloser(bytes.NewReader(content[offset : offset+n])), nil
}

func (w *wholePacks) pack(ctx context.Context, key string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, p := range w.packs {
		if p.key == key {
			w.packs = append(append(w.packs[:i], w.packs[i+1:]...), p)
			return p.content, nil
		}
	}
	r, err := w.Blobs.OpenRange(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read pack: %w", err)
	}
	w.packs, w.octets = append(w.packs, wholePack{key, content}), w.octets+len(content)
	for w.octets > wholePacksMost && len(w.packs) > 1 {
		w.octets -= len(w.packs[0].content)
		w.packs = w.packs[1:]
	}
	return content, nil
}
