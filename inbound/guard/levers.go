package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// State is what the levers stand at.
type State struct {
	Drain  Lever   `json:"drain"`  // no new connections; those that are open end after their transaction
	Defer  Lever   `json:"defer"`  // every MAIL is put off
	Blocks []Block `json:"blocks"` // those that have not expired
}

// Lever is on or off.
type Lever struct {
	On   bool `json:"on"`
	Keep bool `json:"keep"` // it stays so over a restart
}

// Block keeps somebody out. Exactly one of Network and Sender is set.
type Block struct {
	// Network blocks the clients in it.
	Network netip.Prefix `json:"network,omitzero"`
	// Sender blocks a reverse-path, "ann@sender.example", or all of a domain, "sender.example"; without regard to case.
	Sender string    `json:"sender,omitempty"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is lifted
	Reason string    `json:"reason,omitempty"`
	Keep   bool      `json:"keep"`
}

// Change is a pull at the levers. What it does not name stays as it is.
type Change struct {
	Drain   *bool  `json:"drain,omitempty"`
	Defer   *bool  `json:"defer,omitempty"`
	Block   *Block `json:"block,omitempty"`
	Unblock *Block `json:"unblock,omitempty"` // the block of this network or sender
	Keep    bool   `json:"keep,omitempty"`    // what is set stays over a restart
}

// maxBlocks bounds the list: it is gone through for every connection and every MAIL.
const maxBlocks = 1000

// Levers hold a State. They are safe for concurrent use. Make them with [OpenLevers].
type Levers struct {
	path string

	pulling sync.Mutex // one change at a time, disk and all

	mu    sync.Mutex
	state State // changes under both; who only asks waits for no disk
}

// OpenLevers reads what was to be kept from the file at path; without a file, or with an empty path, everything is off. A
// file that cannot be read is an error: nobody may be let in because of a disk.
func OpenLevers(path string) (*Levers, error) {
	l := &Levers{path: path}
	if path == "" {
		return l, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the levers: %w", err)
	}
	if err := json.Unmarshal(text, &l.state); err != nil {
		return nil, fmt.Errorf("reading the levers from %s: %w", path, err)
	}
	for i := range l.state.Blocks {
		if err := l.state.Blocks[i].normalise(); err != nil {
			return nil, fmt.Errorf("reading the levers from %s: %w", path, err)
		}
	}
	return l, nil
}

// Draining says that no connection is to be taken.
func (l *Levers) Draining() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Drain.On
}

// Deferring says that every MAIL is to be put off.
func (l *Levers) Deferring() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Defer.On
}

// BlocksClient says whether a network that is blocked holds the client.
func (l *Levers) BlocksClient(client netip.Addr) bool {
	return l.blocks(func(b Block) bool { return b.Network.IsValid() && b.Network.Contains(client) })
}

// BlocksSender says whether a reverse-path is blocked, its domain in either form of IDNA.
func (l *Levers) BlocksSender(localPart, domain string) bool {
	if domain == "" {
		return false
	}
	if strings.ContainsFunc(domain, func(r rune) bool { return r >= utf8.RuneSelf }) {
		domain = asciiDomain(domain)
	}
	return l.blocks(func(b Block) bool {
		at := strings.LastIndexByte(b.Sender, '@')
		return strings.EqualFold(b.Sender[at+1:], domain) && (at < 0 || strings.EqualFold(b.Sender[:at], localPart))
	})
}

func (l *Levers) blocks(is func(Block) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.state.Blocks, func(b Block) bool { return !b.over(time.Now()) && is(b) })
}

// State gives what the levers stand at.
func (l *Levers) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current()
}

// current drops the blocks that have expired.
func (l *Levers) current() State {
	now := time.Now()
	state := l.state
	state.Blocks = slices.DeleteFunc(append([]Block{}, l.state.Blocks...), func(b Block) bool { return b.over(now) })
	return state
}

// Pull makes a change and gives the state after it. What is to be kept is on disk when it returns; on an error nothing has
// changed.
func (l *Levers) Pull(c Change) (State, error) {
	l.pulling.Lock()
	defer l.pulling.Unlock()
	next := l.State()
	if c.Drain != nil {
		next.Drain = Lever{*c.Drain, *c.Drain && c.Keep}
	}
	if c.Defer != nil {
		next.Defer = Lever{*c.Defer, *c.Defer && c.Keep}
	}
	if c.Unblock != nil {
		if err := next.unblock(*c.Unblock); err != nil {
			return State{}, err
		}
	}
	if c.Block != nil {
		if err := next.block(*c.Block, c.Keep); err != nil {
			return State{}, err
		}
	}
	if err := l.save(next); err != nil {
		return State{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = next
	return l.current(), nil
}

func (s *State) block(b Block, keep bool) error {
	if err := b.normalise(); err != nil {
		return err
	}
	if b.over(time.Now()) {
		return &BadChangeError{"the block would have expired already"}
	}
	b.Keep = b.Keep || keep
	s.Blocks = append(slices.DeleteFunc(s.Blocks, b.same), b)
	if len(s.Blocks) > maxBlocks {
		return &BadChangeError{fmt.Sprintf("more than %d blocks; use a list of networks", maxBlocks)}
	}
	return nil
}

func (s *State) unblock(b Block) error {
	if err := b.normalise(); err != nil {
		return err
	}
	before := len(s.Blocks)
	if s.Blocks = slices.DeleteFunc(s.Blocks, b.same); len(s.Blocks) == before {
		return &BadChangeError{"there is no such block"}
	}
	return nil
}

// kept is what of a state stays over a restart.
func (s State) kept() State {
	kept := State{Blocks: slices.DeleteFunc(slices.Clone(s.Blocks), func(b Block) bool { return !b.Keep })}
	if s.Drain.Keep {
		kept.Drain = s.Drain
	}
	if s.Defer.Keep {
		kept.Defer = s.Defer
	}
	return kept
}

// save writes what is to be kept, whole or not at all. Where that has not changed it writes nothing: a lever must work on a
// full disk. l.pulling is held.
func (l *Levers) save(s State) error {
	kept, before := s.kept(), l.state.kept()
	switch {
	case kept.Drain == before.Drain && kept.Defer == before.Defer && slices.Equal(kept.Blocks, before.Blocks):
		return nil
	case l.path == "":
		return &BadChangeError{"there is no file to keep it in"}
	}
	text, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return fmt.Errorf("keeping the levers: %w", err)
	}
	if err := replace(l.path, append(text, '\n')); err != nil {
		return fmt.Errorf("keeping the levers: %w", err)
	}
	return nil
}

// replace writes a file beside the old one, syncs it, puts it in its place and syncs the folder.
func replace(path string, text []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
