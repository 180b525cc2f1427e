package storage_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// TestCopyFindsFaults loses, damages and changes things behind the copy's back: it does not finish.
func TestCopyFindsFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, v *lived)
		kind  string
	}{
		"a segment is damaged at the source": {func(t *testing.T, v *lived) {
			path := firstFile(t, segmentsDir(v.Config))
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text[len(text)/2] ^= 1
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}, storage.FaultBytes},
		"a segment is lost at the source": {func(t *testing.T, v *lived) {
			if err := os.Remove(firstFile(t, segmentsDir(v.Config))); err != nil {
				t.Fatal(err)
			}
		}, storage.FaultBytes},
		"a delivery is lost at the source": {func(t *testing.T, v *lived) {
			damage(t, v.Config, "DELETE FROM delivery WHERE id = (SELECT min(id) FROM delivery)")
		}, storage.FaultOwed},
	} {
		t.Run(name, func(t *testing.T) {
			v := newLived(t, layout{})
			v.stop(t)
			tt.spoil(t, v)
			target := emptyPlace(t, layout{postgres: true, bucket: true, packInBlobs: true})
			c := openCopy(t, v.Config, target)
			r, err := c.Finish(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, f := range r.Faults {
				found = found || f.Kind == tt.kind
			}
			if r.Finished || !found {
				t.Errorf("finished %v, faults %v", r.Finished, r.Faults)
			}
			if r, err = c.Finish(t.Context(), true); err != nil || !r.Finished {
				t.Errorf("despite the faults: %+v, %v", r, err)
			}
		})
	}
}

func firstFile(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return names[0]
}

// TestCopyHealsTheTarget spoils what an earlier pass brought over; the next one puts it right.
func TestCopyHealsTheTarget(t *testing.T) {
	v := newLived(t, layout{})
	target := emptyPlace(t, layout{postgres: true, bucket: true, packInBlobs: true})
	c := openCopy(t, v.Config, target)
	if _, err := c.Pass(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	damage(t, target, "DELETE FROM delivery WHERE endpoint = 'ep_1'")
	damage(t, target, "UPDATE message SET size = size + 1")
	damage(t, target, "UPDATE setting SET name = 'x'")
	damage(t, target, "INSERT INTO dedupe (key, message, created_at) VALUES ('x', 'msg_x', 0)")
	if err := target.Blobs.Put(t.Context(), "att/a/b/c", strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	v.stop(t)
	if r := finish(t, c); r.Removed != 1 {
		t.Errorf("%d objects were removed, want that which is too much", r.Removed)
	}
	s := open(t, target)
	if got := len(owedBy(t, s, "ep_1")); got == 0 {
		t.Error("nothing is owed")
	}
	checkClean(t, s)
}

// cutBlobs fail after a number of puts, as if the process were killed there.
type cutBlobs struct {
	storage.Blobs
	left atomic.Int64
}

var errCut = errors.New("cut")

func (b *cutBlobs) Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error {
	if b.left.Add(-1) < 0 {
		return errCut
	}
	return b.Blobs.Put(ctx, key, r, size)
}

// TestCopyGoesOn is cut off again and again, and finishes in the end.
func TestCopyGoesOn(t *testing.T) {
	v := newLived(t, layout{})
	v.stop(t)
	target := emptyPlace(t, layout{postgres: true, bucket: true, packInBlobs: true})
	blobs := target.Blobs
	cuts := 0
	for n := int64(1); ; n++ {
		cut := &cutBlobs{Blobs: blobs}
		cut.left.Store(n)
		target.Blobs = cut
		c, err := storage.OpenCopy(t.Context(), storage.CopyConfig{From: v.Config, To: target})
		if err == nil {
			var r *storage.CopyReport
			r, err = c.Finish(t.Context(), false)
			c.Close()
			if err == nil {
				if !r.Finished {
					t.Fatalf("faults %v", r.Faults)
				}
				break
			}
		}
		if cuts++; !errors.Is(err, errCut) {
			t.Fatal(err)
		}
	}
	if cuts == 0 {
		t.Error("it was never cut off")
	}
	target.Blobs = blobs
	checkClean(t, open(t, target))
}
