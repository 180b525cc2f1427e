package storage

import "fmt"

const (
	insertHeld = `INSERT INTO held (message, id, endpoint, part, state, reason, attempts, created_at, expires_at)
		VALUES (?,?,?,?,'held','',0,?,?)`
	// The attachments of a held message are stored before anything is recorded of it; this is how they are found.
	insertUnread = "INSERT INTO summary (message, attachments) VALUES (?,1)"
	takeUp       = "UPDATE held SET state = 'held', reason = '', expires_at = ? WHERE message = ?"
	renewKey     = "UPDATE dedupe SET created_at = ? WHERE key = ?"

	deliverHeld = `INSERT INTO delivery_result (message, id, endpoint, part, state, reason, attempts, replay, created_at, finished_at)
		SELECT message, id, endpoint, part, 'delivered', '', attempts + 1, 0, created_at, ? FROM held WHERE message = ? AND attempts + 1 = ?`
	deleteHeld = "DELETE FROM held WHERE message = ?"
	// The number of the attempt is 0 where none was made.
	withdrawHeld = `UPDATE held SET state = ?, reason = ?, expires_at = ?, attempts = CASE WHEN attempts > ? THEN attempts ELSE ? END
		WHERE message = ? AND CAST(? AS BIGINT) IN (0, attempts + 1)`
	selectDelivered = "SELECT id, endpoint, part FROM delivery_result WHERE message = ? AND state = 'delivered' LIMIT 1"
	forgetKey       = "DELETE FROM dedupe WHERE key = (SELECT dedupe FROM message WHERE id = ?) AND message = ?"
)

// hold inserts what a held message has in the place of deliveries.
func (t *transaction) hold(d *Delivery) error {
	_, err := t.exec(insertHeld, d.Message, d.ID, d.Endpoint, int64(d.Part), d.CreatedAt.UnixMilli(), t.now.Add(holdFor).UnixMilli())
	if err == nil {
		_, err = t.exec(insertUnread, d.Message)
	}
	if err != nil {
		return fmt.Errorf("insert held message: %w", err)
	}
	return nil
}

// takeUp gives a held message that its sender sends again another day. One that was delivered is left as it is.
func (t *transaction) takeUp(m *incoming) error {
	changed, err := t.exec(takeUp, t.now.Add(holdFor).UnixMilli(), m.id)
	if err == nil && changed > 0 {
		_, err = t.exec(renewKey, t.now.UnixMilli(), m.dedupe[:])
	}
	if err != nil {
		return fmt.Errorf("take up held message: %w", err)
	}
	return nil
}

// settle records what became of a held message, or sets ErrStale.
func (t *transaction) settle(c *completing) error {
	c.err = nil
	a, n := &c.Attempt, int64(c.Attempt.N)
	var changed int64
	var err error
	switch c.State {
	case StateDelivered:
		changed, err = t.exec(deliverHeld, t.now.UnixMilli(), a.Message, n)
		if err == nil && changed > 0 {
			_, err = t.exec(deleteHeld, a.Message)
		}
	case StateRefused:
		changed, err = t.exec(withdrawHeld, c.State, c.Reason, t.now.UnixMilli(), n, n, a.Message, n)
		if err == nil && changed > 0 {
			_, err = t.exec(forgetKey, a.Message, a.Message)
		}
	default:
		changed, err = t.exec(withdrawHeld, c.State, c.Reason, t.now.Add(holdFor).UnixMilli(), n, n, a.Message, n)
	}
	switch {
	case err != nil:
		return err
	case changed == 0:
		c.err = ErrStale
		return nil
	case n == 0:
		return nil
	}
	return t.record([]*completing{c})
}
