package storage_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

func TestNewerSchemaIsRefused(t *testing.T) {
	forEachLayout(t, refuseNewerSchema)
}

func refuseNewerSchema(t *testing.T, config storage.Config) {
	s := open(t, config)
	accept(t, s, envelope("ep_1"), newBody(content(10)))
	s.Close()
	if config.Database == "" {
		damage(t, config, "INSERT INTO schema_version (version, applied_at) VALUES (99, 0)")
	} else {
		damage(t, config, "INSERT INTO schema_version (version, applied_at, contracts) VALUES (99, 0, 1)")
	}
	for _, beside := range []bool{false, true} {
		config.Beside = beside
		_, err := storage.Open(t.Context(), config)
		if !errors.Is(err, storage.ErrSchema) || !strings.Contains(err.Error(), "version 99") {
			t.Errorf("beside %v: %v", beside, err)
		}
	}
	damage(t, config, "DELETE FROM schema_version WHERE version = 99")
	config.Beside = false
	if n := len(due(t, open(t, config), "ep_1")); n != 1 {
		t.Errorf("%d deliveries after the refusal, want 1", n)
	}
}

// TestNewerSchemaThatExpands is taken as it is on PostgreSQL: nodes of two versions run side by side during an upgrade.
func TestNewerSchemaThatExpands(t *testing.T) {
	config := newConfig(t, layout{postgres: true})
	open(t, config).Close()
	damage(t, config, "INSERT INTO schema_version (version, applied_at, contracts) VALUES (99, 0, 0)")
	damage(t, config, "ALTER TABLE delivery ADD COLUMN newer TEXT NOT NULL DEFAULT ''")
	s := open(t, config)
	accept(t, s, envelope("ep_1"), newBody(content(10)))
	if err := complete(s, attempt(due(t, s, "ep_1")[0])); err != nil {
		t.Error(err)
	}
	config.Beside = true
	checkClean(t, open(t, config))
}

func TestBesideNeedsADatabase(t *testing.T) {
	config := storage.Config{Dir: t.TempDir(), Database: throwaway.Database(t), Beside: true}
	if _, err := storage.Open(t.Context(), config); !errors.Is(err, storage.ErrSchema) {
		t.Errorf("an empty database: %v", err)
	}
}

func TestBesideNeedsAStore(t *testing.T) {
	config := newConfig(t, layout{})
	config.Beside = true
	if _, err := storage.Open(t.Context(), config); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(config.Dir, storage.DatabaseName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Open(t.Context(), config); err == nil {
		t.Error("an empty database was opened")
	}
}

func TestOneServerAtATime(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	if _, err := storage.Open(t.Context(), config); !errors.Is(err, storage.ErrLocked) {
		t.Errorf("second server: %v", err)
	}
	id := accept(t, s, envelope("ep_1"), newBody(content(10)))[0]
	config.Beside = true
	beside := open(t, config)
	if _, err := beside.Mail(t.Context(), id); err != nil {
		t.Errorf("reading beside: %v", err)
	}
	readRaw(t, beside, id)
	s.Close()
	config.Beside = false
	open(t, config)
}

func TestDiskFull(t *testing.T) {
	config := newConfig(t, layouts()[0])
	s := open(t, config)
	free, err := s.FreeSpace()
	if err != nil || free <= 0 {
		t.Fatalf("free %d, error %v", free, err)
	}
	s.Close()
	for free, want := range map[int64]bool{-1: false, 1: false, 1 << 62: true} {
		config.MinFree = free
		s := open(t, config)
		if got := s.DiskFull(); got != want {
			t.Errorf("watermark %d: full %v", free, got)
		}
		s.Close()
	}
}
