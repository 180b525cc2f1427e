package main

import (
	"context"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
)

// hashOf is a quick hash.
func hashOf(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func TestUsers(t *testing.T) {
	long := strings.Repeat("x", maxPassword)
	u := newUsers([]config.User{
		{Name: "printer", PasswordHash: hashOf(t, "s3cret")},
		{Name: "scanner", PasswordHash: hashOf(t, long)},
		{Name: "htpasswd", PasswordHash: "$2y" + hashOf(t, "s3cret")[3:]}, // as other programs write it
	})
	for _, c := range []struct {
		name, password string
		want           bool
	}{
		{"printer", "s3cret", true},
		{"printer", "S3cret", false},
		{"printer", "", false},
		{"Printer", "s3cret", false},
		{"nobody", "s3cret", false},
		{"", "", false},
		{"scanner", long, true},
		{"scanner", long + "x", false}, // bcrypt itself would not look so far
		{"scanner", "s3cret", false},
		{"htpasswd", "s3cret", true},
	} {
		if got, err := u.check(c.name, c.password); got != c.want || err != nil {
			t.Errorf("%q with %.20q: %v, %v", c.name, c.password, got, err)
		}
	}
}

// TestDecoy: a user that does not exist costs what the dearest one does, and no password fits.
func TestDecoy(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("s3cret"), 6)
	if err != nil {
		t.Fatal(err)
	}
	u := newUsers([]config.User{{Name: "a", PasswordHash: hashOf(t, "s3cret")}, {Name: "b", PasswordHash: string(hash)}})
	if cost, err := bcrypt.Cost(u.decoy); cost != 6 || err != nil {
		t.Errorf("the decoy costs %d, %v", cost, err)
	}
	if err := bcrypt.CompareHashAndPassword(u.decoy, []byte("s3cret")); err != bcrypt.ErrMismatchedHashAndPassword {
		t.Errorf("the decoy is not compared with: %v", err)
	}
	if ok, err := newUsers(nil).check("nobody", "s3cret"); ok || err != nil {
		t.Errorf("without users: %v, %v", ok, err)
	}
}

// TestLoginsWait: no more passwords are checked at a time than there are places, and who waits too long is told so.
func TestLoginsWait(t *testing.T) {
	s := &server{logins: make(chan struct{}, 1)}
	s.users.Store(newUsers([]config.User{{Name: "printer", PasswordHash: hashOf(t, "s3cret")}}))
	if ok, err := s.authenticate(t.Context(), "printer", "s3cret"); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	s.logins <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := s.authenticate(ctx, "printer", "s3cret"); ok || err == nil {
		t.Errorf("%v, %v with no place", ok, err)
	}
}
