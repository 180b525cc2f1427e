package storage

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"
)

// advance makes a delivery due now. One that is due already keeps its place: in a lane with strict order that is its turn.
const advance = "UPDATE delivery SET due_at = CASE WHEN due_at > ? THEN ? ELSE due_at END WHERE "

// Retry makes a delivery due now. A finished one stays in the log and gets a new, pending delivery of the same message to
// the same endpoint for the same recipients, marked as a replay, whose attempts and age count from now; it has the same
// webhook-id because that is made of the message's id. One that was filtered is asked for by its name, so filters are not asked again. When the endpoint is owed the message already, that delivery becomes due instead of a second one. An
// unknown id, or one whose message is no longer kept, gives an error that Is [ErrNotFound], one that the sweeper is at
// work on an error that Is [ErrSweeping], and one whose message is held one that Is [ErrNotAccepted].
func (s *Store) Retry(ctx context.Context, deliveryID string) error {
	low, high, ok := messageRange(deliveryID)
	if !ok {
		return fmt.Errorf("retry %q: %w", deliveryID, ErrNotFound)
	}
	err := s.do(ctx, func(w *writer) error {
		now := s.cfg.Now().UnixMilli()
		changed, err := w.exec(advance+"message > ? AND message < ? AND id = ?", now, now, low, high, deliveryID)
		if err != nil || changed > 0 {
			return err
		}
		d, err := finishedDelivery(w, low, high, deliveryID)
		if err != nil {
			return err
		}
		changed, err = w.exec(advance+"message = ? AND endpoint = ? AND part = ? AND recipients = ?", now, now, d.message, d.endpoint, d.part, d.recipients)
		if err != nil || changed > 0 {
			return err
		}
		state, err := w.queryInt("SELECT attachments FROM summary WHERE message = ?", d.message)
		if err != nil {
			return err
		}
		if state == attachmentsGoing {
			return ErrSweeping // else it would remove what this replay is about to store
		}
		id := deliveryIDOf(d.message)
		_, err = w.exec(`INSERT INTO delivery (message, id, endpoint, part, recipients, unfiltered, due_at, attempts, replay, created_at)
			VALUES (?,?,?,?,?,?,?,0,1,?)`, d.message, id, d.endpoint, d.part, d.recipients, d.filtered, now, now)
		if err != nil {
			return err
		}
		_, err = w.exec("UPDATE delivery_result SET replayed_by = ? WHERE message = ? AND id = ?", id, d.message, deliveryID)
		return err
	})
	if err != nil {
		return fmt.Errorf("retry %s: %w", deliveryID, err)
	}
	return nil
}

// finished is what a replay takes over of a finished delivery.
type finished struct {
	message, endpoint, recipients string
	part, filtered                int64
}

// finishedDelivery finds a finished delivery whose message is still kept.
func finishedDelivery(w *writer, low, high, id string) (d finished, err error) {
	err = w.query(func(row []driver.Value) error {
		d = finished{row[0].(string), row[1].(string), row[3].(string), row[2].(int64), row[4].(int64)}
		return nil
	}, `SELECT r.message, r.endpoint, r.part, r.recipients, r.state = 'filtered' FROM delivery_result AS r JOIN message AS m ON m.id = r.message
		WHERE r.message > ? AND r.message < ? AND r.id = ? AND NOT EXISTS (SELECT 1 FROM erasure WHERE message = r.message)`, low, high, id)
	if err != nil || d.message != "" {
		return d, err
	}
	held, err := w.queryInt("SELECT count(*) FROM held WHERE message > ? AND message < ? AND id = ?", low, high, id)
	if err == nil && held > 0 {
		err = ErrNotAccepted
	}
	if err == nil {
		err = ErrNotFound
	}
	return d, err
}

// hastenStep is how many deliveries one transaction makes due.
const hastenStep = 500

const hasten = `UPDATE delivery SET due_at = ? WHERE (message, id) IN
	(SELECT message, id FROM delivery WHERE endpoint = ? AND due_at > ? ORDER BY due_at, id LIMIT ?)`

// Hasten makes due now whatever is due at the endpoint later than a time at which nothing of it can be: the clock was set back.
func (s *Store) Hasten(ctx context.Context, endpoint string, dueAfter time.Time) (hastened int64, err error) {
	for n := int64(hastenStep); n == hastenStep; hastened += n {
		err := s.do(ctx, func(w *writer) error {
			var err error
			n, err = w.exec(hasten, s.cfg.Now().UnixMilli(), endpoint, dueAfter.UnixMilli(), int64(hastenStep))
			return err
		})
		if err != nil {
			return hastened, fmt.Errorf("make due what waits for endpoint %s: %w", endpoint, err)
		}
	}
	return hastened, nil
}
