package storage_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
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

// inbox is what TestSearch looks through.
type inbox struct{ invoice, bounce, foreign, unparsed string }

// TestSearch asks the same of messages that are not indexed yet, of indexed ones, of an index that had to be made again, and from
// beside the server.
func TestSearch(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		var in inbox
		in.unparsed = receive(t, s, mailbox{account: "acc_1", from: "smithers@power.example", to: "desk@example.com"})
		in.invoice = receive(t, s, mailbox{"acc_1", "bounce-7@mailer.example.net", "Jan.Smith+orders@shop.example.com", "Billing@Acme.example", "Your INVOICE no. 4711 für Zürich", "message", "<x@y>"})
		in.bounce = receive(t, s, mailbox{"acc_1", "", "jan.smith@shop.example.com", "mailer-daemon@example.net", "Undelivered mail", "bounce", "b.1@example.net"})
		in.foreign = receive(t, s, mailbox{"acc_2", "jan.smith@shop.example.com", "invoice@other.example", "jan.smith@shop.example.com", "会議の件 invoice", "message", "f@z"})
		t.Run("not indexed", in.check(s))
		if err := s.IndexNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Run("indexed", in.check(s))
		beside := config
		beside.Beside = true
		t.Run("beside", in.check(open(t, beside)))
		if config.Database != "" {
			return
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		index := filepath.Join(config.Dir, "search-2.db")
		if err := os.Remove(index); err != nil {
			t.Fatal(err)
		}
		t.Run("beside, without an index", in.check(open(t, beside)))
		if err := os.WriteFile(index, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		s = open(t, config)
		if err := s.IndexNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Run("made again", in.check(s))
	})
}

// check is a test of all that can be asked.
func (in inbox) check(s *storage.Store) func(*testing.T) {
	return func(t *testing.T) {
		for query, want := range map[string][]string{
			"":                                {in.unparsed, in.foreign, in.bounce, in.invoice},
			"invoice":                         {in.foreign, in.invoice},
			"INV":                             {in.foreign, in.invoice},
			"voice":                           {}, // not where a word begins
			"invoice 4711":                    {in.invoice},
			"zürich":                          {in.invoice},
			"Zu\u0308rich":                    {in.invoice}, // decomposed
			"会議":                              {in.foreign},
			"smith":                           {in.unparsed, in.foreign, in.bounce, in.invoice},
			"jan.smith@shop":                  {in.foreign, in.bounce},
			"jan.smith+orders":                {in.invoice},
			"from:smith":                      {in.unparsed, in.foreign},
			"to:smith":                        {in.bounce, in.invoice},
			"to:example.com":                  {in.unparsed, in.bounce, in.invoice},
			"domain:example.com":              {in.unparsed, in.bounce, in.invoice},
			"domain:shop.example.com":         {in.bounce, in.invoice},
			"domain:ample.com":                {},
			"from:acme.example":               {in.invoice},
			"from:mailer":                     {in.bounce, in.invoice},
			"subject:invoice":                 {in.foreign, in.invoice},
			`subject:"no invoice"`:            {in.invoice},
			"subject:smith":                   {},
			"kind:bounce":                     {in.bounce},
			"kind:bounce invoice":             {},
			"message-id:<b.1@example.net>":    {in.bounce},
			"b.1@example.net":                 {in.bounce},
			"state:pending":                   {in.unparsed},
			"state:retrying":                  {},
			"state:delivered":                 {in.foreign, in.bounce, in.invoice},
			"state:dead":                      {},
			"before:2020-01-01":               {},
			"after:2020-01-01 kind:bounce":    {in.bounce},
			"after:1h before:2099-01-01 4711": {in.invoice},
			"endpoint:ep_of_acc_2":            {in.foreign},
			in.invoice:                        {in.invoice},
			"id:" + in.invoice + "_2":         {in.invoice},
			"msg_01hzzzzzzzzzzzzzzzzzzzzzzz":  {},
			"nothing of the kind":             {},
			"@":                               {in.unparsed, in.foreign, in.bounce, in.invoice},
			"i":                               {in.foreign, in.invoice},
			"to:j s":                          {in.bounce, in.invoice},
			"smi state:delivered":             {in.foreign, in.bounce, in.invoice},
			"smi state:pending":               {in.unparsed},
			"smi state:filtered":              {},
			"50%_":                            {},
		} {
			q, err := storage.ParseSearch(query, time.Now())
			if err != nil {
				t.Errorf("%q: %v", query, err)
			}
			want = slices.Clone(want)
			slices.Sort(want)
			slices.Reverse(want)
			if got := search(t, s, q); !slices.Equal(got, want) {
				t.Errorf("%q gives %q, want %q", query, got, want)
			}
			q.Account = "acc_2"
			want = slices.DeleteFunc(want, func(id string) bool { return id != in.foreign })
			if got := search(t, s, q); !slices.Equal(got, want) {
				t.Errorf("%q of acc_2 gives %q, want %q", query, got, want)
			}
		}
		if _, err := s.Detail(t.Context(), "acc_2", in.invoice); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a message of another account: %v", err)
		}
		d, err := s.Detail(t.Context(), "acc_1", in.invoice)
		if err != nil || d.State != storage.StateDelivered || len(d.Deliveries) != 1 || len(d.Attempts) != 1 {
			t.Errorf("%+v, %v", d, err)
		}
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

// An endpoint is searched for by its name as by its id, and another account's name finds nothing.
func TestSearchEndpointByName(t *testing.T) {
	s := open(t, newConfig(t, layouts()[0]))
	id := declareOne(t, s)
	known, err := s.KnownEndpoints(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	env := envelope(id)
	env.Recipients[0].Account = known[0].Account
	mail := accept(t, s, env, newBody(content(10)))[0]
	for _, c := range []struct {
		q    storage.Search
		want int
	}{
		{storage.Search{Endpoint: id}, 1},
		{storage.Search{Endpoint: "app"}, 1},
		{storage.Search{Endpoint: "app", Account: known[0].Account}, 1},
		{storage.Search{Endpoint: "app", Account: "acc_other"}, 0},
		{storage.Search{Endpoint: "ap"}, 0},
	} {
		found, err := s.Search(t.Context(), c.q)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Messages) != c.want || c.want == 1 && found.Messages[0].ID != mail {
			t.Errorf("%+v finds %d messages", c.q, len(found.Messages))
		}
	}
}
