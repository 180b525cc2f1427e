package storage_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// TestTwoStoresShareNoBlobs opens a second store on the blobs of a first one: each would take the other's mail for orphans.
func TestTwoStoresShareNoBlobs(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		first := open(t, config)
		other := config
		other.Dir = t.TempDir()
		if other.Database != "" {
			other.Database = throwaway.Database(t)
		}
		_, err := storage.Open(t.Context(), other)
		if !errors.Is(err, storage.ErrForeign) || !strings.Contains(err.Error(), "blobs") {
			t.Fatalf("a second store: %v", err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		open(t, config).Close()
		if err := config.Blobs.Delete(t.Context(), "owner"); err != nil {
			t.Fatal(err)
		}
		open(t, other) // the way to take over what a lost store left
	})
}

// awayBlobs cannot be read.
type awayBlobs struct{ storage.Blobs }

var errAway = errors.New("away")

func (b awayBlobs) OpenRange(context.Context, string, int64, int64) (io.ReadCloser, error) {
	return nil, errAway
}

// TestOpenWithoutBlobs starts while the bucket is away: small mail is taken, and no orphan is looked for.
func TestOpenWithoutBlobs(t *testing.T) {
	config := newConfig(t, layouts()[0])
	config.Blobs = awayBlobs{config.Blobs}
	s := open(t, config)
	accept(t, s, envelope("ep_1"), newBody(content(100)))
	if swept, err := s.Sweep(t.Context(), storage.Retention{}); !errors.Is(err, errAway) {
		t.Errorf("swept %+v, error %v", swept, err)
	}
}
