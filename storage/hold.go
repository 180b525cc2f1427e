package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// holdFor is how long a held message waits for its sender to come again. Its dedupe key lasts as long.
const holdFor = dedupeWindow

// Held is a message that is durable and not accepted yet, because its endpoint decides about it
// ([inbound.Envelope.Decider]). Whoever has it asks the endpoint, has the answer recorded by [Store.Settle], and calls
// Close in the end.
type Held struct {
	Mail *Mail  // of one that is Delivered no more than the ID
	Raw  []byte // nil when the content did not lie in memory
	// Delivery is the one that the message becomes when its endpoint takes it. Attempts counts those of earlier sessions.
	Delivery Delivery
	// Delivered says that the endpoint took it in an earlier session, whose 250 was lost: there is nothing to ask.
	Delivered bool

	close func()
}

// Close lets the next session have the message.
func (h *Held) Close() { h.close() }

// Hold stores a mail as Accept does, but holds it: when it returns without an error, bytes and rows are durable, and no
// delivery is owed. The resend of a mail that is held, since a crash or since its sender was told to come again, gives that
// message, with its id. While another session has the same mail the error Is [ErrHolding], and nothing is stored.
func (s *Store) Hold(ctx context.Context, env *inbound.Envelope, body inbound.Body) (*Held, error) {
	if s.cfg.Beside {
		return nil, ErrBeside
	}
	endpoint, accounts := env.Decider(), accountsOf(env)
	if endpoint == "" || len(accounts) != 1 {
		return nil, errors.New("hold: no single endpoint decides about the message")
	}
	key := dedupeKey(accounts[0], body.SHA256(), env)
	if !s.holding.enter(key) {
		return nil, ErrHolding
	}
	start := time.Now()
	h, err := s.hold(ctx, accounts[0], env, body)
	if err != nil {
		s.holding.leave(key)
		if !errors.Is(err, context.Canceled) {
			s.trouble.note(err, s.cfg.Now())
		}
		return nil, fmt.Errorf("hold: %w", err)
	}
	h.close = func() { s.holding.leave(key) }
	s.trouble.note(nil, s.cfg.Now())
	s.metrics.acceptSeconds.Observe(time.Since(start).Seconds())
	s.cfg.Step("held")
	return h, nil
}

func (s *Store) hold(ctx context.Context, account string, env *inbound.Envelope, body inbound.Body) (*Held, error) {
	m, err := s.prepare(ctx, account, env, body)
	if err != nil {
		return nil, err
	}
	m.hold, m.deliveries = &m.deliveries[0], nil
	if err := s.submit(ctx, &acceptance{messages: []*incoming{m}, done: make(chan error, 1)}); err != nil {
		return nil, err
	}
	if m.id == m.mail.ID {
		return &Held{Mail: m.mail, Raw: m.raw, Delivery: *m.hold}, nil
	}
	return s.held(ctx, m.id)
}

// held reads a message that an earlier session left.
func (s *Store) held(ctx context.Context, id string) (*Held, error) {
	d := Delivery{Message: id, DueAt: s.cfg.Now()}
	var created int64
	err := s.read.QueryRowContext(ctx, "SELECT id, endpoint, part, attempts, created_at FROM held WHERE message = ?", id).
		Scan(&d.ID, &d.Endpoint, &d.Part, &d.Attempts, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return s.delivered(ctx, d)
	}
	if err != nil {
		return nil, fmt.Errorf("read held message %s: %w", id, err)
	}
	d.CreatedAt = time.UnixMilli(created)
	mail, err := s.Mail(ctx, id)
	if err != nil {
		return nil, err
	}
	return &Held{Mail: mail, Delivery: d}, nil
}

// delivered is held for a message that is not held any more. It may have been swept since, so its result tells that it was
// delivered: a 250 rests on nothing less.
func (s *Store) delivered(ctx context.Context, d Delivery) (*Held, error) {
	err := s.read.QueryRowContext(ctx, selectDelivered, d.Message).Scan(&d.ID, &d.Endpoint, &d.Part)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read result of message %s: %w", d.Message, err)
	}
	return &Held{Mail: &Mail{ID: d.Message}, Delivery: d, Delivered: true}, nil
}

// Settle records what became of a held message, and the attempt at it unless its number is 0: that none was made. It returns
// when that is durable. The State of c is one of:
//
//	StateDelivered  the endpoint took it. It is a message like any other from now on.
//	StateWithdrawn  its sender is told to come again. Nobody else will have it delivered; it goes within a day unless
//	                its sender does, and then keeps its id.
//	StateRefused    its sender is told that it is refused. It goes with the next sweep, and a resend is another message.
//
// An error that Is [ErrStale] says that the message was not held as the attempt found it; whatever the error, the message is
// not accepted.
func (s *Store) Settle(c Completion) error {
	if !slices.Contains([]string{StateDelivered, StateWithdrawn, StateRefused}, c.State) {
		return fmt.Errorf("settle %s: no state %q", c.Attempt.Message, c.State)
	}
	done := make(chan error, 1)
	item, err := encodeCompletion(c, func(err error) { done <- err })
	if err == nil {
		item.settles = true
		if !s.results.putCompletion(item) {
			return ErrClosed
		}
		err = <-done
	}
	if err != nil {
		return fmt.Errorf("settle %s: %w", c.Attempt.Message, err)
	}
	s.cfg.Step("settled")
	return nil
}

// holding has the dedupe keys of the messages that sessions have now: the same mail in two sessions must not be put to its
// endpoint twice at the same time.
type holding struct {
	mu   sync.Mutex
	keys map[[32]byte]struct{}
}

func (h *holding) enter(key [32]byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, taken := h.keys[key]; taken {
		return false
	}
	if h.keys == nil {
		h.keys = make(map[[32]byte]struct{})
	}
	h.keys[key] = struct{}{}
	return true
}

func (h *holding) leave(key [32]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.keys, key)
}
