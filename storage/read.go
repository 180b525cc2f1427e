package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// reads are the statements of the read pool that run for every message.
type reads struct {
	lanes, fetch, mail, mails preparedRead
}

const selectMail = `SELECT m.id, m.account, m.received_at, m.size, m.sha256, m.envelope, m.pack, m.offset, m.length, m.key,
	coalesce(p.count, 0), s.summary
	FROM message AS m LEFT JOIN parsing AS p ON p.message = m.id LEFT JOIN summary AS s ON s.message = m.id `

// selectMails takes a list of ids as JSON.
var selectMails = forms{
	sqlite:   selectMail + "WHERE m.id IN (SELECT value FROM json_each(?))",
	postgres: selectMail + "WHERE m.id = ANY (ARRAY(SELECT json_array_elements_text(?::json)))",
}

// preparedRead is a statement that is prepared once. pgx does that by itself, for each connection on its first use.
type preparedRead struct {
	read *reader
	text string
	stmt *sql.Stmt // nil on PostgreSQL
}

func (p *preparedRead) query(ctx context.Context, args ...any) (*sql.Rows, error) {
	if p.stmt == nil {
		return p.read.QueryContext(ctx, p.text, args...)
	}
	return p.stmt.QueryContext(ctx, args...)
}

func (p *preparedRead) queryRow(ctx context.Context, args ...any) *sql.Row {
	if p.stmt == nil {
		return p.read.QueryRowContext(ctx, p.text, args...)
	}
	return p.stmt.QueryRowContext(ctx, args...)
}

func prepareReads(ctx context.Context, read *reader) (r reads, err error) {
	for _, p := range []struct {
		into *preparedRead
		text string
	}{
		{&r.lanes, selectLanes},
		{&r.fetch, selectDue},
		{&r.mail, selectMail + "WHERE m.id = ?"},
		{&r.mails, read.form(selectMails)},
	} {
		p.into.read, p.into.text = read, p.text
		if _, ok := read.engine.(*postgresEngine); ok {
			continue
		}
		if p.into.stmt, err = read.PrepareContext(ctx, p.text); err != nil {
			return r, fmt.Errorf("prepare %.40q: %w", p.text, err)
		}
	}
	return r, nil
}

func (r *reads) close() error {
	var errs []error
	for _, p := range []*preparedRead{&r.lanes, &r.fetch, &r.mail, &r.mails} {
		if p.stmt != nil {
			errs = append(errs, p.stmt.Close())
		}
	}
	return errors.Join(errs...)
}

// onlyColumn reads the only column of what a query gives, or passes the query's error on.
func onlyColumn[T any](rows *sql.Rows, err error) (list []T, _ error) {
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var value T
		err := rows.Scan(&value)
		list = append(list, value)
		return err
	})
	return list, err
}

// each calls scan for every row and closes the rows.
func each(rows *sql.Rows, scan func() error) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}
