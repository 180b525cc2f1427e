package storage

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// post makes mail of many people and shops, always the same for a seed.
type post struct {
	*rand.Rand

	vocabulary, names []string
	began             time.Time
	days              int // over which the mails came
}

func newPost(seed uint64) *post {
	p := &post{Rand: rand.New(rand.NewPCG(seed, 7)), began: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), days: 180}
	for range 20_000 {
		p.vocabulary = append(p.vocabulary, p.syllables(1+p.IntN(4)))
	}
	for range 5000 {
		p.names = append(p.names, p.syllables(2+p.IntN(2)))
	}
	return p
}

func (p *post) syllables(n int) (word string) {
	for range n {
		word += string("bcdfghjklmnprstvwz"[p.IntN(18)]) + string("aeiou"[p.IntN(5)]) + []string{"", "n", "r", "s", "l"}[p.IntN(5)]
	}
	return word
}

// word is one that is as frequent as its rank allows.
func (p *post) word() string { return p.vocabulary[int(p.ExpFloat64()*800)%len(p.vocabulary)] }

func (p *post) name() string { return p.names[int(p.ExpFloat64()*900)%len(p.names)] }

// smallAccount has one message of 50,000.
const smallAccount = 40

// mail is message i of n.
func (p *post) mail(i, n int) *Mail {
	at := p.began.Add(time.Duration(i) * (time.Duration(p.days) * 24 * time.Hour / time.Duration(n)))
	var id ulid.ULID
	_ = id.SetTime(uint64(at.UnixMilli()))
	binary.BigEndian.PutUint64(id[6:], p.Uint64())
	binary.BigEndian.PutUint16(id[14:], uint16(p.Uint32()))
	account := int(p.ExpFloat64()*5) % 40
	if i%50_000 == 7 {
		account = smallAccount
	}
	shop := fmt.Sprintf("%s.example", p.names[account])
	person := p.name() + "." + p.name()
	from := inbound.Path{LocalPart: person, Domain: p.vocabulary[int(p.ExpFloat64()*300)%len(p.vocabulary)] + ".example.net"}
	words := ""
	for range 3 + p.IntN(6) {
		words += p.word() + " "
	}
	m := &Mail{ID: messagePrefix + lowerULID(id), Account: fmt.Sprintf("acc_%026d", account), ReceivedAt: at, Size: int64(1000 + p.IntN(20_000))}
	m.SHA256 = sha256.Sum256([]byte(m.ID))
	m.Envelope = inbound.Envelope{
		ReversePath: from, Helo: "mx." + from.Domain, RemoteIP: netip.MustParseAddr("192.0.2.1"), Listener: "mx", ReceivedAt: at,
		Recipients: []inbound.Recipient{{
			Path: inbound.Path{LocalPart: "reply+" + p.syllables(4), Domain: shop},
			Decision: inbound.Decision{
				Account: m.Account, Route: "rt_01", Endpoints: []string{fmt.Sprintf("ep_%026d", account)}, LocalPart: "reply",
			},
		}},
	}
	kind := "message"
	if p.IntN(50) == 0 {
		kind = "bounce"
	}
	m.Summary = &Summary{From: from.String(), Subject: words + strconv.Itoa(p.IntN(1_000_000)), MessageID: id.String() + "@" + from.Domain, Kind: kind, Attachments: []AttachmentBlob{}}
	return m
}

// fill stores n mails that were delivered, one in a thousand was not.
func (p *post) fill(t *testing.T, s *Store, n int) (sample []*Mail) {
	t.Helper()
	if _, ok := s.engine.(*postgresEngine); ok {
		var days []time.Time
		for d := range p.days + 1 {
			days = append(days, p.began.AddDate(0, 0, d))
		}
		w, err := newWriter(s.engine)
		if err == nil {
			err = errors.Join(makePartitions(w, days...), w.close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < n; {
		var messages, summaries, results []driver.Value
		for range min(2000, n-i) {
			m := p.mail(i, n)
			envelope, err := json.Marshal(&m.Envelope)
			if err != nil {
				t.Fatal(err)
			}
			summary, err := json.Marshal(m.Summary)
			if err != nil {
				t.Fatal(err)
			}
			at, state := m.ReceivedAt.UnixMilli(), StateDelivered
			if i%1000 == 0 {
				sample = append(sample, m)
				state = StateDead
			}
			if i%20_000 == 11 {
				state = StateFiltered
			}
			messages = append(messages, m.ID, m.Account, at, m.Size, m.SHA256[:], string(envelope), "segment", int64(0), m.Size, make([]byte, 32), m.SHA256[:])
			summaries = append(summaries, m.ID, at, string(summary), int64(0))
			results = append(results, m.ID, deliveryIDOf(m.ID), m.Envelope.Recipients[0].Endpoints[0], int64(0), state, "", int64(1), int64(0), at, at)
			i++
		}
		err := s.do(t.Context(), func(w *writer) error {
			if _, err := w.execRows(insertMessages, messages); err != nil {
				return err
			}
			if _, err := w.execRows(upsertSummaries, summaries); err != nil {
				return err
			}
			_, err := w.execRows(insertTestResults, results)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return sample
}

var insertTestResults = &rowStatement{
	head: "INSERT INTO delivery_result (message, id, endpoint, part, state, reason, attempts, replay, created_at, finished_at) VALUES ",
	row:  "(?,?,?,?,?,?,?,?,?,?)", types: "text text text bigint text text bigint bigint bigint bigint",
}

// TestSearchAMillion measures what people look for among a million messages, on both engines. LETTERHOOK_SOAK turns it on, and may be
// the number.
func TestSearchAMillion(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("LETTERHOOK_SOAK"))
	switch n {
	case 0:
		t.Skip("LETTERHOOK_SOAK is not set")
	case 1:
		n = 1_000_000
	}
	t.Run("SQLite", func(t *testing.T) { searchMany(t, Config{Dir: t.TempDir()}, n) })
	t.Run("PostgreSQL", func(t *testing.T) { searchMany(t, Config{Dir: t.TempDir(), Database: throwaway.Database(t)}, n) })
}

func searchMany(t *testing.T, config Config, n int) {
	s, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	end := func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	defer func() { end() }()
	p := newPost(1)
	began := time.Now()
	sample := p.fill(t, s, n)
	t.Logf("%d messages stored in %s", n, time.Since(began).Round(time.Second))
	began = time.Now()
	used := processorTime(t)
	if err := s.IndexNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	var octets, segments int64
	if err := s.index.read.QueryRowContext(t.Context(), "SELECT sum(length(data)), count(DISTINCT segment) FROM search_page").Scan(&octets, &segments); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	used = processorTime(t) - used
	t.Logf("indexed in %s, %s of our processor time a message; %d octets a message in %d segments", took.Round(time.Second), used/time.Duration(n), octets/int64(n), segments)
	end()
	if s, err = Open(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	for _, account := range []bool{false, true} {
		for _, look := range p.looks(sample) {
			p.measure(t, s, look.name, account, look.make)
		}
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// look is what somebody looks for.
type look struct {
	name string
	make func() (Search, string)
}

// looks are those that are measured.
func (p *post) looks(sample []*Mail) []look {
	one := func() *Mail { return sample[p.IntN(len(sample))] }
	words := func(text func(*Mail) string) func() (Search, string) {
		return func() (Search, string) {
			m := one()
			q, _ := ParseSearch(text(m), time.Now())
			return q, m.Account
		}
	}
	small := fmt.Sprintf("acc_%026d", smallAccount)
	long := func() string {
		for {
			if w := p.vocabulary[p.IntN(50)]; len(w) > 3 {
				return w
			}
		}
	}
	return []look{
		{"a word of a subject", words(func(m *Mail) string { return wordsOf(m.Summary.Subject)[p.IntN(3)] })},
		{"two words of a subject", words(func(m *Mail) string {
			w := wordsOf(m.Summary.Subject)
			return "subject:" + w[0] + " subject:" + w[1] + " " + w[2]
		})},
		{"a number in a subject", words(func(m *Mail) string { w := wordsOf(m.Summary.Subject); return w[len(w)-1] })},
		{"what a word begins with", words(func(*Mail) string { return p.name()[:3] })},
		{"one letter", words(func(m *Mail) string { return m.Summary.Subject[:1] })},
		{"part of an address", words(func(m *Mail) string { return "from:" + wordsOf(m.Envelope.ReversePath.LocalPart)[1] })},
		{"a whole address", words(func(m *Mail) string { return m.Envelope.ReversePath.String() })},
		{"a domain", words(func(m *Mail) string { return "domain:" + m.Envelope.Recipients[0].Path.Domain })},
		{"a sender's domain", words(func(m *Mail) string { return "from:" + m.Envelope.ReversePath.Domain })},
		{"an id", words(func(m *Mail) string { return m.ID })},
		{"a Message-ID", words(func(m *Mail) string { return m.Summary.MessageID })},
		{"none found", words(func(*Mail) string { return "xylophon" + p.syllables(3) })},
		{"none found, of known words", words(func(*Mail) string { return p.name() + "." + p.name() + "@" + p.name() + ".example" })},
		{"a kind", words(func(*Mail) string { return "kind:bounce" })},
		{"a state", words(func(*Mail) string { return "state:dead" })},
		{"a state that few have", words(func(*Mail) string { return "state:filtered" })},
		{"a state that none has", words(func(*Mail) string { return "state:missed" })},
		{"a common word, dead", words(func(*Mail) string { return "state:dead " + p.vocabulary[p.IntN(20)] })},
		{"a letter, filtered", words(func(m *Mail) string { return "state:filtered " + m.Summary.Subject[:1] })},
		{"a common word, delivered", words(func(*Mail) string { return "state:delivered " + p.vocabulary[p.IntN(20)] })},
		{"two common words, a number", words(func(*Mail) string { return long() + " " + long() + " 77" })},
		{"nothing: the first page", words(func(*Mail) string { return "" })},
		{"a small account", func() (Search, string) { return Search{Account: small}, small }},
		{"a small account, a letter", func() (Search, string) { return Search{Account: small, Words: []string{"s"}}, small }},
		{"a page long ago", func() (Search, string) { m := one(); return Search{Words: []string{p.word()}, Before: m.ID}, m.Account }},
	}
}

// measure asks 200 times. The first answer is that of a store that was just opened, or that was asked other things.
func (p *post) measure(t *testing.T, s *Store, name string, ofAccount bool, search func() (Search, string)) {
	t.Helper()
	whose := "operator"
	var took []time.Duration
	found, partial := 0, 0
	for range 200 {
		q, account := search()
		q.Limit = 50
		if ofAccount {
			q.Account, whose = account, "account"
		}
		began := time.Now()
		page, err := s.Search(t.Context(), q)
		took = append(took, time.Since(began))
		if err != nil {
			t.Fatal(err)
		}
		found += len(page.Messages)
		if page.Partial {
			partial++
		}
	}
	first := took[0]
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	t.Logf("%-8s  %-28s first %6.1f ms  p50 %6.1f ms  p95 %6.1f ms  p99 %6.1f ms  %3d found, %d of 200 partial",
		whose, name, ms(first), ms(took[100]), ms(took[190]), ms(took[198]), found/200, partial)
}
