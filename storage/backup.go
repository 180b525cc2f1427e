package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ErrNoBackup says that the rows lie in a database that has ways of its own to be saved.
var ErrNoBackup = errors.New("the rows lie in PostgreSQL: save them with pg_dump or its base backups")

// backupTries is how often a backup is begun anew because retention took bytes away between its steps.
const backupTries = 3

// BackupReport tells what a backup holds.
type BackupReport struct {
	Messages int64         `json:"messages"`
	Pending  int64         `json:"pending_deliveries"`
	Objects  int           `json:"objects"` // segments, blobs and attachments
	Octets   int64         `json:"octets"`  // in them
	Copied   int           `json:"copied_objects"`
	Removed  int           `json:"removed_objects"`
	Blobs    bool          `json:"blobs"` // false: what lies in the bucket is not in it
	Took     time.Duration `json:"took_ns"`
}

// Backup writes the store into a folder that may then be opened as a data folder, beside a server that runs. A folder with an earlier backup
// of the same store is brought up to date: of the bytes only what is new is copied. Whenever it is cut off, the folder holds the earlier
// backup or the new one, whole.
//
// The bytes are copied first, then the database as it stands at one moment, then the bytes that came between. So no row of the copy points
// at bytes that came later, nor at bytes that retention took away meanwhile. Blobs in a bucket are not copied; keys are the caller's.
func (s *Store) Backup(ctx context.Context, dir string, progress func(stage string, done, total int64)) (*BackupReport, error) {
	source, ok := s.engine.(*sqliteEngine)
	if !ok {
		return nil, ErrNoBackup
	}
	b, err := newBackup(s, source, dir, progress)
	if err != nil {
		return nil, fmt.Errorf("backup to %s: %w", dir, err)
	}
	defer b.lock.Close()
	began := time.Now()
	for try := 1; ; try++ {
		r, lost, err := b.make(ctx)
		if err == nil && lost > 0 {
			if try < backupTries {
				continue
			}
			err = fmt.Errorf("objects that messages need are not there, %d in all; letterhook fsck tells which", lost)
		}
		if err != nil {
			return nil, fmt.Errorf("backup to %s: %w", dir, err)
		}
		r.Took = time.Since(began)
		return r, nil
	}
}

// backup is a backup that is being made.
type backup struct {
	copy   *Copy // for the bytes
	source *sqliteEngine
	dir    string
	lock   *os.File // nobody else writes to the folder
}

func newBackup(s *Store, source *sqliteEngine, dir string, progress func(string, int64, int64)) (_ *backup, err error) {
	b := &backup{source: source}
	if b.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := makeFolder(b.dir, syncFolder); err != nil {
		return nil, err
	}
	b.copy = &Copy{source: s, target: copyTarget{dir: b.dir}, cfg: CopyConfig{Progress: progress}}
	if progress == nil {
		b.copy.cfg.Progress = func(string, int64, int64) {}
	}
	if b.copy.sameFolder(b.dir) {
		return nil, errors.New("it is the data folder itself")
	}
	if b.lock, err = lockFolder(b.dir); err != nil {
		return nil, err
	}
	if err = b.ofSameStore(); err == nil {
		if _, ok := s.cfg.Blobs.(*Dir); ok {
			b.copy.cfg.To.Blobs, err = NewDir(filepath.Join(b.dir, "blobs"), nil)
		}
	}
	if err != nil {
		return nil, errors.Join(err, b.lock.Close())
	}
	return b, nil
}

func (b *backup) path() string { return filepath.Join(b.dir, DatabaseName) }

// ofSameStore refuses a folder with the backup of another store.
func (b *backup) ofSameStore() error {
	if _, err := os.Stat(b.path()); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	id := func(path string) (id string, err error) {
		w, err := newWriter(&sqliteEngine{path: path})
		if err != nil {
			return "", err
		}
		id, err = w.queryText("SELECT id FROM store")
		return id, errors.Join(err, w.close())
	}
	ours, err := id(b.path())
	if err != nil {
		return err
	}
	theirs, err := id(b.source.path)
	if err == nil && ours != theirs {
		err = fmt.Errorf("%w: it holds a backup of store %s, which is another installation, or this one before letterhook copy", ErrNotEmpty, ours)
	}
	return err
}

// make makes a backup. With lost it lacks so many objects, and the folder holds what it held before.
func (b *backup) make(ctx context.Context) (r *BackupReport, lost int, err error) {
	first := &CopyReport{}
	if _, err := b.copy.copyObjects(ctx, first); err != nil {
		return nil, 0, err
	}
	fresh := b.path() + ".new"
	if err := b.snapshot(fresh); err != nil {
		return nil, 0, fmt.Errorf("copy the database: %w", err)
	}
	engine := &sqliteEngine{path: fresh}
	read := reader{engine: engine}
	if read.DB, err = engine.open(); err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, read.Close()) }()
	b.copy.rows, b.copy.growing = &read, true
	defer func() { b.copy.rows, b.copy.growing = nil, false }()
	second := &CopyReport{}
	objects, err := b.copy.copyObjects(ctx, second)
	if err != nil {
		return nil, 0, err
	}
	r = &BackupReport{
		Objects: second.Objects, Octets: second.Octets, Copied: first.Copied + second.Copied, Blobs: b.copy.cfg.To.Blobs != nil,
	}
	if lost, err = b.lost(ctx, &read, objects); err != nil || lost > 0 {
		return nil, lost, err
	}
	if err := read.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM delivery)").Scan(&r.Messages, &r.Pending); err != nil {
		return nil, 0, err
	}
	if err := b.place(fresh); err != nil {
		return nil, 0, err
	}
	err = b.copy.removeExtras(ctx, second, objects)
	r.Removed = second.Removed
	return r, 0, err
}

// snapshot writes the database as it stands into a file, synced.
func (b *backup) snapshot(path string) (err error) {
	if err := removeIfThere(path); err != nil {
		return err
	}
	if err := makeFile(path); err != nil { // else everybody could read it
		return err
	}
	w, err := newWriter(b.source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if _, err := w.exec("VACUUM INTO ?", path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// lost counts the objects that rows of the snapshot point at and that are not there, or too short.
func (b *backup) lost(ctx context.Context, read *reader, o *copyList) (lost int, err error) {
	rows, err := read.QueryContext(ctx, `SELECT pack, max("offset" + length) FROM message WHERE length(key) > 0 GROUP BY pack`)
	if err != nil {
		return 0, err
	}
	err = each(rows, func() error {
		var pack string
		var end int64
		err := rows.Scan(&pack, &end)
		if size, ok := o.there[pack]; (!ok || size < end) && b.holds(pack) {
			lost++
		}
		return err
	})
	return lost, err
}

// holds says whether the object of a key belongs into the backup.
func (b *backup) holds(key string) bool {
	return b.copy.cfg.To.Blobs != nil || isSegment(key)
}

// place puts the new database into the place of the old one. What a program that opened the old one left beside it is of that one.
func (b *backup) place(fresh string) error {
	for _, left := range []string{"-wal", "-shm"} {
		if err := removeIfThere(b.path() + left); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, b.path()); err != nil {
		return err
	}
	return syncFolder(b.dir)
}
