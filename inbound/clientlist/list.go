package clientlist

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/letterhook/letterhook/inbound"
)

// Action is what is done about a client that is listed.
type Action string

// The actions.
const (
	Mark   Action = "mark"   // the event says so, nothing else
	Defer  Action = "defer"  // 451 4.7.1 to each recipient
	Reject Action = "reject" // 550 5.7.1 to each recipient
)

// Kind is whether a list is of clients to block or to let in.
type Kind string

// The kinds.
const (
	Block Kind = "block"
	Allow Kind = "allow"
)

// List is one list. Exactly one of Zone and Networks is set.
type List struct {
	Zone     string    // the zone in DNS, for example "bl.example.org"
	Networks *Networks // a list of our own
	Name     string    // in events and in the log; empty: the zone
	Kind     Kind
	Action   Action // of the kind Block
	Codes    []Code // the answers of the zone that count; none: all
}

func (l *List) name() string { return cmp.Or(l.Name, l.Zone) }

func (l *List) check() error {
	switch {
	case (l.Zone == "") == (l.Networks == nil):
		return errors.New("clientlist: a list is a zone or a set of networks")
	case l.name() == "":
		return errors.New("clientlist: a list has no name")
	case l.Kind != Block && l.Kind != Allow:
		return fmt.Errorf("clientlist: %s: unknown kind %q", l.name(), l.Kind)
	case l.Kind == Block && l.Action != Mark && l.Action != Defer && l.Action != Reject:
		return fmt.Errorf("clientlist: %s: unknown action %q", l.name(), l.Action)
	}
	return nil
}

// counts says whether the answer of a zone is a listing.
func (l *List) counts(answer netip.Addr) bool {
	if !answers.Contains(answer) || troubles.Contains(answer) {
		return false
	}
	for _, code := range l.Codes {
		if code.matches(answer) {
			return true
		}
	}
	return len(l.Codes) == 0
}

// question is the name that a zone is asked about an address (RFC 5782 sections 2.1 and 2.4).
func question(addr netip.Addr, zone string) string {
	var b strings.Builder
	if addr.Is4() {
		octets := addr.As4()
		for i := range octets {
			b.WriteString(strconv.Itoa(int(octets[3-i])) + ".")
		}
	} else {
		const digits = "0123456789abcdef"
		octets := addr.As16()
		for i := range octets {
			octet := octets[15-i]
			b.Write([]byte{digits[octet&15], '.', digits[octet>>4], '.'})
		}
	}
	return b.String() + strings.TrimSuffix(zone, ".")
}

// watched is a list with what is known of its health.
type watched struct {
	List

	mu     sync.Mutex
	on     bool // it may be asked: the last test was passed, or it is a list of our own
	tested bool
	failed int // questions in a row that were not answered
}

func (w *watched) usable() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.on
}

// maxFailed is how many questions in a row may go unanswered before a zone is tested again.
const maxFailed = 5

// noteAnswer says whether the zone is to be tested because it does not answer any more.
func (w *watched) noteAnswer(answered bool) (test bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if answered {
		w.failed = 0
		return false
	}
	w.failed++
	if w.failed == maxFailed {
		w.on = false
		return true
	}
	return false
}

// listing is what an envelope says of the list.
func (w *watched) listing(code string) inbound.Listing {
	return inbound.Listing{List: w.name(), Kind: string(w.Kind), Code: code}
}
