package storage

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestEnsureKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "instance.key")
	first, err := EnsureKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 1 || len(first[0]) != KeySize || bytes.Equal(first[0], make([]byte, KeySize)) {
		t.Fatalf("%d keys", len(first))
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	again, err := EnsureKeys(path)
	if err != nil || !bytes.Equal(first[0], again[0]) {
		t.Errorf("the key changed: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("files left: %v", left)
	}
	other, err := EnsureKeys(path + "2")
	if err != nil || bytes.Equal(first[0], other[0]) {
		t.Errorf("two files hold the same key: %v", err)
	}
}

func TestEnsureKeysAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "instance.key")
	got := make([][][]byte, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = EnsureKeys(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, keys := range got {
		if len(keys) != 1 || !bytes.Equal(keys[0], got[0][0]) {
			t.Fatal("two processes got different keys")
		}
	}
}

func TestEnsureKeysNeverReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "instance.key")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureKeys(path); err == nil {
		t.Error("an empty file gave keys")
	}
	if b, err := os.ReadFile(path); err != nil || len(b) != 0 {
		t.Errorf("the file was written: %v", err)
	}
	if _, err := EnsureKeys(filepath.Join(path, "below")); err == nil {
		t.Error("keys in a folder that cannot be")
	}
}

func TestReadKeys(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	a, b := noise(KeySize, 1), noise(KeySize, 2)
	secret := b64(noise(KeySize-1, 3))
	tests := []struct {
		name, text string
		mode       fs.FileMode
		keys       int
		want       string // in the error
	}{
		{"one", b64(a) + "\n", 0o600, 1, ""},
		{"no line end, read-only", b64(a), 0o400, 1, ""},
		{"several", "# newest\n\n  " + b64(b) + "\r\n#\n" + b64(a) + "\n", 0o600, 2, ""},
		{"group reads", b64(a), 0o640, 0, "mode 0640"},
		{"world reads", b64(a), 0o604, 0, "mode 0604"},
		{"group writes", b64(a), 0o620, 0, "chmod 600"},
		{"empty", "", 0o600, 0, "no key"},
		{"only comments", "# key\n", 0o600, 0, "no key"},
		{"short key", b64(a) + "\n" + secret, 0o600, 0, "line 2 has a key of 31 octets"},
		{"no base64", "\n" + secret[:9] + "?\n", 0o600, 0, "line 2 is not base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			keys, err := ReadKeys(path)
			if len(keys) != tt.keys {
				t.Errorf("%d keys, %v", len(keys), err)
			}
			if tt.keys == 2 && (!bytes.Equal(keys[0], b) || !bytes.Equal(keys[1], a)) {
				t.Error("the keys are in another order")
			}
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), secret[:8]) {
				t.Errorf("the error shows a key: %v", err)
			}
		})
	}
	if _, err := ReadKeys(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	if _, err := ReadKeys(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
}

// TestLentKeys: what a group may read is taken from root alone, as Kubernetes lends secrets to a process that is not root.
func TestLentKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	ofRoot := os.Geteuid() == 0
	for mode, want := range map[fs.FileMode]bool{0o440: true, 0o400: true, 0o640: true, 0o660: false, 0o444: false, 0o450: false, 0o404: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := lent(info, 65532); got != (want && ofRoot) {
			t.Errorf("mode %04o: %t", mode, got)
		}
		if lent(info, 0) {
			t.Errorf("mode %04o: root lends to itself", mode)
		}
	}
}
