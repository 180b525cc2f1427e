package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

type recipient = inbound.Recipient

// StateRetrying is the state of a message with a pending delivery of which an attempt has failed.
const StateRetrying = "retrying"

// StateDiscarded is the state of a message that its routes owe to nobody.
const StateDiscarded = "discarded"

// Search selects messages. Fields that are zero select all; all that are set must hold. Text is compared without regard to case.
type Search struct {
	Account string   // id; empty: of every account, for the operator alone
	Words   []string // each is a part of an address as in From, begins words of the subject, or is the Message-ID
	From    string   // part of the reverse-path or of the address in the From field, from where a word of it begins
	To      string   // likewise of a forward-path
	Subject string   // its words, or what they begin with
	Domain  string   // of a forward-path, or one above it

	MessageID string // of the header field, whole
	ID        string // of the message, of one of its deliveries, or a webhook-id
	Kind      string
	State     string // of one of its deliveries; StatePending has StateRetrying in it
	Endpoint  string // id, or the name of one of the account; for all accounts: a name that one of them has
	Since     time.Time
	Until     time.Time // that moment is not in it
	Before    string    // id: only older ones, for the next page
	Limit     int       // 0: 100
}

// hasText says whether words are looked for.
func (s *Search) hasText() bool {
	return len(s.Words) > 0 || s.From != "" || s.To != "" || s.Subject != "" || s.Domain != "" || s.MessageID != ""
}

// Found is a page of a list of messages.
type Found struct {
	Messages []Listed // the newest first
	Next     string   // Before of the next page; empty: this is the last one
	// Partial says that the search stopped after many messages that were not meant. Next goes on.
	Partial bool
}

// Listed is a message as lists show it.
type Listed struct {
	*Mail
	// State is that of its deliveries which asks for most attention: StateDead, StateRetrying, StatePending, StateHeld,
	// StateWithdrawn, StateRefused, StateFiltered, StateMissed, StateDelivered; StateDiscarded when it has none.
	State string
}

// The bounds of one search.
const (
	searchChunk = 512    // candidates that are looked at together, at most
	searchLooks = 20_000 // candidates after which a page is given as it is
)

// jitter is how far the order of acceptance may differ from that of ids.
const jitter = time.Minute

// Search lists the messages that are looked for, the newest first. A message is found by its envelope as soon as it is accepted,
// and by its header once it was parsed.
func (s *Store) Search(ctx context.Context, q Search) (Found, error) {
	found, err := s.search(ctx, &q)
	if err == nil {
		err = s.setStates(ctx, found.Messages)
	}
	if err != nil {
		return Found{}, fmt.Errorf("search messages: %w", err)
	}
	return found, nil
}

// AmbiguousError says that a word of a search names endpoints of several accounts. Its text is for whoever searches.
type AmbiguousError struct {
	Name     string
	Accounts []string // names
}

// Error implements error.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("endpoint: %q is an endpoint of %s; write endpoint:%s/%s", e.Name, strings.Join(e.Accounts, " and of "), e.Accounts[0], e.Name)
}

// endpointCalled gives the id of the endpoint that a word names: its id, its name, or its account's name, a slash and its name. Where none is
// called so it gives the word; several give an [*AmbiguousError].
func (s *Store) endpointCalled(ctx context.Context, word, account string) (string, error) {
	if word == "" {
		return "", nil
	}
	rows, err := s.read.QueryContext(ctx, `SELECT e.id, e.account, a.name FROM endpoint e JOIN account a ON a.id = e.account
		WHERE e.id = ? OR e.name = ? OR a.name || '/' || e.name = ? ORDER BY a.name`, word, word, word)
	if err != nil {
		return "", err
	}
	var ids, names []string
	err = each(rows, func() error {
		var id, of, name string
		if err := rows.Scan(&id, &of, &name); err != nil {
			return err
		}
		if id == word || account == "" || of == account {
			ids, names = append(ids, id), append(names, name)
		}
		return nil
	})
	switch {
	case err != nil || len(ids) == 0 || slices.Contains(ids, word):
		return word, err
	case len(ids) > 1:
		return "", &AmbiguousError{Name: word, Accounts: names}
	}
	return ids[0], nil
}

func (s *Store) search(ctx context.Context, q *Search) (found Found, err error) {
	if q.Endpoint, err = s.endpointCalled(ctx, q.Endpoint, q.Account); err != nil {
		return Found{}, err
	}
	limit := limitOr(q.Limit)
	match := newMatcher(q)
	candidates, err := s.candidates(ctx, q, match)
	if err != nil {
		return Found{}, err
	}
	before := q.Before
	if !q.Until.IsZero() {
		if until := firstMessageID(q.Until); before == "" || until < before {
			before = until
		}
	}
	for looked, chunk := 0, max(limit+1, 32); ; chunk = min(2*chunk, searchChunk) {
		ids, err := candidates(ctx, before, chunk)
		if err != nil || len(ids) == 0 {
			return found, err
		}
		mails, err := s.pick(ctx, q, ids)
		if err != nil {
			return found, err
		}
		for _, m := range mails {
			if !match.matches(m) {
				continue
			}
			if len(found.Messages) == limit {
				found.Next = found.Messages[limit-1].ID
				return found, nil
			}
			found.Messages = append(found.Messages, Listed{Mail: m})
		}
		before = ids[len(ids)-1]
		if !q.Since.IsZero() && before < firstMessageID(q.Since.Add(-jitter)) {
			return found, nil
		}
		if looked += len(ids); looked >= searchLooks {
			found.Next, found.Partial = before, true
			return found, nil
		}
	}
}

// searching is the pool of connections to the database of the messages that searches read by.
func (s *Store) searching() *reader {
	if s.index != nil && s.index.path == "" {
		return s.index.read
	}
	return &s.read
}

// pick reads those of the messages that the database knows to be meant, in their order.
func (s *Store) pick(ctx context.Context, q *Search, ids []string) ([]*Mail, error) {
	sel := selection{text: selectMail}
	sel.where(q.Account != "", "m.account = ?", q.Account)
	sel.where(!q.Since.IsZero(), "m.id >= ?", firstMessageID(q.Since))
	sel.where(!q.Until.IsZero(), "m.id < ?", firstMessageID(q.Until))
	if q.State != "" {
		sel.where(true, stateCondition(q.State))
	}
	text, args := sel.ofIDs(s.searching(), "m.id", ids)
	rows, err := s.searching().QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*Mail, len(ids))
	err = each(rows, func() error {
		m, err := scanMail(rows.Scan)
		if err == nil {
			byID[m.ID] = m
		}
		return err
	})
	mails := make([]*Mail, 0, len(byID))
	for _, id := range ids {
		if m := byID[id]; m != nil {
			mails = append(mails, m)
		}
	}
	return mails, err
}

// oneByOne runs a statement for each id of a list, which is JSON. OFFSET 0 has the planner leave it so.
const oneByOne = `SELECT l.* FROM (SELECT json_array_elements_text(CAST(? AS json)) COLLATE "C" AS id OFFSET 0) AS want CROSS JOIN LATERAL (%s OFFSET 0) AS l` //nolint:unqueryvet // the statement in it names the columns

// ofIDs is a selection for each of some ids, which stand in a column. PostgreSQL takes them one after the other, so that it looks into
// the one partition in which each lies: to look for all of them in every day of half a year took ten times as long.
func (q *selection) ofIDs(read *reader, column string, ids []string) (text string, args []any) {
	if _, ok := read.engine.(*postgresEngine); ok {
		q.where(true, column+" = want.id")
		return fmt.Sprintf(oneByOne, q.text), append([]any{listOf(ids)}, q.args...) //nolint:unqueryvet // q names the columns
	}
	q.where(true, column+" IN (SELECT value FROM json_each(?))", listOf(ids))
	return q.text, q.args
}

// stateCondition is what is true of a message of which a delivery is in the state, which must be one of searchStates.
func stateCondition(state string) string {
	const pending = "EXISTS (SELECT 1 FROM delivery AS d WHERE d.message = m.id"
	switch state {
	case StatePending:
		return pending + ")"
	case StateRetrying:
		return pending + " AND d.attempts > 0)"
	case StateHeld:
		return "EXISTS (SELECT 1 FROM held AS h WHERE h.message = m.id AND h.state = 'held')"
	case StateWithdrawn, StateRefused:
		return "EXISTS (SELECT 1 FROM held AS h WHERE h.message = m.id AND h.state = '" + state + "')"
	case StateDelivered, StateDead, StateFiltered, StateMissed:
		return "EXISTS (SELECT 1 FROM delivery_result AS r WHERE r.message = m.id AND r.replayed_by IS NULL AND r.state = '" + state + "')"
	}
	return "1 = 0"
}

// candidateList gives ids of messages that may be meant, the newest before an id first; an empty id is before none.
type candidateList func(ctx context.Context, before string, limit int) ([]string, error)

// candidates chooses the shortest list that is sure to hold all that is looked for.
func (s *Store) candidates(ctx context.Context, q *Search, match *matcher) (candidateList, error) {
	if q.ID != "" {
		return s.oneCandidate(q.ID), nil
	}
	question := match.question()
	table, condition := stateList(q.State)
	switch {
	case table == "" && (s.index == nil || question.empty()):
		return s.listed("message", "id", ""), nil
	case table == "":
		return s.indexed(question), nil
	case s.index != nil && !question.empty():
		fewer, err := s.indexHasFewer(ctx, question, q.Before, table, condition)
		if err != nil || fewer {
			return s.indexed(question), err
		}
	}
	return s.listed(table, "message", condition), nil
}

// stateList is a short table that has every message in a state, and a condition that an index answers; none: there is none. The
// condition has literals, as an index over few states wants them.
func stateList(state string) (table, condition string) {
	switch state {
	case StateDead:
		return "delivery_result", "state = 'dead'"
	case StateFiltered, StateMissed:
		return "delivery_result", "state IN ('filtered', 'missed') AND state = '" + state + "'"
	case StatePending, StateRetrying:
		return "delivery", ""
	case StateHeld, StateWithdrawn, StateRefused:
		return "held", ""
	}
	return "", ""
}

// indexHasFewer says whether the index gives fewer messages than a table has rows that meet a condition.
func (s *Store) indexHasFewer(ctx context.Context, question question, before, table, condition string) (bool, error) {
	sel := selection{text: "SELECT 1 AS one FROM " + table}
	sel.where(condition != "", condition)
	listed := 0
	err := s.searching().QueryRowContext(ctx, "SELECT count(*) FROM ("+sel.text+" LIMIT ?) AS listed", append(sel.args, searchLooks)...).Scan(&listed)
	if err != nil || listed < searchChunk {
		return false, err
	}
	indexed, err := s.countIndexed(ctx, question, before)
	return indexed < listed, err
}

// listed walks the ids of messages in a column of a table.
func (s *Store) listed(table, of, condition string) candidateList {
	return func(ctx context.Context, before string, limit int) (ids []string, err error) {
		sel := selection{text: "SELECT DISTINCT " + of + " FROM " + table}
		sel.where(condition != "", condition)
		sel.where(before != "", of+" < ?", before)
		return onlyColumn[string](s.searching().QueryContext(ctx, sel.text+" ORDER BY "+of+" DESC LIMIT ?", append(sel.args, limit)...))
	}
}

// anyOf is a list of ids as arguments of a query.
func anyOf(ids []string) []any {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return args
}

// messageOf finds out which message an id is about: its own, a webhook-id, or that of a delivery, whose message is only known to
// begin with what is given then.
func messageOf(id string) (message string, ok bool) {
	if rest, ok := strings.CutPrefix(id, messagePrefix); ok {
		rest, _, _ = strings.Cut(rest, "_") // the number of a recipient in a webhook-id
		return messagePrefix + strings.ToLower(rest), len(rest) == len(firstMessageID(time.Time{}))-len(messagePrefix)
	}
	low, _, ok := messageRange(id)
	return low, ok
}

// oneCandidate is the message that an id is about.
func (s *Store) oneCandidate(id string) candidateList {
	message, ok := messageOf(id)
	return func(ctx context.Context, before string, _ int) ([]string, error) {
		if !ok {
			return nil, nil
		}
		if strings.HasPrefix(id, deliveryPrefix) {
			rows, err := s.Deliveries(ctx, DeliveryFilter{ID: id})
			if err != nil || len(rows) == 0 {
				return nil, err
			}
			message = rows[0].Message
		}
		if before != "" && message >= before {
			return nil, nil
		}
		return []string{message}, nil
	}
}
