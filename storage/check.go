package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// The kinds of faults that [Store.Check] finds.
const (
	FaultDatabase   = "database"   // SQLite finds its file damaged; PostgreSQL is not asked
	FaultOwed       = "owed"       // an endpoint of a message has neither a delivery nor a result
	FaultBytes      = "bytes"      // the raw bytes are absent, damaged or do not match their hash
	FaultAttachment = "attachment" // a stored attachment is absent or does not match its hash
	FaultRow        = "row"        // a message cannot be decoded
	FaultReference  = "reference"  // a row names a message that is not there
	FaultDouble     = "double"     // an endpoint is owed a message twice
	FaultHeld       = "held"       // a message that was not accepted is owed or finished
	FaultPack       = "pack"       // a pack has no row, is doomed, or counts its messages wrongly
)

// Fault is a broken invariant.
type Fault struct {
	Kind    string
	Message string // id of the message concerned; may be empty
	Subject string // endpoint, delivery, pack or table concerned; may be empty
	Detail  string
}

// String gives the fault as one line.
func (f Fault) String() string {
	return fmt.Sprintf("%s: %s %s: %s", f.Kind, f.Message, f.Subject, f.Detail)
}

// checkRows is the number of messages checked on one snapshot of the database.
const checkRows = 200

// Check proves what the store promises: every endpoint of every message has a delivery or a result, or the message is held for it, every message's bytes
// are there and match their hash, so do those of its stored attachments, and no row points at nothing. It reads everything, beside a running server too, and
// changes nothing. Every fault is reported; the error says only why the check could not go on.
func (s *Store) Check(ctx context.Context, report func(Fault)) error {
	c := checking{store: s, report: report}
	for _, check := range c.all() {
		if err := check(ctx); err != nil {
			return fmt.Errorf("check store: %w", err)
		}
	}
	return nil
}

type checking struct {
	store  *Store
	report func(Fault)
	look   func(key string) bool // whether the bytes in a pack or an attachment are read; nil: all are
	step   func()                // after each message; may be nil
}

func (c *checking) all() []func(context.Context) error {
	return []func(context.Context) error{c.database, c.messages, c.references, c.doubles, c.packs}
}

func (c *checking) looksAt(key string) bool { return c.look == nil || c.look(key) }

func (c *checking) database(ctx context.Context) error {
	if _, ok := c.store.engine.(*postgresEngine); ok {
		return nil // a server has its own ways: checksums and pg_amcheck
	}
	return c.texts(ctx, func(text string) {
		if text != "ok" {
			c.report(Fault{Kind: FaultDatabase, Detail: text})
		}
	}, "PRAGMA integrity_check")
}

// texts calls report for every row of one column of text.
func (c *checking) texts(ctx context.Context, report func(string), query string) error {
	rows, err := c.store.read.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	return each(rows, func() error {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		report(text)
		return nil
	})
}

// messages checks them page by page, each page on one snapshot.
func (c *checking) messages(ctx context.Context) error {
	c.store.reader.forget("") // an open segment can be read although its name is gone
	for after := ""; ; {
		page, err := c.page(ctx, after)
		if err != nil || len(page.ids) == 0 {
			return err
		}
		for _, id := range page.ids {
			m := page.mails[id]
			if m == nil {
				continue // cannot be decoded; reported
			}
			for _, d := range owed(m.ID, m.Envelope.Recipients, m.ReceivedAt) {
				if !page.answered[debt{m.ID, d.Endpoint, d.Part}] {
					c.report(Fault{Kind: FaultOwed, Message: m.ID, Subject: d.Endpoint, Detail: "neither a delivery nor a result"})
				}
			}
			if err := c.bytes(ctx, m); err != nil {
				return err
			}
			if err := c.attachments(ctx, m); err != nil {
				return err
			}
			if c.step != nil {
				c.step()
			}
		}
		after = page.ids[len(page.ids)-1]
	}
}

// debt is what a message owes: to an endpoint, for one recipient or for all.
type debt struct {
	message, endpoint string
	part              int
}

// checkPage is some messages with the debts that have a delivery or a result.
type checkPage struct {
	ids      []string
	mails    map[string]*Mail
	answered map[debt]bool
}

func (c *checking) page(ctx context.Context, after string) (p *checkPage, err error) {
	tx, err := c.store.read.BeginTx(ctx, c.store.engine.snapshot())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	p = &checkPage{mails: map[string]*Mail{}, answered: map[debt]bool{}}
	rows, err := tx.QueryContext(ctx, c.store.engine.text(selectMail+"WHERE m.id > ? ORDER BY m.id LIMIT ?"), after, checkRows)
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var id string
		m, err := scanMail(func(into ...any) error {
			err := rows.Scan(into...)
			id = *into[0].(*string)
			return err
		})
		if id == "" {
			return err
		}
		p.ids = append(p.ids, id)
		if err != nil {
			c.report(Fault{Kind: FaultRow, Message: id, Detail: err.Error()})
		} else {
			p.mails[id] = m
		}
		return nil
	})
	if err != nil || len(p.ids) == 0 {
		return p, err
	}
	first, last := p.ids[0], p.ids[len(p.ids)-1]
	rows, err = tx.QueryContext(ctx, c.store.engine.text(`SELECT message, endpoint, part FROM delivery WHERE message BETWEEN ? AND ?
		UNION SELECT message, endpoint, part FROM delivery_result WHERE message BETWEEN ? AND ?
		UNION SELECT message, endpoint, part FROM held WHERE message BETWEEN ? AND ?`), first, last, first, last, first, last)
	if err != nil {
		return nil, err
	}
	return p, each(rows, func() error {
		var key debt
		err := rows.Scan(&key.message, &key.endpoint, &key.part)
		p.answered[key] = true
		return err
	})
}

// bytes reads the content of a message and compares its hash. A message that was swept meanwhile is no fault.
func (c *checking) bytes(ctx context.Context, m *Mail) error {
	if m.Erased || !c.looksAt(m.raw.pack) {
		return nil
	}
	err := c.hash(ctx, m)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, gone := c.store.Mail(ctx, m.ID); errors.Is(gone, ErrNotFound) {
		return nil
	}
	c.report(Fault{Kind: FaultBytes, Message: m.ID, Subject: m.raw.pack, Detail: err.Error()})
	return nil
}

func (c *checking) hash(ctx context.Context, m *Mail) (err error) {
	raw, err := c.store.OpenRaw(ctx, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(raw, 0, raw.Size())); err != nil {
		return err
	}
	if [32]byte(h.Sum(nil)) != m.SHA256 {
		return errors.New("the bytes have another hash than the row")
	}
	return nil
}

// attachments reads what the summary says is stored. What was swept meanwhile is no fault.
func (c *checking) attachments(ctx context.Context, m *Mail) error {
	if m.Summary == nil {
		return nil
	}
	for _, a := range m.Summary.Attachments {
		if !c.looksAt(a.Key) {
			continue
		}
		err := c.hashBlob(ctx, a)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if now, gone := c.store.Mail(ctx, m.ID); errors.Is(gone, ErrNotFound) || now != nil && (now.Summary == nil || now.Summary.Attachments == nil) {
			return nil
		}
		c.report(Fault{Kind: FaultAttachment, Message: m.ID, Subject: a.Key, Detail: err.Error()})
	}
	return nil
}

func (c *checking) hashBlob(ctx context.Context, a AttachmentBlob) (err error) {
	blob, err := c.store.cfg.Blobs.OpenRange(ctx, a.Key, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, blob); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != a.SHA256 {
		return errors.New("the bytes have another hash than the summary")
	}
	return nil
}

// references finds rows whose message is not there. Results and attempts may outlive it.
func (c *checking) references(ctx context.Context) error {
	for _, table := range []string{"delivery", "held", "summary", "parsing"} {
		err := c.texts(ctx, func(id string) {
			c.report(Fault{Kind: FaultReference, Message: id, Subject: table, Detail: "there is no such message"})
		}, "SELECT message FROM "+table+" AS t WHERE NOT EXISTS (SELECT 1 FROM message WHERE id = t.message)")
		if err != nil {
			return err
		}
	}
	return c.texts(ctx, func(id string) {
		c.report(Fault{Kind: FaultHeld, Message: id, Detail: "it is held, but has a delivery or a result"})
	}, `SELECT message FROM held AS h WHERE EXISTS (SELECT 1 FROM delivery WHERE message = h.message)
		OR EXISTS (SELECT 1 FROM delivery_result WHERE message = h.message)`)
}

// doubles finds what an endpoint is owed twice.
func (c *checking) doubles(ctx context.Context) error {
	return c.texts(ctx, func(id string) {
		c.report(Fault{Kind: FaultDouble, Message: id, Detail: "an endpoint is owed it twice"})
	}, "SELECT DISTINCT message FROM (SELECT message FROM delivery GROUP BY message, endpoint, part, recipients HAVING count(*) > 1) AS doubles")
}

// packs compares the packs with the messages in them.
func (c *checking) packs(ctx context.Context) error {
	fault := func(detail string) func(string) {
		return func(key string) { c.report(Fault{Kind: FaultPack, Subject: key, Detail: detail}) }
	}
	err := c.texts(ctx, fault("messages name it, but it has no row"),
		"SELECT DISTINCT pack FROM message AS m WHERE NOT EXISTS (SELECT 1 FROM pack WHERE key = m.pack)")
	if err != nil {
		return err
	}
	err = c.texts(ctx, fault("the number of its messages is wrong"), `SELECT p.key FROM pack AS p
		LEFT JOIN (SELECT pack, count(*) AS n FROM message GROUP BY pack) AS m ON m.pack = p.key WHERE p.live <> coalesce(m.n, 0)`)
	if err != nil {
		return err
	}
	return c.texts(ctx, fault("it is doomed, but messages name it"), "SELECT key FROM pack WHERE live > 0 AND doomed_at IS NOT NULL")
}
