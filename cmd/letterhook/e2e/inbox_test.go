package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
	"github.com/letterhook/letterhook/docs/schema/schematest"
)

// event is what a receiver reads, written down from the documentation of the contract and not from the program's types.
type event struct {
	WebhookID string `json:"-"`
	Type      string `json:"type"`
	Data      struct {
		ID         string `json:"id"`
		AccountID  string `json:"account_id"`
		EndpointID string `json:"endpoint_id"`
		Size       int64  `json:"size"`
		Envelope   struct {
			MailFrom string   `json:"mail_from"`
			RcptTo   []string `json:"rcpt_to"`
			RemoteIP string   `json:"remote_ip"`
			AuthUser *string  `json:"auth_user"`
			Listener string   `json:"listener"`
			TLS      *struct {
				Version string `json:"version"`
			} `json:"tls"`
		} `json:"envelope"`
		Spam *struct {
			Engine   string       `json:"engine"`
			Score    float64      `json:"score"`
			Required float64      `json:"required"`
			IsSpam   bool         `json:"is_spam"`
			Action   string       `json:"action"`
			Symbols  []spamSymbol `json:"symbols"`
		} `json:"spam"`
		Virus *struct {
			Engine    string  `json:"engine"`
			Infected  bool    `json:"infected"`
			Signature *string `json:"signature"`
		} `json:"virus"`
		Unscanned []struct {
			Engine string `json:"engine"`
			Reason string `json:"reason"`
		} `json:"unscanned"`
		Attachments []attachment `json:"attachments"`
		Raw         struct {
			URL    string `json:"url"`
			Size   int64  `json:"size"`
			SHA256 string `json:"sha256"`
		} `json:"raw"`
		Parse struct {
			Defects []struct {
				Code string `json:"code"`
			} `json:"defects"`
		} `json:"parse"`
	} `json:"data"`
}

// spamSymbol is one of data.spam.symbols.
type spamSymbol struct {
	Name string `json:"name"`
}

// attachment is one of data.attachments.
type attachment struct {
	Filename string `json:"filename"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	URL      string `json:"url"`
}

func (e *event) defects() string {
	var codes []string
	for _, d := range e.Data.Parse.Defects {
		codes = append(codes, d.Code)
	}
	return strings.Join(codes, " ")
}

// An inbox is a verifying receiver that keeps the events.
type inbox struct {
	*bench.Receiver

	mu     sync.Mutex
	events []event // every one once, in the order of their first arrival
	broken []error
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	b := &inbox{Receiver: receive(t)}
	b.Observe(b.keep)
	t.Cleanup(func() {
		if n := b.Tally().BadSigns; n > 0 {
			t.Errorf("%d requests did not verify", n)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.broken) > 0 {
			t.Error(errors.Join(b.broken...))
		}
	})
	return b
}

func (b *inbox) keep(header http.Header, body []byte) {
	e := event{WebhookID: header.Get("webhook-id")}
	err := json.Unmarshal(body, &e)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err = errors.Join(err, schematest.Check(body)); err != nil {
		b.broken = append(b.broken, fmt.Errorf("a body that is not the contract's JSON: %w", err))
	}
	same := func(o event) bool { return o.WebhookID == e.WebhookID && o.Data.EndpointID == e.Data.EndpointID }
	if !slices.ContainsFunc(b.events, same) {
		b.events = append(b.events, e)
	}
}

// all returns the different events so far.
func (b *inbox) all() []event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// await waits until n different events have come and returns all that have.
func (b *inbox) await(ctx context.Context, t *testing.T, n int) []event {
	t.Helper()
	for {
		next := b.Next()
		got := b.all()
		if len(got) >= n {
			return got
		}
		select {
		case <-next:
		case <-ctx.Done():
			t.Fatalf("%d of %d events came in time", len(got), n)
		}
	}
}

// awaitFor waits for the event of a message to this recipient.
func (b *inbox) awaitFor(ctx context.Context, t *testing.T, to string) event {
	t.Helper()
	for {
		next := b.Next()
		if e, ok := find(b.all(), to); ok {
			return e
		}
		select {
		case <-next:
		case <-ctx.Done():
			t.Fatalf("no event for %s came in time", to)
		}
	}
}

// find returns the first event that lists the recipient.
func find(events []event, to string) (event, bool) {
	i := slices.IndexFunc(events, func(e event) bool { return slices.Contains(e.Data.Envelope.RcptTo, to) })
	if i < 0 {
		return event{}, false
	}
	return events[i], true
}

// exactly fails the test unless the events are one for each of these recipients and no other. The server must have
// ended, so that nothing is under way.
func (b *inbox) exactly(t *testing.T, recipients ...string) {
	t.Helper()
	var got []string
	for _, e := range b.all() {
		got = append(got, strings.Join(e.Data.Envelope.RcptTo, ","))
	}
	slices.Sort(got)
	slices.Sort(recipients)
	if !slices.Equal(got, recipients) {
		t.Errorf("events for %q, want %q", got, recipients)
	}
}

// get requests a URL as a receiver would, and returns the response with its body read.
func get(ctx context.Context, t *testing.T, url string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return res, body
}

// fetch is get for what must be there.
func fetch(ctx context.Context, t *testing.T, url string) []byte {
	t.Helper()
	res, body := get(ctx, t, url)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s: %.200s", url, res.Status, body)
	}
	return body
}

// eventually asks again and again, until the answer is yes or ctx ends.
func eventually(ctx context.Context, t *testing.T, what string, yes func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
}
