package storage

import (
	"context"
	"fmt"
	"time"
)

// Arrived lists messages whose ids were made at a time or later, behind the one with the id after, in the order of their ids. That is
// nearly the order in which they were accepted: what took long to store stands before what is there already. An account that is not
// empty gets its own alone.
func (s *Store) Arrived(ctx context.Context, account string, since time.Time, after string, limit int) ([]*Mail, error) {
	q := selection{text: selectMail}
	q.where(true, "m.id >= ?", firstMessageID(since))
	q.where(after != "", "m.id > ?", after)
	q.where(account != "", "m.account = ?", account)
	mails, err := listMails(s.read.QueryContext(ctx, q.text+" ORDER BY m.id LIMIT ?", append(q.args, limit)...))
	if err != nil {
		return nil, fmt.Errorf("list new messages: %w", err)
	}
	return mails, nil
}

// MessageTime is when the id of a message was made; zero for what is no such id.
func MessageTime(id string) time.Time { return idTime(messagePrefix, id) }
