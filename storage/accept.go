package storage

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// maxPacked is the size in octets up to which a message shares a pack with others.
const maxPacked = 1 << 20

// incoming is a message on its way to the disk.
type incoming struct {
	mail       *Mail
	envelope   string   // JSON
	dedupe     [32]byte // see dedupeKey
	sealed     []byte   // what goes into a pack; nil once it lies in one, and when the bytes lie in a blob of their own
	raw        []byte
	deliveries []Delivery
	hold       *Delivery // in the place of deliveries, where the message is held
	id         string    // the answer: the message's own id, or that of the first time when this is a resend
}

func (m *incoming) appendRow(args []driver.Value) []driver.Value {
	r := &m.mail.raw
	return append(args, m.mail.ID, m.mail.Account, m.mail.ReceivedAt.UnixMilli(), m.mail.Size, m.mail.SHA256[:], m.envelope,
		r.pack, r.offset, r.length, r.key, m.dedupe[:])
}

// Accept implements [inbound.Spool]: when it returns without an error, the bytes are synced and the rows committed.
// When ctx ends before the mail was taken into a batch, nothing is stored and ctx's error is returned; after that Accept
// waits for the truth, however long the disk takes.
func (s *Store) Accept(ctx context.Context, env *inbound.Envelope, body inbound.Body) ([]string, error) {
	if s.cfg.Beside {
		return nil, ErrBeside
	}
	start := time.Now()
	messages, err := s.accept(ctx, env, body)
	if err != nil {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, errNoRecipients) { // those say nothing about the storage
			s.trouble.note(err, s.cfg.Now())
		}
		return nil, fmt.Errorf("accept: %w", err)
	}
	s.trouble.note(nil, s.cfg.Now())
	s.metrics.acceptSeconds.Observe(time.Since(start).Seconds())
	s.unacked.put(messages)
	ids := make([]string, len(messages))
	for i, m := range messages {
		ids[i] = m.id
	}
	return ids, nil
}

// accept stores a mail as one message for each of its accounts.
func (s *Store) accept(ctx context.Context, env *inbound.Envelope, body inbound.Body) ([]*incoming, error) {
	a := &acceptance{done: make(chan error, 1)}
	for _, account := range accountsOf(env) {
		m, err := s.prepare(ctx, account, env, body)
		if err != nil {
			return nil, err
		}
		a.messages = append(a.messages, m)
	}
	if len(a.messages) == 0 {
		return nil, errNoRecipients
	}
	return a.messages, s.submit(ctx, a)
}

// submit queues an acceptance and waits for its answer.
func (s *Store) submit(ctx context.Context, a *acceptance) error {
	var withdraw func(*acceptance) bool
	switch {
	case s.packer != nil && a.sealedSize() > 0:
		if !s.packer.put(a) {
			return ErrClosed
		}
		withdraw = s.packer.withdraw
	default:
		if !s.queue.putAccept(a) {
			return ErrClosed
		}
		withdraw = s.queue.withdraw
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		if withdraw(a) {
			return ctx.Err()
		}
		return <-a.done
	}
}

// prepare makes everything about a message that can be made before its turn at the disk: ids, JSON, keys, sealed bytes.
// A message too large for a pack is in its blob when prepare returns.
func (s *Store) prepare(ctx context.Context, account string, env *inbound.Envelope, body inbound.Body) (*incoming, error) {
	now := s.cfg.Now().Truncate(time.Millisecond)
	id := newID(messagePrefix, now)
	m := &incoming{mail: &Mail{
		ID: id, Account: account, ReceivedAt: now, Size: body.Size(), SHA256: body.SHA256(), Envelope: *env,
	}}
	own := &m.mail.Envelope
	own.Recipients = slices.DeleteFunc(slices.Clone(env.Recipients), func(r inbound.Recipient) bool { return r.Account != account })
	own.Session = inbound.SessionFor(env.Session, pathsOf(own.Recipients))
	text, err := json.Marshal(own)
	if err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	m.envelope = string(text)
	m.dedupe = dedupeKey(account, m.mail.SHA256, own)
	m.deliveries = owed(id, own.Recipients, now)
	key := newMessageKey()
	raw := &m.mail.raw
	if raw.key, err = wrapKey(s.cfg.Keys, id, key); err != nil {
		return nil, err
	}
	raw.length = sealedSize(body.Size())
	if body.Size() > maxPacked {
		raw.pack = ownBlobPrefix + account + "/" + id
		err := s.cfg.Blobs.Put(ctx, raw.pack, newSealReader(key, body, body.Size()), raw.length)
		if err != nil {
			return nil, fmt.Errorf("store raw bytes: %w", err)
		}
		return m, nil
	}
	plain := body.Bytes()
	m.raw = plain
	if plain == nil {
		plain = make([]byte, body.Size())
		if _, err := io.ReadFull(io.NewSectionReader(body, 0, body.Size()), plain); err != nil {
			return nil, fmt.Errorf("read body: %w", err)
		}
	}
	m.sealed = appendSealed(s.buffers.get(), key, plain)
	return m, nil
}

func pathsOf(recipients []inbound.Recipient) []inbound.Path {
	paths := make([]inbound.Path, len(recipients))
	for i := range recipients {
		paths[i] = recipients[i].Path
	}
	return paths
}

// accountsOf gives the accounts of an envelope in the order of their first recipients.
func accountsOf(env *inbound.Envelope) (accounts []string) {
	for i := range env.Recipients {
		if a := env.Recipients[i].Account; !slices.Contains(accounts, a) {
			accounts = append(accounts, a)
		}
	}
	return accounts
}

// owed makes one delivery for each endpoint among the recipients, or one for each recipient where the endpoint wants it so.
func owed(message string, recipients []inbound.Recipient, now time.Time) (ds []Delivery) {
	for i := range recipients {
		r := &recipients[i]
		for _, endpoint := range r.Endpoints {
			part := 0
			if slices.Contains(r.Apart, endpoint) {
				part = i + 1
			}
			if slices.ContainsFunc(ds, func(d Delivery) bool { return d.Endpoint == endpoint && d.Part == part }) {
				continue
			}
			ds = append(ds, Delivery{
				ID: deliveryIDOf(message), Message: message, Endpoint: endpoint, Part: part, DueAt: now, CreatedAt: now,
			})
		}
	}
	return ds
}

// dedupeKey tells whether a mail is the resend of another: SHA-256 over account, content, reverse-path and sorted
// forward-paths, each behind its length. A mail that is held is never the resend of one that is owed, nor the other way round:
// should the routes change in between, the one of which nobody was told 250 must not stand in for the other.
func dedupeKey(account string, content [32]byte, env *inbound.Envelope) (key [32]byte) {
	paths := make([]string, 0, len(env.Recipients))
	for i := range env.Recipients {
		paths = append(paths, pathText(env.Recipients[i].Path))
	}
	slices.Sort(paths)
	h := sha256.New()
	writeText(h, account)
	h.Write(content[:])
	writeText(h, pathText(env.ReversePath))
	for _, p := range paths {
		writeText(h, p)
	}
	if endpoint := env.Decider(); endpoint != "" {
		writeText(h, "held for "+endpoint)
	}
	h.Sum(key[:0])
	return key
}

// pathText is not for reading: the zero octet cannot be part of a domain, so no two paths have the same text.
func pathText(p inbound.Path) string { return p.LocalPart + "\x00" + strings.ToLower(p.Domain) }

func writeText(h hash.Hash, s string) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(s)))
	h.Write(n[:])
	_, _ = io.WriteString(h, s) // a hash takes everything
}

// Press is how much the mails that come in need the machine.
type Press int

// The degrees of [Press].
const (
	PressNone  Press = iota
	PressSome        // mails wait for the disk, or are being written to it
	PressCrowd       // more come than can be taken at once, or did a moment ago, so that the next ones are on their way
)

// AcceptsPress says how much the mails that come in press. Whoever can wait gives way to them.
func (s *Store) AcceptsPress() Press {
	press := s.queue.acceptsPress()
	if press == PressNone && s.packer != nil && s.packer.waiting() > 0 {
		return PressSome
	}
	return press
}

// AcceptsWaiting is the number of mails that wait for the disk or are being written to it now.
func (s *Store) AcceptsWaiting() int {
	n := s.queue.acceptsWaiting()
	if s.packer != nil {
		n += s.packer.waiting()
	}
	return n
}

// SetHandOver sets the function that gets what was just accepted. The committer calls it right after the commit, so it
// must not block. Until it is set, and whenever it drops something, the rows are found by [Store.Lanes].
func (s *Store) SetHandOver(f func([]Accepted)) { s.committer.handOver.Store(&f) }
