package storage

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// How long the answer to a request is kept for its repetition, and after what time a request without an answer is taken for one whose
// server died.
const (
	answerKept      = 24 * time.Hour
	requestPatience = time.Minute
)

// ErrInProgress says that the same request is being carried out.
var ErrInProgress = errors.New("the same request is being carried out")

// Answer is the answer to a request, for its repetition.
type Answer struct {
	Request [sha256.Size]byte // hash of the request that it is for
	Status  int
	Header  string // JSON
	Body    []byte
}

// BeginOnce begins a request that is to be carried out once, known by the hash of its sender and of the key that he gave it. Where that was
// begun before, it gives the answer, or [ErrInProgress]; nil: carry it out, and call EndOnce.
func (s *Store) BeginOnce(ctx context.Context, id, request [sha256.Size]byte) (*Answer, error) {
	var known *Answer
	err := s.do(ctx, func(w *writer) error {
		known = nil
		now := s.cfg.Now()
		_, err := w.exec("DELETE FROM idempotency WHERE created_at <= ? OR status = 0 AND created_at <= ?",
			now.Add(-answerKept).UnixMilli(), now.Add(-requestPatience).UnixMilli())
		if err != nil {
			return err
		}
		known, err = s.answer(w, id)
		if err != nil || known != nil {
			return err
		}
		_, err = w.exec("INSERT INTO idempotency (id, request, created_at, status, header, key, body) VALUES (?,?,?,0,'',?,?)",
			id[:], request[:], now.UnixMilli(), []byte{}, []byte{})
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("begin a request: %w", err)
	case known != nil && known.Status == 0 && known.Request == request:
		return nil, ErrInProgress
	}
	return known, nil
}

func (s *Store) answer(w *writer, id [sha256.Size]byte) (known *Answer, err error) {
	err = w.query(func(row []driver.Value) error {
		known = &Answer{}
		request, _ := row[0].([]byte)
		status, _ := row[1].(int64)
		key, _ := row[3].([]byte)
		sealed, _ := row[4].([]byte)
		copy(known.Request[:], request)
		known.Status = int(status)
		known.Header, _ = row[2].(string)
		if status > 0 {
			known.Body, err = s.unsealBody(string(id[:]), key, append([]byte(nil), sealed...))
		}
		return err
	}, "SELECT request, status, header, key, body FROM idempotency WHERE id = ?", id[:])
	return known, err
}

// EndOnce keeps the answer to a request for a day, sealed, for it may hold secrets that were shown once. A nil answer forgets the request, so
// that it can be sent again.
func (s *Store) EndOnce(ctx context.Context, id [sha256.Size]byte, a *Answer) error {
	err := s.do(ctx, func(w *writer) error {
		if a == nil {
			_, err := w.exec("DELETE FROM idempotency WHERE id = ?", id[:])
			return err
		}
		key, sealed, err := s.sealBody(string(id[:]), a.Body)
		if err != nil {
			return err
		}
		_, err = w.exec("UPDATE idempotency SET status = ?, header = ?, key = ?, body = ? WHERE id = ?", int64(a.Status), a.Header, key, sealed, id[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("end a request: %w", err)
	}
	return nil
}
