package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// kindOfMail is the kind that stands in a summary.
var kindOfMail = forms{
	sqlite:   "coalesce(json_extract(s.summary, '$.kind'), '')",
	postgres: "coalesce(s.summary::json ->> 'kind', '')",
}

// replayPage is how many rows are looked at together; leastPage how many where every one of them is selected and few are wanted.
const (
	replayPage = 1000
	leastPage  = 16
)

// pageFor is how many rows to look at for so many deliveries: more than they take where the mails themselves decide which are selected.
func (p *ReplaySpec) pageFor(most int) int {
	if p.Missing || p.Domain != "" || p.Recipient != "" || p.Sender != "" || p.Kind != "" {
		return replayPage
	}
	return min(max(most, leastPage), replayPage)
}

// replayTerms are a spec with what else decides about what it selects.
type replayTerms struct {
	spec    *ReplaySpec
	lane    string     // that gets the deliveries
	until   time.Time  // what was received or finished later is not selected
	target  *Endpoint  // nil: not declared
	routes  *Directory // of today; for Missing
	account string     // of the endpoint
}

// replayRow is a place in the walk with the deliveries that are to be made there.
type replayRow struct {
	message, delivery string
	debts             []replayDebt
	gone              bool
}

// replayDebt is a delivery to be made.
type replayDebt struct {
	part       int64
	recipients string
}

// page looks at so many rows behind a cursor. It is the last one when there are less; end is then true. Rows that select nothing
// are left out, but the last one.
func (t *replayTerms) page(ctx context.Context, s *Store, message, delivery string, size int) (list []replayRow, end bool, err error) {
	text, args := t.query(s.read.form(kindOfMail), message, delivery, size)
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, false, err
	}
	looked := 0
	var row replayRow
	defer func() { s.metrics.read("replay", looked) }()
	err = each(rows, func() error {
		looked++
		var part int64
		var recipients, endpoint, account, kind string
		var envelope []byte
		row = replayRow{}
		err := rows.Scan(&row.message, &row.delivery, &endpoint, &part, &recipients, &account, &envelope, &kind)
		if err != nil {
			return err
		}
		if row.gone = envelope == nil; !row.gone {
			var env inbound.Envelope
			if err := json.Unmarshal(envelope, &env); err != nil {
				return fmt.Errorf("decode envelope of %s: %w", row.message, err)
			}
			row.debts = t.debts(&env, kind, part, recipients)
		}
		if row.gone || len(row.debts) > 0 {
			list = append(list, row)
		}
		return nil
	})
	if looked > 0 && (len(list) == 0 || list[len(list)-1].delivery != row.delivery || list[len(list)-1].message != row.message) {
		list = append(list, replayRow{message: row.message, delivery: row.delivery})
	}
	return list, looked < size, err
}

// query gives the statement that walks over the candidates, in the order of messages.
func (t *replayTerms) query(kind, message, delivery string, size int) (string, []any) {
	p := t.spec
	low, high := firstMessageID(p.From), firstMessageID(t.until.Add(time.Millisecond))
	if !p.Until.IsZero() && p.Until.Before(t.until) {
		high = firstMessageID(p.Until)
	}
	if p.From.IsZero() {
		low = ""
	}
	if p.Missing {
		q := selection{text: `SELECT m.id, '', '', 0, '', m.account, m.envelope, ` + kind + `
			FROM message AS m LEFT JOIN summary AS s ON s.message = m.id`}
		q.where(true, "m.id > ? AND m.id >= ? AND m.id < ? AND m.account = ?", message, low, high, t.account)
		q.where(p.Message != "", "m.id = ?", p.Message)
		q.where(true, "NOT EXISTS (SELECT 1 FROM held WHERE message = m.id)")
		return q.text + " ORDER BY m.id LIMIT " + strconv.Itoa(size), q.args
	}
	q := selection{text: `SELECT r.message, r.id, r.endpoint, r.part, r.recipients, coalesce(m.account, ''), m.envelope,
			` + kind + `
		FROM delivery_result AS r LEFT JOIN message AS m ON m.id = r.message LEFT JOIN summary AS s ON s.message = r.message`}
	q.where(true, "(r.message, r.id) > (?, ?) AND r.message >= ? AND r.message < ?", message, delivery, low, high)
	q.where(true, "r.endpoint = ? AND r.replayed_by IS NULL AND r.finished_at <= ?", p.Endpoint, t.until.UnixMilli())
	q.where(p.Message != "", "r.message = ?", p.Message)
	p.narrow(&q)
	return q.text + " ORDER BY r.message, r.id LIMIT " + strconv.Itoa(size), q.args
}

// ReplayEndpoints gives the ids of the endpoints with finished deliveries that the spec, but for its Endpoint, may select: those
// that are or were declared. Conditions on the mail itself are not looked at.
func (s *Store) ReplayEndpoints(ctx context.Context, spec *ReplaySpec) (ids []string, err error) {
	q := selection{text: "SELECT DISTINCT r.endpoint FROM delivery_result AS r JOIN endpoint AS e ON e.id = r.endpoint"}
	q.where(!spec.From.IsZero(), "r.message >= ?", firstMessageID(spec.From))
	q.where(!spec.Until.IsZero(), "r.message < ?", firstMessageID(spec.Until))
	q.where(spec.Message != "", "r.message = ?", spec.Message)
	spec.narrow(&q)
	ids, err = onlyColumn[string](s.read.QueryContext(ctx, q.text+" ORDER BY r.endpoint", q.args...))
	if err != nil {
		return nil, fmt.Errorf("list endpoints to replay: %w", err)
	}
	return ids, nil
}

// narrow adds the condition of the states.
func (p *ReplaySpec) narrow(q *selection) {
	states := p.states()
	// A literal, because an index over the dead alone answers no parameter.
	q.where(len(states) == 1 && states[0] == StateDead, "r.state = 'dead'")
	args := make([]any, len(states))
	for i, s := range states {
		args[i] = s
	}
	q.where(true, "r.state IN ("+placeholders(len(states))+")", args...)
}

// debts gives the deliveries to be made for one row.
func (t *replayTerms) debts(env *inbound.Envelope, kind string, part int64, recipients string) []replayDebt {
	p := t.spec
	if p.Kind != "" && p.Kind != kind || !fromSender(env.ReversePath, p.Sender) {
		return nil
	}
	numbers := t.numbers(env, part, recipients)
	wanted := func(n int) bool { return forRecipient(env.Recipients[n-1].Path, p.Recipient, p.Domain) }
	if !slices.ContainsFunc(numbers, wanted) {
		return nil
	}
	apart := t.target != nil && t.target.PerRecipient
	switch {
	case !p.Missing && t.lane == p.Endpoint, !p.Missing && part > 0:
		return []replayDebt{{part, recipients}} // as it was
	case apart:
		debts := make([]replayDebt, len(numbers))
		for i, n := range numbers {
			debts[i] = replayDebt{part: int64(n)}
		}
		return debts
	}
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(n)
	}
	return []replayDebt{{recipients: strings.Join(words, ",")}}
}

// numbers are those of the recipients that a finished delivery was for; with Missing, of those that would be routed to the
// endpoint today.
func (t *replayTerms) numbers(env *inbound.Envelope, part int64, recipients string) (numbers []int) {
	if !t.spec.Missing {
		if part > 0 && int(part) <= len(env.Recipients) {
			return []int{int(part)}
		}
		if numbers = numbersOf(recipients); numbers != nil {
			return slices.DeleteFunc(numbers, func(n int) bool { return n > len(env.Recipients) })
		}
	}
	for i := range env.Recipients {
		r := &env.Recipients[i]
		endpoints, apart := r.Endpoints, r.Apart
		if t.spec.Missing {
			today := t.routes.Recipients(r.Path)
			if today.Refuse != nil || slices.Contains(r.Endpoints, t.spec.Endpoint) {
				continue
			}
			endpoints, apart = today.Endpoints, nil
		}
		if slices.Contains(endpoints, t.spec.Endpoint) && !slices.Contains(apart, t.spec.Endpoint) {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// fromSender compares a reverse-path with an address or a domain; "<>" is the null reverse-path.
func fromSender(p inbound.Path, want string) bool {
	switch {
	case want == "":
		return true
	case want == "<>":
		return p == inbound.Path{}
	case strings.Contains(strings.TrimPrefix(want, "@"), "@"):
		return strings.EqualFold(p.String(), want)
	}
	return strings.EqualFold(p.Domain, strings.TrimPrefix(want, "@"))
}

func forRecipient(p inbound.Path, address, domain string) bool {
	return (address == "" || strings.EqualFold(p.String(), address)) && (domain == "" || strings.EqualFold(p.Domain, domain))
}
