package storage_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// mailbox is a mail for searches: who sends what to whom.
type mailbox struct {
	account, from, to, header, subject, kind, messageID string
}

func path(t *testing.T, text string) inbound.Path {
	t.Helper()
	p, err := inbound.ParsePath(text, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// receive accepts a mail, and has its attempt recorded unless its header is empty.
func receive(t *testing.T, s *storage.Store, m mailbox) string {
	t.Helper()
	env := envelope("ep_of_" + m.account)
	env.ReversePath = path(t, m.from)
	env.Recipients[0].Account, env.Recipients[0].Path = m.account, path(t, m.to)
	id := accept(t, s, env, newBody(content(10)))[0]
	if m.header == "" {
		return id
	}
	for _, d := range due(t, s, "ep_of_"+m.account) {
		if d.Message != id {
			continue
		}
		c := attempt(d)
		c.Summary = &storage.Summary{From: m.header, Subject: m.subject, Kind: m.kind, MessageID: m.messageID}
		if err := complete(s, c); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func TestSearch(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	invoice := receive(t, s, mailbox{"acc_1", "bounce-7@mailer.example.net", "Jan.Smith+orders@shop.example.com", "Billing@Acme.example", "Your INVOICE no. 4711 für Zürich", "message", "<x@y>"})
	bounce := receive(t, s, mailbox{"acc_1", "", "jan.smith@shop.example.com", "mailer-daemon@example.net", "Undelivered mail", "bounce", "b.1@example.net"})
	foreign := receive(t, s, mailbox{"acc_2", "jan.smith@shop.example.com", "invoice@other.example", "jan.smith@shop.example.com", "会議の件 invoice", "message", "f@z"})
	unparsed := receive(t, s, mailbox{account: "acc_1", from: "smithers@power.example", to: "desk@example.com"})

	for query, want := range map[string][]string{
		"":                                {unparsed, foreign, bounce, invoice},
		"invoice":                         {foreign, invoice},
		"INV":                             {foreign, invoice},
		"voice":                           {}, // not where a word begins
		"invoice 4711":                    {invoice},
		"zürich":                          {invoice},
		"Zu\u0308rich":                    {invoice}, // decomposed
		"会議":                              {foreign},
		"smith":                           {unparsed, foreign, bounce, invoice},
		"jan.smith@shop":                  {foreign, bounce},
		"jan.smith+orders":                {invoice},
		"from:smith":                      {unparsed, foreign},
		"to:smith":                        {bounce, invoice},
		"to:example.com":                  {unparsed, bounce, invoice},
		"domain:example.com":              {unparsed, bounce, invoice},
		"domain:shop.example.com":         {bounce, invoice},
		"domain:ample.com":                {},
		"from:acme.example":               {invoice},
		"from:mailer":                     {bounce, invoice},
		"subject:invoice":                 {foreign, invoice},
		`subject:"no invoice"`:            {invoice},
		"subject:smith":                   {},
		"kind:bounce":                     {bounce},
		"kind:bounce invoice":             {},
		"message-id:<b.1@example.net>":    {bounce},
		"b.1@example.net":                 {bounce},
		"state:pending":                   {unparsed},
		"state:retrying":                  {},
		"state:delivered":                 {foreign, bounce, invoice},
		"state:dead":                      {},
		"before:2020-01-01":               {},
		"after:2020-01-01 kind:bounce":    {bounce},
		"after:1h before:2099-01-01 4711": {invoice},
		"endpoint:ep_of_acc_2":            {foreign},
		invoice:                           {invoice},
		"id:" + invoice + "_2":            {invoice},
		"msg_01hzzzzzzzzzzzzzzzzzzzzzzz":  {},
		"nothing of the kind":             {},
		"@":                               {unparsed, foreign, bounce, invoice},
		"50%_":                            {},
	} {
		q, err := storage.ParseSearch(query, time.Now())
		if err != nil {
			t.Errorf("%q: %v", query, err)
		}
		slices.Sort(want)
		slices.Reverse(want)
		if got := search(t, s, q); !slices.Equal(got, want) {
			t.Errorf("%q gives %q, want %q", query, got, want)
		}
		q.Account = "acc_2"
		want = slices.DeleteFunc(slices.Clone(want), func(id string) bool { return id != foreign })
		if got := search(t, s, q); !slices.Equal(got, want) {
			t.Errorf("%q of acc_2 gives %q, want %q", query, got, want)
		}
	}
	if _, err := s.Detail(t.Context(), "acc_2", invoice); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a message of another account: %v", err)
	}
	d, err := s.Detail(t.Context(), "acc_1", invoice)
	if err != nil || d.State != storage.StateDelivered || len(d.Deliveries) != 1 || len(d.Attempts) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
}

// search gives the ids of all pages, of two messages each.
func search(t *testing.T, s *storage.Store, q storage.Search) []string {
	t.Helper()
	q.Limit = 2
	ids := []string{}
	for {
		found, err := s.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range found.Messages {
			ids = append(ids, m.ID)
		}
		if q.Before = found.Next; q.Before == "" {
			return ids
		}
	}
}

func TestParseSearchRefuses(t *testing.T) {
	for query, want := range map[string]string{
		"state:lost":      `state: is one of pending, retrying, delivered, dead, filtered, missed, held, withdrawn, refused, not "lost"`,
		"before:tomorrow": `"tomorrow" is no time: write 2026-11-25, 2026-11-25T18:30:00Z or an age such as 2h or 7d`,
		"after:-1h":       `"-1h" is no time: write 2026-11-25, 2026-11-25T18:30:00Z or an age such as 2h or 7d`,
	} {
		if _, err := storage.ParseSearch(query, time.Now()); err == nil || err.Error() != want {
			t.Errorf("%s: %v", query, err)
		}
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	q, err := storage.ParseSearch(`state: http://x before:2d "two words" to:"a b`, now)
	if err != nil || !slices.Equal(q.Words, []string{"http://x", "two words"}) || q.To != "a b" || !q.Until.Equal(now.Add(-48*time.Hour)) || q.State != "" {
		t.Errorf("%+v, %v", q, err)
	}
}
