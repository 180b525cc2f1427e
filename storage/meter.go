package storage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// Limits bound what an account may have. 0: there is no such limit.
type Limits struct {
	Octets    int64 // of stored raw messages
	Backlog   int64 // deliveries that are not finished
	PerMinute int64 // messages accepted, in any 60 seconds
	PerHour   int64 // messages accepted, in any 60 minutes
}

// What a recipient hears whose account has reached a limit. 4.2.2 is the mailbox that is full by a quota, and 4.2.1 the one that takes
// no messages for now (RFC 3463 section 3.3); 4.3.1 would speak of the whole server. 452, and not 450, for the sender shall hold what it has
// for this recipient alone and may go on with others (RFC 5321 section 4.5.3.1.10 has it for too many recipients, in the same sense).
var (
	overOctets = inbound.Rejection{Reply: &inbound.Reply{Code: 452, Status: [3]int{4, 2, 2}, Text: "Mailbox full, please try again later"}, Reason: inbound.RejectQuota}
	// Temporary would be a lie: it would never find room.
	overAll     = inbound.Rejection{Reply: &inbound.Reply{Code: 552, Status: [3]int{5, 2, 3}, Text: "Message too large for this recipient"}, Reason: inbound.RejectQuota}
	overBacklog = inbound.Rejection{
		Reply:  &inbound.Reply{Code: 452, Status: [3]int{4, 2, 1}, Text: "Too much waits for this recipient already, please try again later"},
		Reason: inbound.RejectBacklog,
	}
	overRate = inbound.Rejection{
		Reply:  &inbound.Reply{Code: 452, Status: [3]int{4, 2, 1}, Text: "This recipient is receiving mail too quickly, please try again later"},
		Reason: inbound.RejectAccountRate,
	}
)

// meter keeps what the accounts with limits have, in memory, so that no recipient costs a query. What this process commits counts at
// once; what others do is read every [MeterEvery]. The zero value measures nobody.
type meter struct {
	reading sync.Mutex // one read at a time

	mu        sync.Mutex
	accounts  map[string]*metered
	endpoints map[string]*metered // of these accounts
}

// MeterEvery is how often a server reads what others have changed of what its limits count: other nodes, commands and the sweeper.
const MeterEvery = 10 * time.Second

// metered is what an account with limits has.
type metered struct {
	name   string
	limits Limits
	known  bool // it was read once
	has    figures
	since  figures // what this process has added since the read that runs, or ran last, began
}

type figures struct {
	octets, backlog int64
	accepted        minutes
}

// minutes counts by the minute for a little more than an hour.
type minutes struct {
	at [64]int64 // which minute since 1970 a place is of
	n  [64]int64
}

func (m *minutes) add(minute, n int64) {
	i := minute % int64(len(m.n))
	if n == 0 || minute < m.at[i] {
		return
	}
	if m.at[i] != minute {
		m.at[i], m.n[i] = minute, 0
	}
	m.n[i] += n
}

// within counts those of so many minutes up to now; of the minute that is partly in, its share.
func (m *minutes) within(span int64, now time.Time) (n float64) {
	minute := now.UnixMilli() / TallyMinute.Milliseconds()
	rest := 1 - float64(now.UnixMilli()%TallyMinute.Milliseconds())/float64(TallyMinute.Milliseconds())
	for i := range m.n {
		switch age := minute - m.at[i]; {
		case age >= 0 && age < span:
			n += float64(m.n[i])
		case age == span:
			n += float64(m.n[i]) * rest
		}
	}
	return n
}

// declare takes the limits of a snapshot, and says whether there are any.
func (m *meter) declare(d *Directory) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.accounts
	m.accounts, m.endpoints = map[string]*metered{}, map[string]*metered{}
	for id, limits := range d.Limits {
		a := before[id]
		if a == nil {
			a = &metered{}
		}
		a.name, a.limits = d.Accounts[id], limits
		m.accounts[id] = a
	}
	for id, e := range d.Endpoints {
		if a := m.accounts[e.Account]; a != nil {
			m.endpoints[id] = a
		}
	}
	return len(m.accounts) > 0
}

// committed counts what a batch has made durable.
func (m *meter) committed(b *batch, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.accounts) == 0 {
		return
	}
	minute := now.UnixMilli() / TallyMinute.Milliseconds()
	for _, a := range b.accepts {
		for _, in := range a.messages {
			if of := m.accounts[in.mail.Account]; of != nil && in.id == in.mail.ID {
				of.count(minute, in.mail.Size, int64(len(in.deliveries)), in.hold == nil)
			}
		}
	}
	for _, done := range b.completions {
		of := m.endpoints[done.Attempt.Endpoint]
		switch {
		case of == nil || done.err != nil || !done.RetryAt.IsZero():
		case done.settles:
			of.count(minute, 0, 0, done.State == StateDelivered)
		default:
			of.count(minute, 0, -1, false)
		}
	}
}

func (a *metered) count(minute, octets, backlog int64, accepted bool) {
	for _, f := range []*figures{&a.has, &a.since} {
		f.octets += octets
		f.backlog += backlog
		if accepted {
			f.accepted.add(minute, 1)
		}
	}
}

// Exceeds says which of its limits an account would pass with a further message of the size, 0 where that is not known; nil: none. It
// reads memory alone. What the transactions that are open now will add is not known to it.
func (s *Store) Exceeds(account string, size int64) *inbound.Rejection {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	a := s.meter.accounts[account]
	if a == nil {
		return nil
	}
	now, l := s.cfg.Now(), &a.limits
	over := func(span, limit int64) bool { return limit > 0 && a.has.accepted.within(span, now)+1 > float64(limit) }
	switch {
	case l.Octets > 0 && size > l.Octets:
		return &overAll
	case l.Octets > 0 && a.has.octets+max(size, 1) > l.Octets:
		return &overOctets
	case l.Backlog > 0 && a.has.backlog >= l.Backlog:
		return &overBacklog
	case over(1, l.PerMinute), over(60, l.PerHour):
		return &overRate
	}
	return nil
}

// ReadMeter reads what the accounts with limits have, as [Store.Exceeds] knows it then.
func (s *Store) ReadMeter(ctx context.Context) error {
	m := &s.meter
	m.reading.Lock()
	defer m.reading.Unlock()
	m.mu.Lock()
	read, endpoints := map[string]*figures{}, map[string]*figures{}
	unknown := false
	for id, a := range m.accounts {
		a.since = figures{}
		read[id] = &figures{}
		unknown = unknown || !a.known
		for endpoint, of := range m.endpoints {
			if of == a {
				endpoints[endpoint] = read[id]
			}
		}
	}
	m.mu.Unlock()
	if len(read) == 0 {
		return nil
	}
	// One process alone knows by itself how much it has accepted since it began.
	_, shared := s.engine.(*postgresEngine)
	rates := unknown || shared
	err := s.readStored(ctx, read)
	if err == nil && rates {
		err = s.readRates(ctx, read, endpoints)
	}
	if err != nil {
		return fmt.Errorf("read what accounts with limits have: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, f := range read {
		a := m.accounts[id]
		if a == nil {
			continue
		}
		a.has.octets, a.has.backlog = f.octets+a.since.octets, f.backlog+a.since.backlog
		if rates {
			for i, minute := range a.since.accepted.at {
				f.accepted.add(minute, a.since.accepted.n[i])
			}
			a.has.accepted = f.accepted
		}
		a.known = true
	}
	return nil
}

// readStored fills in what is stored and what waits.
func (s *Store) readStored(ctx context.Context, read map[string]*figures) error {
	list, err := s.readStock(ctx, "")
	if err != nil {
		return err
	}
	for _, k := range list {
		if f := read[k.Account]; f != nil {
			f.octets = k.Octets
		}
	}
	for id, f := range read {
		if f.backlog, err = s.backlog(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// readRates fills in what was accepted in the last hour. Of messages whose endpoint decided the endpoint is counted.
func (s *Store) readRates(ctx context.Context, read, endpoints map[string]*figures) error {
	if err := s.FlushNotes(ctx); err != nil {
		return err
	}
	from := spanOf(s.cfg.Now().Add(-time.Hour).UnixMilli(), TallyMinute)
	rows, err := s.read.QueryContext(ctx, "SELECT account, endpoint, at, n FROM tally WHERE span = ? AND at >= ? AND name = ?",
		TallyMinute.Milliseconds(), from, TallyAccepted)
	if err != nil {
		return err
	}
	return each(rows, func() error {
		var account, endpoint string
		var at, n int64
		err := rows.Scan(&account, &endpoint, &at, &n)
		for _, f := range []*figures{read[account], endpoints[endpoint]} {
			if f != nil {
				f.accepted.add(at/TallyMinute.Milliseconds(), n)
			}
		}
		return err
	})
}

// backlog counts the unfinished deliveries of an account.
func (s *Store) backlog(ctx context.Context, account string) (n int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT count(*) FROM delivery WHERE endpoint IN (SELECT id FROM endpoint WHERE account = ?)`, account).Scan(&n)
	return n, err
}

// Meter reads again every [MeterEvery] what accounts with limits have, until ctx ends. Where that takes long it waits longer, so that it
// is never more than a small part of what the database does.
func (s *Store) Meter(ctx context.Context) error {
	timer := time.NewTimer(MeterEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		began := time.Now()
		if err := s.ReadMeter(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("limits go by what was known before", "error", err)
		}
		timer.Reset(max(MeterEvery, 20*time.Since(began)))
	}
}
