package storage

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSecretsAreSealed looks for secrets in the files of the database.
func TestSecretsAreSealed(t *testing.T) {
	folder := t.TempDir()
	key := bytes.Repeat([]byte{7}, KeySize)
	open := func(keys ...[]byte) *Store {
		t.Helper()
		s, err := Open(t.Context(), Config{Dir: folder, Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open(key)
	directory, err := s.Apply(t.Context(), Declaration{Accounts: []string{"a"}, Endpoints: []Endpoint{{Account: "a", Name: "app", StoredSecrets: true}}})
	if err != nil {
		t.Fatal(err)
	}
	var id string
	for id = range directory.Endpoints {
	}
	for _, kind := range []SecretKind{SecretHMAC, SecretEd25519} {
		if _, err := s.RotateSecret(t.Context(), id, kind, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.RotateSecret(t.Context(), "ep_none", SecretHMAC, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown endpoint: %v", err)
	}
	secrets, err := s.Secrets(t.Context())
	if err != nil || len(secrets[id]) != 3 {
		t.Fatalf("%d secrets, error %v", len(secrets[id]), err)
	}
	dump := func() (all []byte) {
		files, err := filepath.Glob(folder + "/" + DatabaseName + "*")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text...)
		}
		return all
	}
	look := func(when string) {
		t.Helper()
		all := dump()
		for _, e := range secrets[id] {
			if !bytes.Contains(all, []byte(e.ID)) {
				t.Errorf("%s: secret %s does not stand in the files that were looked at", when, e.ID)
			}
			for form, text := range map[string]string{"bare": string(e.Key[:]), "hex": hex.EncodeToString(e.Key[:]), "base64": base64.StdEncoding.EncodeToString(e.Key[:])} {
				if bytes.Contains(all, []byte(text)) {
					t.Errorf("%s: a secret stands in the database, %s", when, form)
				}
			}
		}
	}
	look("open")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look("closed")
	newer := bytes.Repeat([]byte{8}, KeySize)
	s = open(newer, key)
	if again, err := s.Secrets(t.Context()); err != nil || again[id][0].Key != secrets[id][0].Key {
		t.Errorf("behind a new instance key: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(newer)
	defer s.Close()
	if _, err := s.Secrets(t.Context()); !errors.Is(err, ErrOtherKey) {
		t.Errorf("without the instance key: %v", err)
	}
}

// TestRotateSecret has the old secret sign until its end and no longer, and one end never come later for a second rotation.
func TestRotateSecret(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Keys: [][]byte{bytes.Repeat([]byte{7}, KeySize)}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := Declaration{Accounts: []string{"a"}, Endpoints: []Endpoint{{Account: "a", Name: "app", StoredSecrets: true}}}
	var id string
	for range 2 { // the second declaration makes no second secret
		directory, err := s.Apply(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		for id = range directory.Endpoints {
		}
	}
	signing := func(want int) []EndpointSecret {
		t.Helper()
		secrets, err := s.Secrets(t.Context())
		if err != nil || len(secrets[id]) != want {
			t.Fatalf("%d secrets sign, want %d; error %v", len(secrets[id]), want, err)
		}
		return secrets[id]
	}
	first := signing(1)[0]
	start := now
	rotate := func(overlap time.Duration) EndpointSecret {
		t.Helper()
		made, err := s.RotateSecret(t.Context(), id, SecretHMAC, overlap)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	second := rotate(24 * time.Hour)
	both := signing(2)
	if both[0].Key != second.Key || both[1].Key != first.Key || !both[1].Until.Equal(start.Add(24*time.Hour)) || !both[0].Until.IsZero() {
		t.Errorf("%s until %s, then %s until %s", both[0].ID, both[0].Until, both[1].ID, both[1].Until)
	}
	now = start.Add(time.Hour)
	rotate(48 * time.Hour)
	if all := signing(3); !all[2].Until.Equal(start.Add(24 * time.Hour)) {
		t.Errorf("the first signs until %s now", all[2].Until)
	}
	now = start.Add(24 * time.Hour)
	signing(2)
	if both[1].Signs(now) || !both[1].Signs(now.Add(-time.Millisecond)) {
		t.Error("it signs at another time than until its end")
	}
	rotate(0)
	signing(1)
	if _, err := s.RotateSecret(t.Context(), id, SecretEd25519, 0); err != nil {
		t.Fatal(err)
	}
	signing(2) // of two kinds
}

// TestSecretsAreFew rotates again and again within the overlap: the list of signatures does not grow without an end.
func TestSecretsAreFew(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Keys: [][]byte{bytes.Repeat([]byte{7}, KeySize)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	directory, err := s.Apply(t.Context(), Declaration{Accounts: []string{"a"}, Endpoints: []Endpoint{{Account: "a", Name: "app"}}})
	if err != nil {
		t.Fatal(err)
	}
	var id string
	for id = range directory.Endpoints {
	}
	for range maxSecrets {
		if _, err := s.RotateSecret(t.Context(), id, SecretHMAC, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.RotateSecret(t.Context(), id, SecretHMAC, time.Hour); !errors.Is(err, ErrTooManySecrets) {
		t.Errorf("one too many: %v", err)
	}
	if _, err := s.RotateSecret(t.Context(), id, SecretEd25519, time.Hour); err != nil {
		t.Errorf("one of another kind: %v", err)
	}
	if _, err := s.RotateSecret(t.Context(), id, SecretHMAC, 0); err != nil {
		t.Errorf("without an overlap: %v", err)
	}
	secrets, err := s.Secrets(t.Context())
	if err != nil || len(secrets[id]) != 2 {
		t.Errorf("%d secrets sign, error %v", len(secrets[id]), err)
	}
}
