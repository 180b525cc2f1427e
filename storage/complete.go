package storage

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Complete queues the record of an attempt. It rides on the next accept's transaction, or goes with others after 10 ms or
// when 64 wait. done is called once, after the commit, on the committer's goroutine: it must not block. It gets nil when
// everything is durable, an error that Is [ErrStale] when the delivery was no longer as the attempt found it, or another
// error when nothing was recorded and the attempt is owed again.
func (s *Store) Complete(c Completion, done func(error)) {
	item, err := encodeCompletion(c, done)
	if err != nil {
		done(fmt.Errorf("record attempt: %w", err))
		return
	}
	if !s.results.putCompletion(item) {
		done(ErrClosed)
	}
}

// made is how many attempts were made at the delivery.
func (c *completing) made() int64 {
	if c.Unattempted {
		return int64(c.Attempt.N - 1)
	}
	return int64(c.Attempt.N)
}

// encodeCompletion does here what would cost the committer time.
func encodeCompletion(c Completion, done func(error)) (*completing, error) {
	item := &completing{Completion: c, done: done}
	detail, err := json.Marshal(&c.Attempt.Detail)
	if err != nil {
		return nil, err
	}
	item.detail = string(detail)
	if c.Summary == nil || c.Summary.Attachments == nil || len(c.Summary.Attachments) > 0 {
		item.attachments = attachmentsStored
	}
	if c.Summary != nil {
		shown := *c.Summary
		// PostgreSQL reads no JSON with U+0000 in it.
		for _, text := range []*string{&shown.From, &shown.Subject, &shown.MessageID} {
			*text = strings.ReplaceAll(*text, "\x00", "\uFFFD")
		}
		summary, err := json.Marshal(&shown)
		if err != nil {
			return nil, err
		}
		item.summary = string(summary)
	}
	return item, nil
}
