package storage

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"
)

// Refusal is one reply of 4yz or 5yz that an SMTP peer was given, with what explains it.
type Refusal struct {
	ID        string    `json:"id"`         // "ref_" and a ULID with its time
	Account   string    `json:"account_id"` // whose recipient it was; empty: nobody's
	At        time.Time `json:"at"`
	Sender    string    `json:"sender"`    // reverse-path; empty: the null one, or there was none yet
	Recipient string    `json:"recipient"` // forward-path; empty: there was none yet
	Remote    string    `json:"remote_ip"` // address of the client; empty: a unix socket
	Reason    string    `json:"reason"`    // the label of the metric
	Code      int       `json:"code"`
	RefusalDetail
}

// RefusalDetail is what explains a refusal.
type RefusalDetail struct {
	Reply      string            `json:"reply"`    // as it was said, without the code
	Listener   string            `json:"listener"` // its name
	Helo       string            `json:"helo"`
	TLS        string            `json:"tls"`               // version; empty: in clear
	Recipients []string          `json:"recipients"`        // forward-paths that were accepted before, those of this account
	Found      map[string]string `json:"found,omitempty"`   // what was found out about client or content
	Session    string            `json:"session,omitempty"` // the dialogue; see [inbound.Envelope]
	// Unrecorded is how many refusals before this one were counted and not recorded, because too many came.
	Unrecorded int `json:"unrecorded,omitempty"`
}

// The bounds of what is recorded of refusals. Those at nobody's recipients are kept apart, so that no scan of strangers drives
// out what an account wants to know.
const (
	refusalsKept      = 10_000 // of accounts, and again of nobody
	refusalsAge       = 7 * 24 * time.Hour
	refusalsPerSecond = 50 // of accounts, and again of nobody
	refusalsPerSource = 10 // in a second, with one reason
)

// RefusalFilter selects refusals; zero fields select all.
type RefusalFilter struct {
	Account   string // id; empty: of every account and of nobody, for the operator alone
	Sender    string // whole address
	Recipient string // whole address
	Remote    string
	Reason    string
	Since     time.Time
	Before    string // id: only older ones, for the next page
	Limit     int    // 0: 100
}

// Refusals lists refusals, the newest first. They are a sample where many come, and go by age and number.
func (s *Store) Refusals(ctx context.Context, f RefusalFilter) ([]Refusal, error) {
	sel := selection{text: "SELECT id, account, sender, recipient, remote, reason, code, detail FROM refusal"}
	sel.where(f.Account != "", "account = ?", f.Account)
	sel.where(f.Sender != "", "sender = ?", fold(f.Sender))
	sel.where(f.Recipient != "", "recipient = ?", fold(f.Recipient))
	sel.where(f.Remote != "", "remote = ?", f.Remote)
	sel.where(f.Reason != "", "reason = ?", f.Reason)
	sel.where(!f.Since.IsZero(), "id >= ?", firstID(refusalPrefix, f.Since))
	sel.where(f.Before != "", "id < ?", f.Before)
	rows, err := s.read.QueryContext(ctx, sel.text+" ORDER BY id DESC LIMIT ?", append(sel.args, limitOr(f.Limit))...)
	if err != nil {
		return nil, fmt.Errorf("list refusals: %w", err)
	}
	var list []Refusal
	err = each(rows, func() error {
		var r Refusal
		var detail []byte
		if err := rows.Scan(&r.ID, &r.Account, &r.Sender, &r.Recipient, &r.Remote, &r.Reason, &r.Code, &detail); err != nil {
			return err
		}
		r.At = idTime(refusalPrefix, r.ID)
		list = append(list, r)
		return json.Unmarshal(detail, &list[len(list)-1].RefusalDetail)
	})
	if err != nil {
		return nil, fmt.Errorf("list refusals: %w", err)
	}
	return list, nil
}

// Refusal gives one refusal, which must be of the account unless that is empty; else the error Is [ErrNotFound].
func (s *Store) Refusal(ctx context.Context, account, id string) (*Refusal, error) {
	list, err := s.Refusals(ctx, RefusalFilter{Account: account, Before: id + "~", Limit: 1})
	if err == nil && (len(list) == 0 || list[0].ID != id) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read refusal %s: %w", id, err)
	}
	return &list[0], nil
}

var insertRefusals = &rowStatement{
	head: "INSERT INTO refusal (id, account, sender, recipient, remote, reason, code, detail) VALUES ", row: "(?,?,?,?,?,?,?,?)",
	types: "text text text text text text bigint text",
}

// appendRow gives the refusal as insertRefusals wants it.
func (r *Refusal) appendRow(args []driver.Value) []driver.Value {
	detail, err := json.Marshal(&r.RefusalDetail)
	if err != nil {
		detail = []byte("{}") // of texts there is nothing that cannot be written
	}
	return append(args, r.ID, r.Account, fold(r.Sender), fold(r.Recipient), r.Remote, r.Reason, int64(r.Code), string(detail))
}

// pruneRefusals removes what is too old or one too many.
func pruneRefusals(w *writer, now time.Time) error {
	_, err := w.exec("DELETE FROM refusal WHERE id < ?", firstID(refusalPrefix, now.Add(-refusalsAge)))
	for _, whose := range []string{"account = ''", "account > ''"} {
		if err != nil {
			break
		}
		_, err = w.exec("DELETE FROM refusal WHERE "+whose+" AND id < (SELECT id FROM refusal WHERE "+whose+
			" ORDER BY id DESC LIMIT 1 OFFSET ?)", int64(refusalsKept-1))
	}
	return err
}

// sampled says which refusals are recorded.
type sampled struct {
	list         []Refusal
	owned, other int
	sources      map[string]int
	passed       int // that were not
}

// take says whether to record a refusal, and counts those that are not.
func (q *sampled) take(r *Refusal) bool {
	whose := &q.other
	if r.Account != "" {
		whose = &q.owned
	}
	source := r.Remote + " " + r.Reason
	if *whose >= refusalsPerSecond || q.sources[source] >= refusalsPerSource {
		q.passed++
		return false
	}
	if q.sources == nil {
		q.sources = map[string]int{}
	}
	q.sources[source]++
	*whose++
	r.Unrecorded, q.passed = q.passed, 0
	return true
}
