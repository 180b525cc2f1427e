package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Dir is Blobs in a folder: an object is a file whose path is its key. Files have mode 0600, folders 0700. An object
// is written to a temporary file, synced, renamed and made durable by syncing the folders above it, so after a power
// cut it is whole or absent. A deleted object may come back after a power cut.
type Dir struct {
	root  string
	links *Links
	// sync is (*os.File).Sync; tests let it fail.
	sync func(*os.File) error
}

// Temporary files lie in a folder of their own, which no key can name. Those of a process that died are removed at the
// next start, when they are old enough to belong to nobody.
const (
	dirTemp    = ".tmp"
	dirTempAge = 24 * time.Hour
)

var _ Blobs = (*Dir)(nil)

// NewDir opens the folder root, making it if it is absent. links make the URLs; nil: URL fails.
func NewDir(root string, links *Links) (*Dir, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	d := &Dir{root: root, links: links, sync: (*os.File).Sync}
	if err := d.makeRoot(); err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	if err := d.removeStale(); err != nil {
		return nil, fmt.Errorf("clean blob folder: %w", err)
	}
	return d, nil
}

// String names the folder, for messages.
func (d *Dir) String() string { return "folder " + d.root }

// makeRoot makes the folder.
func (d *Dir) makeRoot() error {
	return makeFolder(filepath.Join(d.root, dirTemp), d.syncDir)
}

func (d *Dir) removeStale() error {
	entries, err := os.ReadDir(filepath.Join(d.root, dirTemp))
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < dirTempAge {
			continue // vanished, or of a process that may still be writing it
		}
		if err := os.Remove(filepath.Join(d.root, dirTemp, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// path is the file of a key.
func (d *Dir) path(key string) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	return filepath.Join(d.root, filepath.FromSlash(key)), nil
}

// Put implements [Blobs].
func (d *Dir) Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error {
	path, err := d.path(key)
	if err != nil {
		return err
	}
	if size < 0 {
		return fmt.Errorf("store blob %s: negative size %d", key, size)
	}
	temp, err := d.writeTemp(ctx, r, size)
	if err == nil {
		if err = d.place(temp, path); err != nil {
			err = errors.Join(err, removeIfThere(temp))
		}
	}
	if err != nil {
		return fmt.Errorf("store blob %s: %w", key, err)
	}
	return nil
}

// writeTemp writes and syncs a temporary file. It leaves none behind when it fails.
func (d *Dir) writeTemp(ctx context.Context, r io.Reader, size int64) (name string, err error) {
	f, err := os.CreateTemp(filepath.Join(d.root, dirTemp), "put-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err := io.CopyN(f, untilDone(ctx, r), size); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	if err := d.sync(f); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// place moves a synced file to its path and syncs every folder from there up to the root. All of them each time, for
// one that exists already may have been made a moment ago by another call that has not synced its parent yet.
func (d *Dir) place(temp, path string) error {
	parent := filepath.Dir(path)
	for try := 0; ; try++ {
		err := os.MkdirAll(parent, 0o700)
		if err == nil {
			err = os.Rename(temp, path)
		}
		if err == nil {
			break
		}
		// Delete may have removed a folder that was empty between any two of these calls, and MkdirAll says of one that another call
		// made and Delete removed meanwhile that it exists.
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) || try == 100 {
			return err
		}
	}
	for dir := parent; ; dir = filepath.Dir(dir) {
		if err := d.syncDir(dir); err != nil {
			return err
		}
		if dir == d.root {
			return nil
		}
	}
}

func (d *Dir) syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.sync(f), f.Close())
}

// OpenRange implements [Blobs].
func (d *Dir) OpenRange(_ context.Context, key string, offset, n int64) (io.ReadCloser, error) {
	path, err := d.path(key)
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, fmt.Errorf("read blob %s: negative offset %d", key, offset)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", key, asNotFound(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotFound // a folder: the key is only the beginning of others
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read blob %s: %w", key, err), f.Close())
	}
	rest := max(info.Size()-offset, 0)
	if n < 0 || n > rest {
		n = rest
	}
	return &fileRange{Reader: io.NewSectionReader(f, offset, n), Closer: f}, nil
}

type fileRange struct {
	io.Reader
	io.Closer
}

// Delete implements [Blobs]. Folders that become empty go too.
func (d *Dir) Delete(_ context.Context, key string) error {
	path, err := d.path(key)
	if err != nil {
		return err
	}
	if err := removeIfThere(path); err != nil {
		return fmt.Errorf("delete blob %s: %w", key, err)
	}
	for dir := filepath.Dir(path); dir != d.root; dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			break // not empty, or already gone: both are well
		}
	}
	return nil
}

func removeIfThere(path string) error {
	err := os.Remove(path)
	if errors.Is(asNotFound(err), ErrNotFound) {
		return nil
	}
	return err
}

// asNotFound turns the errors that an absent object gives into ErrNotFound. ENOTDIR is among them: a file stands where
// the key has a folder.
func asNotFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return ErrNotFound
	}
	return err
}

// List implements [Blobs].
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		start, err := d.listRoot(prefix)
		if err == nil {
			err = filepath.WalkDir(start, func(path string, e fs.DirEntry, err error) error {
				return d.visit(ctx, prefix, path, e, err, yield)
			})
		}
		if err != nil {
			yield(Object{}, fmt.Errorf("list blobs: %w", err))
		}
	}
}

// listRoot is the lowest folder that holds every key with the prefix.
func (d *Dir) listRoot(prefix string) (string, error) {
	i := strings.LastIndexByte(prefix, '/')
	if i < 0 {
		return d.root, nil
	}
	return d.path(prefix[:i])
}

func (d *Dir) visit(ctx context.Context, prefix, path string, e fs.DirEntry, err error, yield func(Object, error) bool) error {
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if errors.Is(asNotFound(err), ErrNotFound) {
			return nil // deleted while we walk, or no such folder at all
		}
		return err
	}
	rel, err := filepath.Rel(d.root, path)
	if err != nil {
		return err
	}
	key := filepath.ToSlash(rel)
	if e.IsDir() {
		folder := key + "/"
		if key == dirTemp || key != "." && !strings.HasPrefix(folder, prefix) && !strings.HasPrefix(prefix, folder) {
			return fs.SkipDir
		}
		return nil
	}
	if !strings.HasPrefix(key, prefix) || checkKey(key) != nil {
		return nil
	}
	info, err := e.Info()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if !yield(Object{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil) {
		return fs.SkipAll
	}
	return nil
}

// URL implements [Blobs]: a link to our own listener. Only attachments can be linked.
func (d *Dir) URL(_ context.Context, key string, link Link) (string, time.Time, error) {
	return linkBlob(d.links, key, link)
}

// readerFunc is an io.Reader.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// untilDone reads r until the context ends.
func untilDone(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}
