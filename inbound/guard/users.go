package guard

import (
	"container/list"
	"crypto/sha256"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	maxUsers = 1 << 14 // that are remembered, whether they exist or not: about 6 MB
	maxHomes = 16      // sources from which a user has logged in
)

// Users counts the failed logins of each user from all sources together, so that a password cannot be guessed from many addresses.
// Where a user has logged in before, the budget neither holds nor is used: nobody can lock a user out of its own device, and
// a device with an old password locks nobody out. What was not heard of longest is forgotten first. It is safe for concurrent use.
// Make one with [NewUsers].
type Users struct {
	rate Rate

	mu    sync.Mutex
	users map[userKey]*list.Element // of *user
	order list.List                 // the most recently heard of in front
}

// userKey stands for a name, which strangers may make as long as they like.
type userKey [sha256.Size]byte

type user struct {
	key   userKey
	level level
	homes []netip.Prefix // the last one in front
}

// NewUsers makes a Users with the budget of failures of one user.
func NewUsers(rate Rate) *Users {
	return &Users{rate: rate, users: map[userKey]*list.Element{}}
}

// Login is a login that is being tried. It counts as a failure until it is known to be none.
type Login struct {
	users   *Users
	key     userKey
	source  netip.Prefix
	counted bool
}

// Try begins a login, or says that the budget of the user is used up and counts nothing.
func (u *Users) Try(name string, client netip.Addr) (Login, bool) {
	l := Login{users: u, key: sha256.Sum256([]byte(name)), source: Source(client)}
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	known := u.touch(l.key)
	if slices.Contains(known.homes, l.source) {
		return l, true
	}
	if known.level.full(u.rate, now) {
		return l, false
	}
	known.level.add(u.rate, 1, now)
	l.counted = true
	return l, true
}

// Undo takes back a login that could not be tried.
func (l Login) Undo() {
	l.users.mu.Lock()
	defer l.users.mu.Unlock()
	l.forgive(l.users.touch(l.key))
}

// Succeeded takes back a login that was right, and remembers where it came from.
func (l Login) Succeeded() {
	l.users.mu.Lock()
	defer l.users.mu.Unlock()
	known := l.users.touch(l.key)
	l.forgive(known)
	if i := slices.Index(known.homes, l.source); i >= 0 {
		known.homes = slices.Delete(known.homes, i, i+1)
	}
	known.homes = slices.Insert(known.homes, 0, l.source)
	known.homes = known.homes[:min(len(known.homes), maxHomes)]
}

func (l Login) forgive(known *user) {
	if l.counted {
		known.level.add(l.users.rate, -1, time.Now())
	}
}

// Len is the number of users that are remembered.
func (u *Users) Len() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.users)
}

// touch finds a user or makes room for it.
func (u *Users) touch(key userKey) *user {
	if element := u.users[key]; element != nil {
		u.order.MoveToFront(element)
		return element.Value.(*user)
	}
	if len(u.users) >= maxUsers {
		oldest := u.order.Back()
		u.order.Remove(oldest)
		delete(u.users, oldest.Value.(*user).key)
	}
	made := &user{key: key}
	u.users[key] = u.order.PushFront(made)
	return made
}
