package storage

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// ErasedReason is why deliveries of an erased message are dead.
const ErasedReason = "erased"

// Erasure says what [Store.Erase] is to erase.
type Erasure struct {
	Account string // id; empty: of every account, for the operator alone
	Message string // id of one message; or, without it,
	// Address is a mail address: every message of which it is the reverse-path, a forward-path or the address in the From field goes,
	// whoever else it concerns, and so do refusals that name it. What a mail says beyond that, in To or Cc, is not looked at: it is
	// sealed and known to nobody.
	Address string
	// Patience bounds how long the VACUUM of PostgreSQL is waited for, which comes last; 0: until it has ended.
	Patience time.Duration
}

// Erased counts what was erased.
type Erased struct {
	Messages    int
	Attachments int
	Deliveries  int // that were pending or held
	// Checkpointed says that nothing of it is left in the write-ahead log either. It is false where another process reads all the
	// time, and on PostgreSQL, whose log is recycled by itself; erasing again tries once more.
	Checkpointed bool
	// Vacuumed says that PostgreSQL has given up the old rows, so that no query and no older snapshot finds them. Their octets may stand in
	// its files until others are written over them. It is false on SQLite, which needs none.
	Vacuumed bool

	days map[time.Time]bool // of the messages
}

// Erase destroys what is known of messages, now and not when their retention ends. When it returns without an error:
//
//   - the key of each is gone from its row, so that the raw bytes, in whatever pack they lie, in a backup of the bucket too, can be
//     opened by nobody; they go with their pack;
//   - the attachments are deleted from Blobs, of which only a bucket that keeps old versions has them still;
//   - envelope, summary, hashes, the details of attempts and the entry of the search are gone;
//   - what was pending is dead and what was held is withdrawn, with the reason "erased". An attempt that is being made is not called
//     back; what a dispatcher of another process has in memory it drops within a second.
//
// The row stays as a tombstone, with account, size and time, until retention ends, and so do the outcomes of its deliveries. Copies of the
// database have the keys still. Nothing to erase is no error, but a message that there is not gives one that Is [ErrNotFound].
// Stopped anywhere, it can be called again.
func (s *Store) Erase(ctx context.Context, e Erasure) (erased Erased, err error) {
	if err := s.erase(ctx, e, &erased); err != nil {
		return erased, fmt.Errorf("erase: %w", err)
	}
	if err := s.ReadMeter(ctx); err != nil {
		s.cfg.Log.Warn("limits go by what was known before", "error", err)
	}
	return erased, nil
}

func (s *Store) erase(ctx context.Context, e Erasure, erased *Erased) error {
	if e.Message != "" {
		m, err := s.Mail(ctx, e.Message)
		if err == nil && e.Account != "" && m.Account != e.Account {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		if err := s.eraseMessages(ctx, []stored{{m.ID, m.Account}}, erased); err != nil {
			return err
		}
	} else if err := s.eraseAddress(ctx, e, erased); err != nil {
		return err
	}
	if err := s.eraseTold(ctx); err != nil {
		return err
	}
	if erased.Messages == 0 && e.Message == "" {
		return nil
	}
	if s.cfg.Database != "" {
		if e.Patience > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, e.Patience)
			defer cancel()
		}
		s.vacuum(ctx, erased)
		return nil
	}
	return s.checkpoint(ctx, erased)
}

// eraseAddress walks over all messages, for no index finds every one.
func (s *Store) eraseAddress(ctx context.Context, e Erasure, erased *Erased) error {
	for before := ""; ; {
		mails, err := s.Messages(ctx, MessageFilter{Account: e.Account, Before: before, Limit: sweepRows})
		if err != nil {
			return err
		}
		var list []stored
		for _, m := range mails {
			if !m.Erased && concerns(m, e.Address) {
				list = append(list, stored{m.ID, m.Account})
			}
			before = m.ID
		}
		if err := s.eraseMessages(ctx, list, erased); err != nil {
			return err
		}
		if len(mails) < sweepRows {
			return s.eraseRefusals(ctx, e)
		}
	}
}

// concerns says whether a message is from or to an address.
func concerns(m *Mail, address string) bool {
	is := func(p inbound.Path) bool { return strings.EqualFold(p.String(), address) }
	if is(m.Envelope.ReversePath) || m.Summary != nil && strings.EqualFold(m.Summary.From, address) {
		return true
	}
	if a := m.Envelope.AuthResults; a != nil && strings.EqualFold(a.Identity.Address, address) {
		return true
	}
	for i := range m.Envelope.Recipients {
		if is(m.Envelope.Recipients[i].Path) {
			return true
		}
	}
	return false
}

// eraseRefusals removes the refusals that name an address anywhere.
func (s *Store) eraseRefusals(ctx context.Context, e Erasure) error {
	address := fold(e.Address)
	part := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(e.Address)) + "%"
	return s.do(ctx, func(w *writer) error {
		if err := w.secureDelete(); err != nil {
			return err
		}
		_, err := w.exec(`DELETE FROM refusal WHERE (sender = ? OR recipient = ? OR lower(detail) LIKE ? ESCAPE '\') AND (account = ? OR ? = '')`,
			address, address, part, e.Account, e.Account)
		return err
	})
}

// eraseMessages erases in steps of few rows, as the sweeper does.
func (s *Store) eraseMessages(ctx context.Context, list []stored, erased *Erased) error {
	if len(list) == 0 {
		return nil
	}
	now := s.cfg.Now().UnixMilli()
	err := s.unindex(list, func() error {
		return s.do(ctx, func(w *writer) error {
			n, err := destroy(w, ids(list), now)
			if err == nil {
				erased.Messages += len(list)
				erased.note(list)
				erased.Deliveries += n
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	s.cfg.Step("keys-destroyed")
	for _, m := range list {
		// The mark that they are going stays in the summary, for an attempt under way may be storing some more: the next sweep looks again.
		n, err := s.removeAttachments(ctx, m)
		if erased.Attachments += n; err != nil {
			return fmt.Errorf("delete attachments of %s; the next sweep tries again: %w", m.id, err)
		}
	}
	return nil
}

// destroy erases messages in one transaction, and says how many deliveries that ended.
func destroy(w *writer, list []driver.Value, now int64) (deliveries int, err error) {
	if err := w.secureDelete(); err != nil {
		return 0, err
	}
	in := " IN (" + placeholders(len(list)) + ")"
	for _, text := range []string{
		"DELETE FROM dedupe WHERE key IN (SELECT dedupe FROM message WHERE id" + in + ")",
		"UPDATE attempt SET detail = '{}' WHERE message" + in,
		"UPDATE delivery_result SET reason = '" + ErasedReason + "' WHERE reason <> '' AND message" + in,
		"DELETE FROM parsing WHERE message" + in,
	} {
		if _, err := w.exec(text, list...); err != nil {
			return 0, err
		}
	}
	for _, end := range []struct{ table, state, rest string }{
		{"delivery", StateDead, "replay, created_at, ?, job, recipients"},
		{"held", StateWithdrawn, "0, created_at, ?, '', ''"},
	} {
		n, err := w.exec(`INSERT INTO delivery_result (message, id, endpoint, part, state, reason, attempts, replay, created_at, finished_at, job, recipients)
			SELECT message, id, endpoint, part, '`+end.state+`', '`+ErasedReason+`', attempts, `+end.rest+" FROM "+end.table+" WHERE message"+in,
			append([]driver.Value{now}, list...)...)
		if err == nil {
			_, err = w.exec("DELETE FROM "+end.table+" WHERE message"+in, list...)
		}
		if err != nil {
			return 0, err
		}
		deliveries += int(n)
	}
	return deliveries, entomb(w, list, now)
}

// entomb makes tombstones of messages.
func entomb(w *writer, list []driver.Value, now int64) error {
	for _, id := range list {
		_, err := w.exec(`INSERT INTO summary (message, finished_at, summary, attachments) VALUES (?, ?, NULL, 2)
			ON CONFLICT (message) DO UPDATE SET summary = NULL, attachments = 2, finished_at = coalesce(summary.finished_at, excluded.finished_at)`, id, now)
		if err == nil {
			_, err = w.exec("INSERT INTO erasure (message, at) VALUES (?, ?) ON CONFLICT DO NOTHING", id, now)
		}
		if err != nil {
			return err
		}
	}
	in := " WHERE id IN (" + placeholders(len(list)) + ")"
	var out []stocked
	err := w.query(func(row []driver.Value) error {
		out = append(out, stockOf(row[1].(string), row[0].(string), 0, -row[2].(int64)))
		return nil
	}, "SELECT id, account, size FROM message"+in+" AND length(key) > 0", list...)
	if err == nil {
		err = w.countOut(out)
	}
	if err != nil {
		return err
	}
	nothing := make([]byte, 32)
	_, err = w.exec("UPDATE message SET key = ?, envelope = '{}', sha256 = ?, dedupe = ?"+in,
		append([]driver.Value{[]byte{}, nothing, nothing}, list...)...)
	return err
}

// secureDelete has SQLite write zeros over all that is deleted or changed from now on, on free pages too.
func (w *writer) secureDelete() error {
	if w.postgres() {
		return nil
	}
	return w.query(func([]driver.Value) error { return nil }, "PRAGMA secure_delete = ON")
}

// checkpoint empties the write-ahead log, in which the pages stand as they were.
func (s *Store) checkpoint(ctx context.Context, erased *Erased) error {
	err := s.enqueue(ctx, &task{bare: true, done: make(chan error, 1), do: func(w *writer) error {
		busy, err := w.truncateLog()
		erased.Checkpointed = !busy
		return err
	}})
	if err != nil {
		return fmt.Errorf("empty the write-ahead log: %w", err)
	}
	return nil
}

// truncateLog is true when somebody reads what stands in the log.
func (w *writer) truncateLog() (busy bool, err error) {
	if err := w.connect(); err != nil {
		return false, err
	}
	n, err := w.queryInt("PRAGMA wal_checkpoint(TRUNCATE)")
	return n != 0, err
}

// ErasedSince gives the messages that were erased since a time, for whoever may hold one in memory.
func (s *Store) ErasedSince(ctx context.Context, since time.Time) (ids []string, err error) {
	ids, err = onlyColumn[string](s.read.QueryContext(ctx, "SELECT message FROM erasure WHERE at >= ?", since.UnixMilli()))
	if err != nil {
		return nil, fmt.Errorf("find what was erased: %w", err)
	}
	return ids, nil
}
