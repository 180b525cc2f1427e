package storage

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// AccountRetention says how long the messages of one account are kept. 0: as those of all others.
type AccountRetention struct {
	Messages    time.Duration // raw bytes, envelope
	Attachments time.Duration // in Blobs; at the latest they go with their message
}

// term is how long the messages of some accounts are kept. Every message has one.
type term struct {
	messages, attachments time.Duration // 0: for ever

	accounts []string // ids; of the last term, which is for all others: none
	whose    string   // the condition that a message m is of them, behind AND; empty: any message is
	args     []any    // of the condition
}

// terms are one for the accounts of each retention that is not the general one, and that one, the last.
func (r *Retention) terms() (list []term) {
	same := map[AccountRetention][]string{}
	general := AccountRetention{r.Messages, r.Attachments}
	var others []string
	for _, id := range slices.Sorted(maps.Keys(r.Accounts)) {
		own := AccountRetention{cmp.Or(r.Accounts[id].Messages, r.Messages), cmp.Or(r.Accounts[id].Attachments, r.Attachments)}
		if own != general {
			same[own] = append(same[own], id)
			others = append(others, id)
		}
	}
	for own, accounts := range same {
		k := term{messages: own.Messages, attachments: own.Attachments, accounts: accounts}
		k.whose, k.args = among(" AND m.account IN (", accounts)
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b term) int { return cmp.Compare(a.accounts[0], b.accounts[0]) })
	k := term{messages: r.Messages, attachments: r.Attachments}
	k.whose, k.args = among(" AND m.account NOT IN (", others)
	return append(list, k)
}

func among(condition string, accounts []string) (text string, args []any) {
	if len(accounts) == 0 {
		return "", nil
	}
	for _, id := range accounts {
		args = append(args, id)
	}
	return condition + placeholders(len(args)) + ")", args
}

// daysStored are the days before a time of which messages of the term's accounts are stored.
func (s *Store) daysStored(ctx context.Context, k *term, before time.Time) (days []time.Time, err error) {
	args := append([]any{before.UnixMilli()}, k.args...)
	rows, err := s.read.QueryContext(ctx, `SELECT DISTINCT day FROM (SELECT m.account, m.day FROM stock AS m WHERE m.day < ?`+k.whose+`
		GROUP BY m.account, m.day HAVING sum(m.messages) <> 0) AS stored ORDER BY day`, args...)
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var millis int64
		err := rows.Scan(&millis)
		days = append(days, time.UnixMilli(millis).UTC())
		return err
	})
	return days, err
}

// attachmentsAge is the retention of attachments: they go with their messages at the latest, and those of a whole day before them.
func (s *Store) attachmentsAge(k *term) time.Duration {
	age := k.attachments
	if _, ok := s.engine.(*postgresEngine); ok && k.messages >= wholeDays && (age <= 0 || age > k.messages) {
		age = k.messages
	}
	return age
}
