package storage

import (
	"context"
	"slices"
	"strings"
)

// attention are the states in the order in which they ask for it.
var attention = []string{
	StateDead, StateRetrying, StatePending, StateHeld, StateWithdrawn, StateRefused, StateFiltered, StateMissed, StateDelivered,
}

// selectStates gives the states of the deliveries of messages. A delivery that was replayed has left its place to the replay.
func (s *Store) selectStates(ids []string) (text string, args []any) {
	var parts []string
	for _, table := range []struct{ text, condition string }{
		{"SELECT message, CASE WHEN attempts > 0 THEN 'retrying' ELSE 'pending' END FROM delivery", ""},
		{"SELECT message, state FROM delivery_result", "replayed_by IS NULL"},
		{"SELECT message, state FROM held", ""},
	} {
		q := selection{text: table.text}
		q.where(table.condition != "", table.condition)
		part, values := q.ofIDs(s.searching(), "message", ids)
		parts, args = append(parts, part), append(args, values...)
	}
	return strings.Join(parts, " UNION ALL "), args
}

// setStates finds the state of every message of a page.
func (s *Store) setStates(ctx context.Context, page []Listed) error {
	if len(page) == 0 {
		return nil
	}
	ids := make([]string, len(page))
	for i := range page {
		ids[i] = page[i].ID
	}
	text, args := s.selectStates(ids)
	rows, err := s.searching().QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	states := make(map[string]string, len(page))
	err = each(rows, func() error {
		var message, state string
		if err := rows.Scan(&message, &state); err != nil {
			return err
		}
		if old := states[message]; old == "" || slices.Index(attention, state) < slices.Index(attention, old) {
			states[message] = state
		}
		return nil
	})
	for i := range page {
		if page[i].State = states[page[i].ID]; page[i].State == "" {
			page[i].State = StateDiscarded
		}
	}
	return err
}
