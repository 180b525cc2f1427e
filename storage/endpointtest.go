package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// EndpointTest is a test event that was asked for. It is no delivery: it has no message and is never tried again.
type EndpointTest struct {
	ID       string // "tst_" and a ULID; the webhook-id
	Endpoint string
	AskedAt  time.Time
	At       time.Time // zero: not made yet
	Duration time.Duration
	Outcome  string
	Status   int
	Detail   AttemptDetail
}

const selectTests = "SELECT endpoint, id, asked_at, at, duration, outcome, status, detail FROM endpoint_test"

// AskTest asks the running server, this process or another, for a test event, and gives its id. What earlier tests of the
// endpoint found is forgotten.
func (s *Store) AskTest(ctx context.Context, endpoint string) (id string, err error) {
	now := s.cfg.Now()
	id = newID(testPrefix, now)
	err = s.do(ctx, func(w *writer) error {
		if _, err := w.exec("DELETE FROM endpoint_test WHERE endpoint = ? AND at > 0", endpoint); err != nil {
			return err
		}
		_, err := w.exec(`INSERT INTO endpoint_test (endpoint, id, asked_at, at, duration, outcome, status, detail)
			VALUES (?,?,?,0,0,'',0,'{}')`, endpoint, id, now.UnixMilli())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("ask for a test of %s: %w", endpoint, err)
	}
	return id, nil
}

// EndTest records what a test found. One that is not asked for any more is left alone.
func (s *Store) EndTest(ctx context.Context, t *EndpointTest) error {
	detail, err := json.Marshal(&t.Detail)
	if err == nil {
		err = s.do(ctx, func(w *writer) error {
			_, err := w.exec(`UPDATE endpoint_test SET at = ?, duration = ?, outcome = ?, status = ?, detail = ? WHERE endpoint = ? AND id = ?`,
				t.At.UnixMilli(), t.Duration.Microseconds(), t.Outcome, int64(t.Status), string(detail), t.Endpoint, t.ID)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("record test %s: %w", t.ID, err)
	}
	return nil
}

// PendingTests gives the tests that nobody has made yet, the oldest first.
func (s *Store) PendingTests(ctx context.Context) ([]EndpointTest, error) {
	return s.tests(ctx, selectTests+" WHERE at = 0 ORDER BY id")
}

// Test gives a test by its id. One that is not kept gives an error that Is [ErrNotFound].
func (s *Store) Test(ctx context.Context, endpoint, id string) (EndpointTest, error) {
	found, err := s.tests(ctx, selectTests+" WHERE endpoint = ? AND id = ?", endpoint, id)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("test %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return EndpointTest{}, err
	}
	return found[0], nil
}

func (s *Store) tests(ctx context.Context, text string, args ...any) ([]EndpointTest, error) {
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("read tests of endpoints: %w", err)
	}
	var found []EndpointTest
	err = each(rows, func() error {
		var t EndpointTest
		var asked, at, took int64
		var detail []byte
		err := rows.Scan(&t.Endpoint, &t.ID, &asked, &at, &took, &t.Outcome, &t.Status, &detail)
		t.AskedAt, t.At, t.Duration = time.UnixMilli(asked), unmilli(at), time.Duration(took)*time.Microsecond
		err = errors.Join(err, json.Unmarshal(detail, &t.Detail))
		found = append(found, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read tests of endpoints: %w", err)
	}
	return found, nil
}
