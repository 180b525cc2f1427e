package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

const (
	copiesInFlight = 8
	// copyInMemory is up to which size an object of a bucket is held in memory on its way; larger ones wait in a temporary file.
	copyInMemory = 1 << 20
	// copyTemp begins the names of temporary files in the target's folder.
	copyTemp = ".copy-"
)

// copyObject is a segment, a pack, a blob or an attachment of the source.
type copyObject struct {
	key  string // at the source
	size int64
}

// copyList is the objects of the source by the keys that they have at the target, and the sizes of those that are there.
type copyList struct {
	wanted map[string]copyObject
	there  map[string]int64
}

// copyObjects brings over the objects that the target lacks.
func (c *Copy) copyObjects(ctx context.Context, r *CopyReport) (*copyList, error) {
	objects, err := c.listObjects(ctx)
	if err != nil {
		return nil, err
	}
	if c.target.dir != "" {
		if err := c.makeSegments(); err != nil {
			return nil, err
		}
	}
	var mu sync.Mutex
	done := int64(0)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(copiesInFlight)
	r.Objects, r.Octets = len(objects.wanted), 0
	missing := map[string]copyObject{}
	for key, object := range objects.wanted {
		r.Octets += object.size
		if size, ok := objects.there[key]; ok && size == object.size {
			done += object.size
		} else {
			missing[key] = object
		}
	}
	total := r.Octets
	c.cfg.Progress(CopyingBytes, done, total)
	for key, object := range missing {
		group.Go(func() error {
			err := c.copyObject(ctx, key, object)
			if errors.Is(err, ErrNotFound) && !c.sides.source.held {
				return nil // swept meanwhile
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			objects.there[key] = object.size
			r.Copied++
			done += object.size
			c.cfg.Progress(CopyingBytes, done, total)
			return nil
		})
	}
	return objects, group.Wait()
}

// listObjects lists both ends.
func (c *Copy) listObjects(ctx context.Context) (*copyList, error) {
	o := &copyList{wanted: map[string]copyObject{}, there: map[string]int64{}}
	live, err := c.livePacks(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.listSegments(o, live); err != nil {
		return nil, err
	}
	if c.cfg.To.Blobs != nil {
		if err := c.listBlobs(ctx, o, live); err != nil {
			return nil, err
		}
	}
	if c.target.dir == "" {
		return o, nil
	}
	return o, sizesIn(c.segmentsOfTarget(), func(name string, size int64) { o.there[segmentPrefix+name] = size })
}

func (c *Copy) listBlobs(ctx context.Context, o *copyList, live map[string]bool) error {
	for _, prefix := range []string{packPrefix, ownBlobPrefix, attachmentPrefix} {
		for object, err := range c.source.cfg.Blobs.List(ctx, prefix) {
			if err != nil {
				return fmt.Errorf("source: %w", err)
			}
			if prefix == attachmentPrefix || live[object.Key] {
				o.wanted[object.Key] = copyObject{object.Key, object.Size}
			}
		}
		for object, err := range c.cfg.To.Blobs.List(ctx, prefix) {
			if err != nil {
				return fmt.Errorf("target: %w", err)
			}
			o.there[object.Key] = object.Size
		}
	}
	return nil
}

// listSegments adds the segments of the source. Beside a server the newest one may still grow, so it waits for another pass.
func (c *Copy) listSegments(o *copyList, live map[string]bool) error {
	newest := ""
	if !c.sides.source.held && !c.growing {
		if err := sizesIn(c.source.segments.dir, func(name string, _ int64) { newest = max(newest, name) }); err != nil {
			return err
		}
	}
	return sizesIn(c.source.segments.dir, func(name string, size int64) {
		key := segmentPrefix + name
		if !live[key] || name == newest {
			return
		}
		at := key
		if c.packed {
			at = packedKey(key)
		}
		o.wanted[at] = copyObject{key, size}
	})
}

// sizesIn calls each with every file of a folder, which may be absent.
func sizesIn(dir string, each func(name string, size int64)) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		each(e.Name(), info.Size())
	}
	return nil
}

// livePacks are the packs of the source in which messages lie.
func (c *Copy) livePacks(ctx context.Context) (map[string]bool, error) {
	read := &c.source.read
	if c.rows != nil {
		read = c.rows
	}
	rows, err := read.QueryContext(ctx, "SELECT key FROM pack WHERE live > 0")
	if err != nil {
		return nil, fmt.Errorf("read the packs: %w", err)
	}
	live := map[string]bool{}
	return live, each(rows, func() error {
		var key string
		err := rows.Scan(&key)
		live[key] = true
		return err
	})
}

func isSegment(key string) bool { return strings.HasPrefix(key, segmentPrefix) }

func (c *Copy) segmentsOfTarget() string { return filepath.Join(c.target.dir, "segments") }

// makeSegments makes the folder of segments, and removes what a copy that was killed left.
func (c *Copy) makeSegments() error {
	left, err := filepath.Glob(filepath.Join(c.target.dir, copyTemp+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return errors.Join(err, makeFolder(c.segmentsOfTarget(), syncFolder))
}

func (c *Copy) copyObject(ctx context.Context, key string, object copyObject) (err error) {
	content, err := c.openObject(ctx, object)
	if err != nil {
		return fmt.Errorf("read %s: %w", object.key, err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	if name, ok := strings.CutPrefix(key, segmentPrefix); ok {
		if err := c.putSegment(name, content, object.size); err != nil {
			return fmt.Errorf("store %s: %w", key, err)
		}
		return nil
	}
	return c.cfg.To.Blobs.Put(ctx, key, content, object.size)
}

// openObject opens an object of the source so that it can be read twice.
func (c *Copy) openObject(ctx context.Context, object copyObject) (io.ReadSeekCloser, error) {
	path := ""
	if isSegment(object.key) {
		path = c.source.segments.path(object.key)
	} else if dir, ok := c.source.cfg.Blobs.(*Dir); ok {
		var err error
		if path, err = dir.path(object.key); err != nil {
			return nil, err
		}
	}
	if path != "" {
		f, err := os.Open(path)
		if err != nil {
			return nil, asNotFound(err)
		}
		return f, nil
	}
	return spool(ctx, c.source.cfg.Blobs, object)
}

// inMemory is an object that was read whole.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// spool fetches an object into memory or, when it is large, into a temporary file without a name.
func spool(ctx context.Context, blobs Blobs, object copyObject) (_ io.ReadSeekCloser, err error) {
	r, err := blobs.OpenRange(ctx, object.key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if object.size <= copyInMemory {
		content, err := io.ReadAll(r)
		return inMemory{bytes.NewReader(content)}, err
	}
	f, err := os.CreateTemp("", "letterhook-copy-")
	if err != nil {
		return nil, err
	}
	err = os.Remove(f.Name()) // its octets go with the last descriptor
	if err == nil {
		_, err = io.Copy(f, r)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// putSegment writes a segment, durable when it returns.
func (c *Copy) putSegment(name string, content io.Reader, size int64) error {
	f, err := os.CreateTemp(c.target.dir, copyTemp)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, content, size)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(c.segmentsOfTarget(), name))
	}
	if err != nil {
		return errors.Join(err, removeIfThere(f.Name()))
	}
	return syncFolder(c.segmentsOfTarget())
}

// removeExtras removes what an earlier pass brought over and the source has no more. What both share is left to the sweeper.
func (c *Copy) removeExtras(ctx context.Context, r *CopyReport, o *copyList) error {
	if c.shared || c.target.dir != "" && c.sameFolder(c.target.dir) {
		return nil
	}
	for key := range o.there {
		if _, ok := o.wanted[key]; ok {
			continue
		}
		var err error
		if name, ok := strings.CutPrefix(key, segmentPrefix); ok {
			err = removeIfThere(filepath.Join(c.segmentsOfTarget(), name))
		} else if c.cfg.To.Blobs != nil {
			err = c.cfg.To.Blobs.Delete(ctx, key)
		}
		if err != nil {
			return err
		}
		r.Removed++
	}
	return nil
}
