package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// While a copy is made a mark stands in the place of the target's id, and when it is done one in the place of the source's: whose copy the
// one is, and where the other has gone.
const (
	copyMark  = "copying %s into %s"
	movedMark = "moved %s into %s"
)

// parseMark takes a mark of that form apart.
func parseMark(form, id string) (source, target string, ok bool) {
	n, err := fmt.Sscanf(id, form, &source, &target)
	return source, target, n == 2 && err == nil
}

// movedTo is the error of a store that has gone.
func movedTo(target string) error {
	return fmt.Errorf("%w; it is store %s now: start the server with the configuration of its new place, or have it serve here again with letterhook copy --take-back", ErrMoved, target)
}

// identity is the id of the store, unless it is a copy in the making or has moved.
func identity(id string) (string, error) {
	if source, _, copying := parseMark(copyMark, id); copying {
		return "", fmt.Errorf("%w; its source is %s", ErrCopying, source)
	}
	if _, target, moved := parseMark(movedMark, id); moved {
		return "", movedTo(target)
	}
	return id, nil
}

// Standing gives an error that Is [ErrMoved] or [ErrCopying] where no server opens the store: what is read there is not what is served, and
// what is changed there changes nothing that is.
func (s *Store) Standing(ctx context.Context) error {
	var id string
	err := s.read.QueryRowContext(ctx, "SELECT id FROM store").Scan(&id)
	switch {
	case errors.Is(err, sql.ErrNoRows): // no server has begun it yet
		return nil
	case err != nil:
		return fmt.Errorf("read whether the store has moved: %w", err)
	}
	_, err = identity(id)
	return err
}

// isStore counts the one row of the store while its id is the one that this process has begun with.
const isStore = "SELECT one FROM store WHERE id = ?"

// stays gives an error that Is [ErrMoved] where the store has moved since this process began: it was stopped meanwhile, and nothing else
// had ended it. It is asked at the end of a transaction which has written what the mover locks, so that either comes first.
func (s *Store) stays(w *writer) error {
	if !w.postgres() { // the lock of the folder
		return nil
	}
	found, err := w.queryInt(isStore, s.id)
	if err != nil || found == 1 {
		return err
	}
	now, err := w.queryText("SELECT id FROM store")
	if err == nil {
		_, err = identity(now)
	}
	if err == nil { // another store lies there now
		err = ErrMoved
	}
	return err
}

// stays refuses mail of a store that has moved. Its messages are written before: while they are kept out, this waits.
func (t *transaction) stays() error {
	if !t.postgres() {
		return nil
	}
	return t.laterChecked(func(found int64) error {
		if found == 0 {
			return ErrMoved
		}
		return nil
	}, isStore, t.store)
}

// The locks of a source on PostgreSQL: mail waits for the first one while the last pass runs, so that none comes behind its back from a
// node that had fallen silent; what it says of itself and of its lease waits for the second one while the mark is set.
const (
	keepMailOut  = "LOCK TABLE message IN SHARE MODE"
	keepNodesOff = "LOCK TABLE node, member IN SHARE MODE"
	// moverWait bounds the wait for a lock: a server that was stopped amid a transaction may have it, or a VACUUM that it has left behind.
	moverWait = "SET LOCAL lock_timeout = 10000"
)

// keepMail keeps mail out until the hold ends.
func (h *holdings) keepMail() error {
	if h.conn == nil {
		return nil
	}
	return h.lockTables(moverWait, keepMailOut)
}

func (h *holdings) lockTables(statements ...string) error {
	for _, statement := range statements {
		_, err := h.conn.exec(statement, nil)
		if isBusy(err) {
			err = fmt.Errorf("%w: one that was stopped amid its work, or a VACUUM that is to end first: %w", ErrLocked, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rename gives the store that is held another id, if it has the one that is known. On PostgreSQL nobody is kept out any more then.
func (h *holdings) rename(e engine, from, to string) error {
	const statement = "UPDATE store SET id = ? WHERE id = ?"
	if h.conn == nil {
		w, err := newWriter(e)
		if err != nil {
			return err
		}
		err = w.transact(func() error {
			changed, err := w.exec(statement, to, from)
			return errors.Join(err, renamed(changed))
		})
		return errors.Join(err, w.close())
	}
	if err := h.lockTables(keepNodesOff); err != nil {
		return err
	}
	if err := h.alive(); err != nil {
		return err
	}
	changed, err := h.conn.exec(statement, []driver.Value{to, from})
	if err = errors.Join(err, renamed(changed)); err != nil {
		return err
	}
	_, err = h.conn.exec("COMMIT", nil)
	return err
}

// renamed says that somebody else was first.
func renamed(changed int64) error {
	if changed == 0 {
		return fmt.Errorf("%w: it was moved or taken back meanwhile", ErrLocked)
	}
	return nil
}

// keepMark holds a source again whose mark was set, so that it cannot be taken back before its target is free.
func (h *holdings) keepMark(mark string) error {
	if h.conn == nil { // the lock of the folder
		return nil
	}
	if err := keepNodesOut(h.conn); err != nil {
		return err
	}
	found := int64(0)
	err := h.conn.query(func([]driver.Value) error { found++; return nil }, isStore, []driver.Value{mark})
	return errors.Join(err, renamed(found))
}

// TakeBack has a store serve again that was moved: the mark of [Copy.Finish] goes. Nothing that its new place has taken since comes back with
// it, and nobody may serve there any more. Blobs that both use belong to it again. An error that Is [ErrNotMoved] says that it was not
// moved, one that Is [ErrLocked] that somebody uses it.
func TakeBack(ctx context.Context, cfg Config) (target string, err error) {
	cfg.Beside = true
	s, err := Open(ctx, cfg)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var id string
	if err := s.read.QueryRowContext(ctx, "SELECT id FROM store").Scan(&id); err != nil {
		return "", fmt.Errorf("take the store back: %w", err)
	}
	source, target, moved := parseMark(movedMark, id)
	if !moved {
		return "", ErrNotMoved
	}
	var h holdings
	err = h.hold(s.engine, s.folderToHold())
	if err == nil {
		s.id = source
		err = s.reclaim(ctx, target)
	}
	if err == nil {
		err = h.rename(s.engine, id, source)
	}
	if err = errors.Join(err, h.release()); err != nil {
		return "", fmt.Errorf("take the store back: %w", err)
	}
	return target, nil
}

// folderToHold is the data folder, where anything of the store lies in it.
func (s *Store) folderToHold() string {
	if s.cfg.Database != "" && s.cfg.PackInBlobs {
		return ""
	}
	return s.cfg.Dir
}

// reclaim makes the blobs this store's own where they are the target's.
func (s *Store) reclaim(ctx context.Context, target string) error {
	owner, err := s.readOwner(ctx)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && owner != target:
		return nil
	case err != nil:
		return fmt.Errorf("learn whose blobs these are: %w", err)
	}
	if err := s.cfg.Blobs.Delete(ctx, ownerKey); err != nil {
		return err
	}
	return s.own(ctx)
}
