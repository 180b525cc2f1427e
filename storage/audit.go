package storage

import (
	"context"
	"fmt"
	"time"
)

// AuditLine tells of one change that somebody made.
type AuditLine struct {
	ID      string // "aud_" and a ULID; the store makes it
	Account string // id of the account that it concerns; empty: the whole installation
	At      time.Time
	Actor   string // id of the API key; empty: the command line
	Name    string // of the key at that time
	Address string // of the client; empty: not known
	Action  string // "endpoint.create" and such
	Object  string // id of what was changed
	Was     string // JSON without secrets; empty: it was not there
	Became  string // likewise; empty: it is gone
}

// audit writes a line in the transaction of the change itself: neither is ever there without the other. A line without an action is
// none.
func (s *Store) audit(w *writer, l AuditLine) error {
	if l.Action == "" {
		return nil
	}
	now := s.cfg.Now()
	_, err := w.exec("INSERT INTO audit (id, account, at, actor, name, address, action, object, was, became) VALUES (?,?,?,?,?,?,?,?,?,?)",
		newID(auditPrefix, now), l.Account, now.UnixMilli(), l.Actor, l.Name, l.Address, l.Action, l.Object, l.Was, l.Became)
	return err
}

// Audit writes a line about a change that is not the store's.
func (s *Store) Audit(ctx context.Context, l AuditLine) error {
	if err := s.do(ctx, func(w *writer) error { return s.audit(w, l) }); err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

// AuditQuery selects lines of the audit log.
type AuditQuery struct {
	Account string // id; empty: of all
	Object  string // id; empty: of all
	Before  string // id; the lines before it
	Limit   int
}

// AuditLines lists lines, the newest first.
func (s *Store) AuditLines(ctx context.Context, q AuditQuery) ([]AuditLine, error) {
	text := selection{text: "SELECT id, account, at, actor, name, address, action, object, was, became FROM audit"}
	text.where(q.Account != "", "account = ?", q.Account)
	text.where(q.Object != "", "object = ?", q.Object)
	text.where(q.Before != "", "id < ?", q.Before)
	rows, err := s.read.QueryContext(ctx, text.text+" ORDER BY id DESC LIMIT ?", append(text.args, q.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	var lines []AuditLine
	err = each(rows, func() error {
		var l AuditLine
		var at int64
		err := rows.Scan(&l.ID, &l.Account, &at, &l.Actor, &l.Name, &l.Address, &l.Action, &l.Object, &l.Was, &l.Became)
		l.At = time.UnixMilli(at)
		lines = append(lines, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return lines, nil
}
