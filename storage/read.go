package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// reads are the statements of the read pool that run for every message.
type reads struct {
	lanes, fetch, mail, mails *sql.Stmt
}

const selectMail = `SELECT m.id, m.account, m.received_at, m.size, m.sha256, m.envelope, m.pack, m.offset, m.length, m.key,
	coalesce(p.count, 0), s.summary
	FROM message AS m LEFT JOIN parsing AS p ON p.message = m.id LEFT JOIN summary AS s ON s.message = m.id `

func prepareReads(ctx context.Context, db *sql.DB) (r reads, err error) {
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&r.lanes, selectLanes},
		{&r.fetch, selectDue},
		{&r.mail, selectMail + "WHERE m.id = ?"},
		{&r.mails, selectMail + "WHERE m.id IN (SELECT value FROM json_each(?))"},
	} {
		if *p.stmt, err = db.PrepareContext(ctx, p.text); err != nil {
			return r, fmt.Errorf("prepare %.40q: %w", p.text, err)
		}
	}
	return r, nil
}

func (r *reads) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{r.lanes, r.fetch, r.mail, r.mails} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
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
