package storage

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ReplaySpec says which deliveries a [Replay] makes again. Zero fields of the selection select all; of its conditions every
// one must hold.
type ReplaySpec struct {
	// Endpoint is the id of the one whose finished deliveries are replayed; with Missing, of the one that has none.
	Endpoint string `json:"endpoint"`
	// Missing selects messages whose recipients would today be routed to the endpoint and that it was never owed.
	Missing   bool      `json:"missing,omitempty"`
	Message   string    `json:"message,omitempty"`   // id
	States    []string  `json:"states,omitempty"`    // of the delivery; empty: delivered, dead and missed
	Domain    string    `json:"domain,omitempty"`    // of a recipient
	Recipient string    `json:"recipient,omitempty"` // address
	Sender    string    `json:"sender,omitempty"`    // reverse-path: an address, or a domain
	Kind      string    `json:"kind,omitempty"`
	From      time.Time `json:"from,omitzero"`  // received then or later
	Until     time.Time `json:"until,omitzero"` // received before

	To   string  `json:"to,omitempty"`   // id of the endpoint that gets them; empty: the same
	URL  string  `json:"url,omitempty"`  // in the place of the endpoint's own
	Rate float64 `json:"rate,omitempty"` // deliveries made in a second; 0: any
	// IgnoreFilters has the filters of endpoint and routes not asked.
	IgnoreFilters bool `json:"ignore_filters,omitempty"`
}

// ReplayState says how far a replay is.
type ReplayState string

// The states of a replay. A paused one makes no deliveries; those that it has made go on.
const (
	ReplayRunning    ReplayState = "running"
	ReplayPaused     ReplayState = "paused"
	ReplayMade       ReplayState = "made"       // every delivery was made; not all need be finished
	ReplayCancelling ReplayState = "cancelling" // what it made and is unfinished is being taken back
	ReplayCancelled  ReplayState = "cancelled"
)

// Replay is a job that makes deliveries of messages once more, in small steps. It survives a crash at any place: what a step
// made and where it stopped are one transaction.
type Replay struct {
	ID         string // "rpl_" and a ULID
	Spec       ReplaySpec
	State      ReplayState
	CreatedAt  time.Time
	FinishedAt time.Time // zero: not yet
	Total      int64     // deliveries to be made, as counted when it was created
	ReplayCount

	message, delivery string // cursor
}

// ReplayCount counts what a replay came across, or would.
type ReplayCount struct {
	Made int64 // deliveries made, or to be made
	Owed int64 // passed over: the endpoint is owed them already
	Gone int64 // passed over: retention has taken their message
}

// Target is the id of the lane that gets the deliveries. It is the replay's own where it has a URL of its own.
func (r *Replay) Target() string {
	switch {
	case r.Spec.URL != "":
		return r.ID
	case r.Spec.To != "":
		return r.Spec.To
	}
	return r.Spec.Endpoint
}

// states are those that the replay selects.
func (p *ReplaySpec) states() []string {
	if len(p.States) > 0 {
		return p.States
	}
	if p.IgnoreFilters {
		return []string{StateDelivered, StateDead, StateMissed, StateFiltered}
	}
	return []string{StateDelivered, StateDead, StateMissed}
}

const selectReplays = `SELECT id, spec, state, created_at, finished_at, total, message, delivery, made, owed, gone FROM replay`

const openReplays = selectReplays + " WHERE finished_at = 0 ORDER BY id DESC"

// CreateReplay makes the replay durable. A running server begins with it within a second. An endpoint that the store has
// never seen, or one to lead to that is another account's, gives an error that Is [ErrNotFound].
func (s *Store) CreateReplay(ctx context.Context, spec ReplaySpec, total int64) (*Replay, error) {
	text, err := json.Marshal(&spec)
	if err != nil {
		return nil, fmt.Errorf("create replay: %w", err)
	}
	now := s.cfg.Now().Truncate(time.Millisecond)
	r := &Replay{ID: newID(replayPrefix, now), Spec: spec, State: ReplayRunning, CreatedAt: now, Total: total}
	err = s.do(ctx, func(w *writer) error {
		// Mail of one account is never led to another.
		n, err := w.queryInt(`SELECT count(*) FROM endpoint AS e JOIN endpoint AS t ON t.account = e.account WHERE e.id = ? AND t.id = ?`,
			spec.Endpoint, cmp.Or(spec.To, spec.Endpoint))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		_, err = w.exec(`INSERT INTO replay (id, spec, state, created_at, finished_at, total, message, delivery, made, owed, gone)
			VALUES (?,?,?,?,0,?,'','',0,0,0)`, r.ID, string(text), string(r.State), now.UnixMilli(), total)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create replay: %w", err)
	}
	return r, nil
}

// Replays lists the replays, the newest first.
func (s *Store) Replays(ctx context.Context) ([]*Replay, error) {
	return s.replays(ctx, selectReplays+" ORDER BY id DESC")
}

func (s *Store) replays(ctx context.Context, text string) ([]*Replay, error) {
	rows, err := s.read.QueryContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("list replays: %w", err)
	}
	var list []*Replay
	err = each(rows, func() error {
		r, err := scanReplay(rows.Scan)
		list = append(list, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list replays: %w", err)
	}
	return list, nil
}

// OpenReplays lists the replays that are worked at or paused, the newest first. However many are kept, it costs what these do.
func (s *Store) OpenReplays(ctx context.Context) ([]*Replay, error) {
	return s.replays(ctx, openReplays)
}

// Replay gives one replay; one that is not there gives an error that Is [ErrNotFound].
func (s *Store) Replay(ctx context.Context, id string) (*Replay, error) {
	r, err := scanReplay(s.read.QueryRowContext(ctx, selectReplays+" WHERE id = ?", id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("replay %s: %w", id, err)
	}
	return r, nil
}

func scanReplay(scan func(...any) error) (*Replay, error) {
	r := &Replay{}
	var spec []byte
	var created, finished int64
	err := scan(&r.ID, &spec, &r.State, &created, &finished, &r.Total, &r.message, &r.delivery, &r.Made, &r.Owed, &r.Gone)
	if err != nil {
		return nil, err
	}
	r.CreatedAt, r.FinishedAt = time.UnixMilli(created), unmilli(finished)
	if err := json.Unmarshal(spec, &r.Spec); err != nil {
		return nil, fmt.Errorf("decode replay %s: %w", r.ID, err)
	}
	return r, nil
}

// ReplayProgress is what became of the deliveries that a replay made. One that was finished and is gone with the log of
// attempts is not counted any more.
type ReplayProgress struct {
	Pending  int64
	Finished map[string]int64 // by state
}

// ReplayProgress counts the deliveries that a replay made.
func (s *Store) ReplayProgress(ctx context.Context, id string) (p ReplayProgress, err error) {
	p.Finished = map[string]int64{}
	err = s.read.QueryRowContext(ctx, "SELECT count(*) FROM delivery WHERE job = ? AND job <> ''", id).Scan(&p.Pending)
	if err != nil {
		return p, fmt.Errorf("progress of replay %s: %w", id, err)
	}
	rows, err := s.read.QueryContext(ctx, "SELECT state, count(*) FROM delivery_result WHERE job = ? AND job <> '' GROUP BY state", id)
	if err == nil {
		err = each(rows, func() error {
			var state string
			var n int64
			err := rows.Scan(&state, &n)
			p.Finished[state] = n
			return err
		})
	}
	if err != nil {
		return p, fmt.Errorf("progress of replay %s: %w", id, err)
	}
	return p, nil
}

// ReplayBacklog is how many deliveries of a replay wait for their first attempt.
func (s *Store) ReplayBacklog(ctx context.Context, id string) (n int, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT count(*) FROM delivery WHERE job = ? AND job <> '' AND attempts = 0", id).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("backlog of replay %s: %w", id, err)
	}
	return n, nil
}

// PauseReplay has a running replay make no more deliveries. A running server obeys within a second, as with all commands. A
// replay in a state that does not allow it gives an error that Is [ErrStale].
func (s *Store) PauseReplay(ctx context.Context, id string) error {
	return s.turnReplay(ctx, id, ReplayPaused, ReplayRunning)
}

// ResumeReplay lets a paused replay go on.
func (s *Store) ResumeReplay(ctx context.Context, id string) error {
	return s.turnReplay(ctx, id, ReplayRunning, ReplayPaused)
}

// CancelReplay ends a replay, and has what it made and is unfinished taken back: what was never attempted as if it had not been
// made; the rest is dead.
func (s *Store) CancelReplay(ctx context.Context, id string) error {
	return s.turnReplay(ctx, id, ReplayCancelling, ReplayRunning, ReplayPaused, ReplayMade, ReplayCancelling)
}

func (s *Store) turnReplay(ctx context.Context, id string, to ReplayState, from ...ReplayState) error {
	err := s.do(ctx, func(w *writer) error {
		state, err := w.queryText("SELECT state FROM replay WHERE id = ?", id)
		if err != nil {
			return err
		}
		if state == "" {
			return ErrNotFound
		}
		for _, f := range from {
			if state == string(f) {
				_, err := w.exec("UPDATE replay SET state = ?, finished_at = 0 WHERE id = ?", string(to), id)
				return err
			}
		}
		return fmt.Errorf("it is %s: %w", state, ErrStale)
	})
	if err != nil {
		return fmt.Errorf("replay %s: %w", id, err)
	}
	return nil
}

// sweepReplays forgets replays that ended long ago. One that a delivery names stays.
func (s *Store) sweepReplays(ctx context.Context, now time.Time, age time.Duration) error {
	if age <= 0 {
		return nil
	}
	return s.do(ctx, func(w *writer) error {
		_, err := w.exec(`DELETE FROM replay WHERE finished_at > 0 AND finished_at < ?
			AND NOT EXISTS (SELECT 1 FROM delivery WHERE job = replay.id AND job <> '')`, now.Add(-age).UnixMilli())
		return err
	})
}

// numbersOf reads a list of numbers as it stands in the database; nil where it is empty.
func numbersOf(text string) (numbers []int) {
	for word := range strings.SplitSeq(text, ",") {
		n := 0
		for _, c := range word {
			n = 10*n + int(c-'0')
		}
		if n > 0 {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
