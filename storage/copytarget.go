package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// copyTarget is the database that is written to.
type copyTarget struct {
	engine engine
	w      *writer
	read   reader
	dir    string // absolute; empty: nothing lies in a folder
	id     string // what the store's will be
}

func (t *copyTarget) close() error {
	var errs []error
	if t.read.DB != nil {
		errs = append(errs, t.read.Close())
	}
	if t.w != nil {
		errs = append(errs, t.w.close())
	}
	return errors.Join(errs...)
}

// openTarget opens or makes the target, proves that it is empty or a copy of this source, and marks it as one.
func (c *Copy) openTarget(ctx context.Context) (err error) {
	t, cfg := &c.target, &c.cfg.To
	cfg.setDefaults()
	if cfg.Database == "" || !cfg.PackInBlobs {
		if t.dir, err = c.openFolder(); err != nil {
			return err
		}
	}
	if cfg.Database != "" {
		t.engine, err = newPostgresEngine(cfg.Database)
	} else {
		e := &sqliteEngine{path: filepath.Join(t.dir, DatabaseName)}
		t.engine, err = e, e.prepare(false)
	}
	if err != nil {
		return err
	}
	t.read.engine = t.engine
	if t.w, err = newWriter(t.engine); err != nil {
		return err
	}
	if err := (&Store{cfg: *cfg}).bringForward(t.w); err != nil {
		return err
	}
	if err := c.sides.target.hold(t.engine, ""); err != nil {
		return err
	}
	if t.read.DB, err = t.engine.open(); err != nil {
		return err
	}
	return c.claim(ctx)
}

// openFolder makes the folder of the target and locks it, unless it is the source's too, where the engine changes.
func (c *Copy) openFolder() (string, error) {
	if c.cfg.To.Dir == "" {
		return "", errors.New("it needs a folder, for its database or its segments")
	}
	dir, err := filepath.Abs(c.cfg.To.Dir)
	if err != nil {
		return "", err
	}
	if err := makeFolder(dir, syncFolder); err != nil {
		return "", err
	}
	if c.sameFolder(dir) {
		if c.cfg.To.Database == "" && c.cfg.From.Database == "" {
			return "", fmt.Errorf("%w: it is the source", ErrNotEmpty)
		}
		return dir, nil
	}
	return dir, c.sides.target.lock(dir)
}

// sameFolder says whether a folder of the target is that of the source.
func (c *Copy) sameFolder(dir string) bool {
	ours, err := os.Stat(dir)
	if err != nil {
		return false
	}
	theirs, err := os.Stat(c.source.cfg.Dir)
	return err == nil && os.SameFile(ours, theirs)
}

// claim marks database and blobs as a copy in the making.
func (c *Copy) claim(ctx context.Context) error {
	t, source := &c.target, c.sourceID
	found, err := t.w.queryText("SELECT id FROM store")
	if err != nil {
		return err
	}
	resumed := found != ""
	if resumed {
		of, id, ok := parseMark(copyMark, found)
		switch {
		case c.movedTo != "" && found == c.movedTo:
			return fmt.Errorf("%w: this copy is finished; start the server with its new configuration", ErrNotEmpty)
		case !ok:
			return fmt.Errorf("%w: its database is that of store %s", ErrNotEmpty, found)
		case of != source:
			return fmt.Errorf("%w: its database holds a copy in the making of another store, %s", ErrNotEmpty, of)
		}
		t.id = id
	} else {
		t.id = newID(storePrefix, time.Now())
	}
	if c.movedTo != "" && c.movedTo != t.id {
		return movedTo(c.movedTo)
	}
	if err := c.claimable(ctx, resumed); err != nil {
		return err
	}
	if !resumed {
		mark := fmt.Sprintf(copyMark, source, t.id)
		if err := t.w.transact(func() error {
			_, err := t.w.exec("INSERT INTO store (one, id) VALUES (1, ?)", mark)
			return err
		}); err != nil {
			return err
		}
	}
	if c.shared {
		return nil
	}
	return c.targetStore().own(ctx)
}

// targetStore is as much of a store as it takes to speak of the target's blobs.
func (c *Copy) targetStore() *Store { return &Store{cfg: c.cfg.To, id: c.target.id} }

// claimable proves that nothing of anybody else lies where the bytes go, and learns whether that is the source's own place.
func (c *Copy) claimable(ctx context.Context, resumed bool) error {
	owner, err := c.targetStore().readOwner(ctx)
	switch {
	case errors.Is(err, ErrNotFound):
		owner = ""
	case err != nil:
		return fmt.Errorf("learn whose blobs these are: %w", err)
	}
	c.shared = owner == c.sourceID
	if owner != "" && owner != c.sourceID && owner != c.target.id {
		return fmt.Errorf("%w: %s says %q", ErrNotEmpty, c.targetStore().ownerName(), owner)
	}
	if owner == "" && !resumed {
		for object, err := range c.cfg.To.Blobs.List(ctx, "") {
			if err != nil {
				return err
			}
			if object.Key == probeKey { // of a look at a bucket that let nothing go at the time
				continue
			}
			return fmt.Errorf("%w: there is an object %q", ErrNotEmpty, object.Key)
		}
	}
	if resumed || c.target.dir == "" || c.sameFolder(c.target.dir) {
		return nil
	}
	names, err := os.ReadDir(filepath.Join(c.target.dir, "segments"))
	if len(names) > 0 {
		return fmt.Errorf("%w: there are segments in %s", ErrNotEmpty, c.target.dir)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// handOver makes the copy a store that a server opens, and the source one that none does. The source goes first: between the two nobody
// serves, where else both might. Of blobs that both shared the copy becomes the owner: two stores over the same bytes would sweep each
// other's mail.
func (c *Copy) handOver(ctx context.Context) error {
	t := &c.target
	if err := c.sides.target.alive(); err != nil {
		return err
	}
	if c.movedTo == "" {
		mark := fmt.Sprintf(movedMark, c.sourceID, t.id)
		if err := c.sides.source.rename(c.source.engine, c.sourceID, mark); err != nil {
			return err
		}
		c.movedTo = t.id
		if err := c.sides.source.keepMark(mark); err != nil {
			return err
		}
	}
	if c.shared {
		if err := c.cfg.To.Blobs.Delete(ctx, ownerKey); err != nil {
			return err
		}
		if err := c.targetStore().own(ctx); err != nil {
			return err
		}
	}
	return t.w.transact(func() error {
		_, err := t.w.exec("UPDATE store SET id = ?", t.id)
		return err
	})
}

// holdings are what keeps servers away from one end of a copy.
type holdings struct {
	held   bool
	folder *os.File
	conn   connection // has a lock in an open transaction
}

// hold keeps servers away from a store: by the lock of its folder, if it has one, and on PostgreSQL by a lock that whoever begins to serve
// waits for, once nobody serves.
func (h *holdings) hold(e engine, dir string) (err error) {
	defer func() {
		if h.held = err == nil; err != nil {
			err = errors.Join(err, h.release())
		}
	}()
	if dir != "" {
		if err := h.lock(dir); err != nil {
			return err
		}
	}
	if _, ok := e.(*postgresEngine); !ok {
		return nil
	}
	if h.conn, err = e.connect(); err != nil {
		h.conn = nil
		return err
	}
	return keepNodesOut(h.conn)
}

func keepNodesOut(conn connection) error {
	if err := conn.begin(); err != nil {
		return err
	}
	for _, statement := range []string{"SET LOCAL idle_in_transaction_session_timeout = 0", "LOCK TABLE node_epoch IN EXCLUSIVE MODE NOWAIT"} {
		if _, err := conn.exec(statement, nil); err != nil {
			if isBusy(err) {
				err = fmt.Errorf("%w: a copy, or a server that starts: %w", ErrLocked, err)
			}
			return err
		}
	}
	return nobodyServes(conn)
}

// nobodyServes gives an error that Is [ErrLocked] when a node serves. One without the role dispatch has no lease, and takes mail all the same.
func nobodyServes(conn connection) error {
	leases, members := int64(0), int64(0)
	err := conn.query(func(row []driver.Value) error {
		leases, _ = row[0].(int64)
		members, _ = row[1].(int64)
		return nil
	}, "SELECT (SELECT count(*) FROM node WHERE lease_until > ("+clock+")), (SELECT count(*) FROM member WHERE seen_at > ("+clock+") - "+
		strconv.FormatInt(memberSilent.Milliseconds(), 10)+")", nil)
	if err == nil && leases+members > 0 {
		err = fmt.Errorf("%w; nodes that serve: %d, with a lease: %d", ErrLocked, members, leases)
	}
	return err
}

func (h *holdings) lock(dir string) (err error) {
	h.folder, err = lockFolder(dir)
	return err
}

// alive proves that the lock in the database still holds, and that no node that had fallen silent has come back.
func (h *holdings) alive() error {
	if h.conn == nil {
		return nil
	}
	if err := nobodyServes(h.conn); err != nil {
		return fmt.Errorf("servers were no longer kept away: %w", err)
	}
	return nil
}

func (h *holdings) release() error {
	var errs []error
	if h.conn != nil {
		_, _ = h.conn.exec("ROLLBACK", nil) // else the server lets go of the locks some time after the connection has ended
		errs = append(errs, h.conn.close())
	}
	if h.folder != nil {
		errs = append(errs, h.folder.Close())
	}
	*h = holdings{}
	return errors.Join(errs...)
}

// packedKey is the key in Blobs of what was a segment; other keys stay as they are.
func packedKey(key string) string {
	if name, ok := strings.CutPrefix(key, segmentPrefix); ok {
		return packPrefix + name
	}
	return key
}
