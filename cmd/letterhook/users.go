package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/crypto/bcrypt"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
)

// maxPassword is what bcrypt looks at, in octets; a longer password could be guessed by its beginning.
const maxPassword = 72

// users are those who may log in.
type users struct {
	hashes map[string][]byte
	// decoy is what the password of a user that does not exist is held against, so that the time of an answer does not
	// tell who does.
	decoy []byte
}

// newUsers takes the users of a configuration.
func newUsers(declared []config.User) *users {
	u := &users{hashes: make(map[string][]byte, len(declared))}
	cost := bcrypt.MinCost
	for _, user := range declared {
		u.hashes[user.Name] = []byte(user.PasswordHash)
		if c, err := bcrypt.Cost(u.hashes[user.Name]); err == nil {
			cost = max(cost, c)
		}
	}
	u.decoy = fmt.Appendf(nil, "$2a$%02d$%s", cost, decoyTail)
	return u
}

// decoyTail is salt and hash of no password.
const decoyTail = "....................................................."

// check says whether password is that of the user.
func (u *users) check(name, password string) (bool, error) {
	hash, known := u.hashes[name]
	if !known || len(password) > maxPassword {
		hash, known = u.decoy, false
		password = password[:min(len(password), maxPassword)]
	}
	switch err := bcrypt.CompareHashAndPassword(hash, []byte(password)); {
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("checking a password: %w", err)
	default:
		return known, nil
	}
}

// authenticate is users.check within bounds: a login costs a processor for a tenth of a second, and strangers may ask for
// as many as they like.
func (s *server) authenticate(ctx context.Context, name, password string) (bool, error) {
	select {
	case s.logins <- struct{}{}:
		defer func() { <-s.logins }()
	case <-ctx.Done():
		return false, fmt.Errorf("waiting to check a password: %w", ctx.Err())
	}
	return s.users.Load().check(name, password)
}

// loginsAtOnce leaves half of the processors to the mail.
func loginsAtOnce() int { return max(1, runtime.GOMAXPROCS(0)/2) }
