package storage

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"time"
)

// EndpointState says whether attempts are made at an endpoint. Mail for it is accepted and kept in every state.
type EndpointState string

// The states of an endpoint.
const (
	EndpointEnabled  EndpointState = "enabled"
	EndpointPaused   EndpointState = "paused"   // by the operator, who alone resumes it
	EndpointBroken   EndpointState = "broken"   // it answers as if something were wrong for good: single probes, slowly
	EndpointDisabled EndpointState = "disabled" // it asked for that, or failed for too long: no attempts
)

// EndpointLife is what is known of the health of an endpoint and survives a restart. The zero value with a name is one of
// which nothing is known: enabled.
type EndpointLife struct {
	Endpoint string
	State    EndpointState
	Reason   string
	Since    time.Time // of the state; zero: always

	// RestUntil is when the next attempt may begin, for RestReason; zero: at once. Times have a resolution of milliseconds.
	RestUntil  time.Time
	RestReason string
	Probes     int // single attempts that failed in a row while it was broken or behind its breaker

	FailingSince time.Time // the first failure since the last success; zero: none
	FailedAt     time.Time // the last failure, within the hour
	Warned       int       // percent of the time until it is disabled of which the operator was told

	// Revision counts the commands of the operator.
	Revision int64

	// Epoch is the lease under which the node that saves the life owns the endpoint's lane; 0: it does not. It is not kept.
	Epoch int64
}

const selectLives = `SELECT endpoint, state, reason, since, rest_until, rest_reason, probes, failing_since, failed_at, warned, revision
	FROM endpoint_life`

const upsertLife = `INSERT INTO endpoint_life
	(endpoint, state, reason, since, rest_until, rest_reason, probes, failing_since, failed_at, warned, revision)
	VALUES (?,?,?,?,?,?,?,?,?,?,?)
	ON CONFLICT (endpoint) DO UPDATE SET state = excluded.state, reason = excluded.reason, since = excluded.since,
		rest_until = excluded.rest_until, rest_reason = excluded.rest_reason, probes = excluded.probes,
		failing_since = excluded.failing_since, failed_at = excluded.failed_at, warned = excluded.warned
	WHERE endpoint_life.revision = excluded.revision`

// commandLife is upsertLife by the operator: whatever stood there, and a revision later.
const commandLife = `INSERT INTO endpoint_life
	(endpoint, state, reason, since, rest_until, rest_reason, probes, failing_since, failed_at, warned, revision)
	VALUES (?,?,?,?,0,'',0,0,0,0,1)
	ON CONFLICT (endpoint) DO UPDATE SET state = excluded.state, reason = excluded.reason, since = excluded.since,
		rest_until = 0, rest_reason = '', probes = 0, failing_since = 0, failed_at = 0, warned = 0,
		revision = endpoint_life.revision + 1`

// Lives gives the life of every endpoint of which something is known.
func (s *Store) Lives(ctx context.Context) ([]EndpointLife, error) { return s.lives(ctx, "") }

func (s *Store) lives(ctx context.Context, where string, args ...any) ([]EndpointLife, error) {
	rows, err := s.read.QueryContext(ctx, selectLives+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read the states of endpoints: %w", err)
	}
	var lives []EndpointLife
	err = each(rows, func() error {
		var stored lifeRow
		if err := rows.Scan(stored.fields()...); err != nil {
			return err
		}
		lives = append(lives, stored.life())
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the states of endpoints: %w", err)
	}
	return lives, nil
}

// LivesOf gives those of the endpoints of which something is known.
func (s *Store) LivesOf(ctx context.Context, endpoints []string) ([]EndpointLife, error) {
	return s.lives(ctx, s.read.form(forms{
		" WHERE endpoint IN (SELECT value FROM json_each(?))", " WHERE endpoint = ANY (ARRAY(SELECT json_array_elements_text(?::json)))",
	}), listOf(endpoints))
}

// SaveLives makes the lives durable and the notices of their changes with them, all or none. A life that the operator has changed
// since it was read, which its Revision tells, is left as the operator wants it; one whose lane is not its Epoch's any more, or
// another node's, as its owner wants it. Such a life comes back as it stands, and the notices of its endpoint are not kept.
//
// Where no endpoint has changed its state other nodes need not look: they ask when they take a lane.
func (s *Store) SaveLives(ctx context.Context, lives []EndpointLife, notices ...Notice) (overtaken []EndpointLife, err error) {
	t := &task{apart: len(notices) == 0, done: make(chan error, 1)}
	t.do = func(w *writer) error {
		overtaken = nil
		foreign, err := foreignLives(w, lives)
		if err == nil && t.apart && w.postgres() {
			err = tellOfStates(w, lives)
		}
		if err != nil {
			return err
		}
		for _, l := range inOrder(lives) {
			changed := int64(0)
			if !foreign[l.Endpoint] {
				changed, err = w.exec(upsertLife, l.Endpoint, string(l.State), l.Reason, milli(l.Since), milli(l.RestUntil), l.RestReason,
					int64(l.Probes), milli(l.FailingSince), milli(l.FailedAt), int64(l.Warned), l.Revision)
				if err != nil {
					return err
				}
			}
			if changed > 0 {
				continue
			}
			stands, err := readLife(w, l.Endpoint)
			if err != nil {
				return err
			}
			stands.Endpoint, stands.State = l.Endpoint, cmp.Or(stands.State, EndpointEnabled) // there may be no row
			overtaken = append(overtaken, stands)
		}
		return notify(w, slices.DeleteFunc(slices.Clone(notices), func(n Notice) bool {
			return slices.ContainsFunc(overtaken, func(l EndpointLife) bool { return l.Endpoint == n.Endpoint })
		}))
	}
	if err := s.enqueue(ctx, t); err != nil {
		return nil, fmt.Errorf("save the states of endpoints: %w", err)
	}
	return overtaken, nil
}

// tellOfStates has other nodes look when a state is going to be another one. It comes before the rows of endpoints are locked, as in
// all other writes.
func tellOfStates(w *writer, lives []EndpointLife) error {
	stood, names := map[string]string{}, []string(nil)
	for i := range lives {
		names, stood[lives[i].Endpoint] = append(names, lives[i].Endpoint), string(EndpointEnabled)
	}
	err := w.query(func(row []driver.Value) error {
		stood[row[0].(string)] = row[1].(string)
		return nil
	}, "SELECT endpoint, state FROM endpoint_life WHERE endpoint = ANY (ARRAY(SELECT json_array_elements_text(?::json)))", listOf(names))
	if err != nil || !slices.ContainsFunc(lives, func(l EndpointLife) bool { return stood[l.Endpoint] != string(l.State) }) {
		return err
	}
	_, err = w.exec("UPDATE change SET n = n + 1")
	return err
}

// inOrder has everybody lock the rows of endpoints in one order.
func inOrder(lives []EndpointLife) []EndpointLife {
	return slices.SortedFunc(slices.Values(lives), func(a, b EndpointLife) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
}

// selectOwners gives who has the lanes. A lane of a node that is alive stays with it until the transaction ends, since [keepNode] has locked
// the node's row. One that nobody has may be taken meanwhile: then the later Revision stands.
var selectOwners = forms{
	"SELECT name, owner FROM lane WHERE name IN (SELECT value FROM json_each(?))",
	"SELECT name, owner FROM lane WHERE name = ANY (ARRAY(SELECT json_array_elements_text(?::json) ORDER BY 1)) ORDER BY name FOR KEY SHARE",
}

// foreignLives tells the endpoints that are other nodes': a node that was stopped, or cut off, must not put what it thought of an
// endpoint over what the owner of the lane has found since. See [transaction.fence].
func foreignLives(w *writer, lives []EndpointLife) (foreign map[string]bool, err error) {
	owners, names, alive := map[string]int64{}, []string(nil), map[int64]bool{0: true}
	for i := range lives {
		names = append(names, lives[i].Endpoint)
		if epoch := lives[i].Epoch; epoch != 0 && !alive[epoch] {
			found, err := w.queryInt(w.form(keepNode), epoch)
			if err != nil {
				return nil, err
			}
			alive[epoch] = found != 0
		}
	}
	err = w.query(func(row []driver.Value) error {
		owners[row[0].(string)] = row[1].(int64)
		return nil
	}, w.form(selectOwners), listOf(names))
	foreign = map[string]bool{}
	for i := range lives {
		l := &lives[i]
		foreign[l.Endpoint] = !alive[l.Epoch] || owners[l.Endpoint] != l.Epoch
	}
	return foreign, err
}

// SetEndpointState is the operator's word: the state and its reason hold from now on, and what was held against the
// endpoint before is forgotten. A running server sees it within a second. An endpoint that the store has never seen gives
// an error that Is [ErrNotFound].
func (s *Store) SetEndpointState(ctx context.Context, endpoint string, state EndpointState, reason string) error {
	err := s.do(ctx, func(w *writer) error {
		known, err := w.queryInt("SELECT count(*) FROM endpoint WHERE id = ?", endpoint)
		if err != nil {
			return err
		}
		if known == 0 {
			return ErrNotFound
		}
		_, err = w.exec(commandLife, endpoint, string(state), reason, s.cfg.Now().UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("set the state of endpoint %s: %w", endpoint, err)
	}
	return nil
}

func readLife(w *writer, endpoint string) (l EndpointLife, err error) {
	err = w.query(func(row []driver.Value) error {
		number := func(i int) int64 { n, _ := row[i].(int64); return n }
		text := func(i int) string { t, _ := row[i].(string); return t }
		stored := lifeRow{
			endpoint: text(0), state: text(1), reason: text(2), since: number(3), restUntil: number(4), restReason: text(5),
			probes: number(6), failingSince: number(7), failedAt: number(8), warned: number(9), revision: number(10),
		}
		l = stored.life()
		return nil
	}, selectLives+" WHERE endpoint = ?", endpoint)
	return l, err
}

// lifeRow is a row of endpoint_life.
type lifeRow struct {
	endpoint, state, reason, restReason                                string
	since, restUntil, probes, failingSince, failedAt, warned, revision int64
}

func (r *lifeRow) fields() []any {
	return []any{
		&r.endpoint, &r.state, &r.reason, &r.since, &r.restUntil, &r.restReason, &r.probes, &r.failingSince, &r.failedAt,
		&r.warned, &r.revision,
	}
}

func (r *lifeRow) life() EndpointLife {
	return EndpointLife{
		Endpoint: r.endpoint, State: EndpointState(r.state), Reason: r.reason, Since: unmilli(r.since),
		RestUntil: unmilli(r.restUntil), RestReason: r.restReason, Probes: int(r.probes),
		FailingSince: unmilli(r.failingSince), FailedAt: unmilli(r.failedAt), Warned: int(r.warned), Revision: r.revision,
	}
}

// milli is a time in the database; 0: none.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func unmilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
