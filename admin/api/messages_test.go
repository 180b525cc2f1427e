package api_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// rawMail is the content of a mail in memory.
type rawMail struct{ *bytes.Reader }

func (m rawMail) SHA256() [32]byte { return sha256.Sum256(m.Bytes()) }

func (m rawMail) Bytes() []byte {
	b := make([]byte, m.Size())
	_, _ = m.ReadAt(b, 0)
	return b
}

// receive accepts a mail to the endpoint of an account, and lets its delivery die of a 500.
func (h *house) receive(t *testing.T, account, subject string) (message, delivery string) {
	t.Helper()
	directory, err := h.store.Apply(t.Context(), storage.Declaration{
		Accounts:  []string{"acme", "zenith"},
		Endpoints: []storage.Endpoint{{Account: "acme", Name: "hook", URL: "https://a.example/"}, {Account: "zenith", Name: "hook", URL: "https://z.example/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.directory.Store(directory)
	var endpoint string
	for id, e := range directory.Endpoints {
		if e.Account == h.accounts[account] {
			endpoint = id
		}
	}
	ids, err := h.store.Accept(t.Context(), &inbound.Envelope{
		ReversePath: inbound.Path{LocalPart: "ann", Domain: "sender.example"},
		Recipients: []inbound.Recipient{{
			Path:     inbound.Path{LocalPart: "desk", Domain: account + ".example"},
			Decision: inbound.Decision{Account: h.accounts[account], Endpoints: []string{endpoint}},
		}},
		Session: "C: RCPT TO:<desk@" + account + ".example>\n",
	}, rawMail{bytes.NewReader([]byte("Subject: " + subject + "\r\n\r\nhello\r\n"))})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := h.store.Fetch(t.Context(), endpoint, storage.Cursor{}, time.Now().Add(time.Hour), 10)
	if err != nil {
		t.Fatal(err)
	}
	d := rows[len(rows)-1]
	done := make(chan error)
	h.store.Complete(storage.Completion{
		Attempt: storage.Attempt{Delivery: d.ID, Message: d.Message, Endpoint: endpoint, N: 1, At: time.Now(), Outcome: "status", Status: 500},
		State:   storage.StateDead, Reason: "for the test", Summary: &storage.Summary{Subject: subject, From: "ann@sender.example", Kind: "human"},
	}, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return ids[0], d.ID
}

func TestMessagesByAPI(t *testing.T) {
	h := newHouse(t)
	operator, acme, zenith := h.token(t, ""), h.token(t, "acme"), h.token(t, "zenith")
	first, delivery := h.receive(t, "acme", "first invoice")
	second, _ := h.receive(t, "acme", "second invoice")
	other, _ := h.receive(t, "zenith", "another invoice")

	list := func(token, query string) (got []string) {
		for path := "/api/v1/messages?limit=1" + query; path != ""; {
			var page api.MessagePage
			if r := h.ask(t, token, http.MethodGet, path, nil, &page); r.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s", path, r.Status)
			}
			for _, m := range page.Items {
				got = append(got, m.ID)
			}
			if path = ""; page.NextCursor != "" {
				path = "/api/v1/messages?limit=1" + query + "&cursor=" + page.NextCursor
			}
		}
		return got
	}
	for _, c := range []struct {
		token, query string
		want         []string
	}{
		{operator, "&q=invoice", []string{other, second, first}}, {acme, "&q=invoice", []string{second, first}}, {zenith, "", []string{other}},
		{acme, "&subject=second", []string{second}}, {acme, "&to=zenith", nil}, {operator, "&domain=zenith.example", []string{other}},
		{operator, "&account_id=" + h.accounts["zenith"], []string{other}}, {acme, "&state=dead&q=first", []string{first}},
		{acme, "&q=id:" + other, nil}, {operator, "&q=id:" + other, []string{other}}, {acme, "&until=2020-01-01T00:00:00Z", nil},
	} {
		if got := list(c.token, c.query); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s gives %v, want %v", c.query, got, c.want)
		}
	}
	h.refused(t, http.StatusUnprocessableEntity, acme, http.MethodGet, "/api/v1/messages?q=state:lost", nil)
	h.refused(t, http.StatusNotFound, acme, http.MethodGet, "/api/v1/messages?account_id="+h.accounts["zenith"], nil)
	for _, path := range []string{"/messages/" + first, "/messages/" + first + "/raw", "/deliveries/" + delivery, "/messages/msg_nothing", "/deliveries/dlv_nothing", "/refusals/ref_nothing"} {
		h.refused(t, http.StatusNotFound, zenith, http.MethodGet, "/api/v1"+path, nil)
	}
	h.refused(t, http.StatusNotFound, zenith, http.MethodPost, "/api/v1/deliveries/"+delivery+"/retry", nil)
	h.refused(t, http.StatusNotFound, zenith, http.MethodPost, "/api/v1/messages/"+first+"/retry", nil)
	h.refused(t, http.StatusForbidden, h.token(t, "acme", "read"), http.MethodPost, "/api/v1/messages/"+first+"/retry", nil)

	var detail api.MessageDetail
	h.ask(t, acme, http.MethodGet, "/api/v1/messages/"+first, nil, &detail)
	if detail.State != storage.StateDead || len(detail.Deliveries) != 1 || len(detail.Attempts) != 1 || detail.Attempts[0].Status != 500 || !strings.Contains(detail.Session, "desk@acme") {
		t.Errorf("%+v", detail)
	}
	if r := h.ask(t, acme, http.MethodGet, "/api/v1/messages/"+first+"/raw", nil, nil); r.ContentLength != int64(len("Subject: first invoice\r\n\r\nhello\r\n")) || r.Header.Get("Content-Type") != "message/rfc822" {
		t.Errorf("%s %v", r.Status, r.Header)
	}
	var retried api.Retried
	if h.ask(t, acme, http.MethodPost, "/api/v1/messages/"+first+"/retry", nil, &retried); len(retried.Deliveries) != 1 || retried.Deliveries[0] != delivery {
		t.Errorf("%+v", retried)
	}
	var pending api.Page[api.Delivery]
	if h.ask(t, acme, http.MethodGet, "/api/v1/deliveries?state=pending", nil, &pending); len(pending.Items) != 1 || !pending.Items[0].Replay {
		t.Errorf("%+v", pending)
	}
	if h.ask(t, zenith, http.MethodGet, "/api/v1/deliveries", nil, &pending); len(pending.Items) != 1 || pending.Items[0].Message != other {
		t.Errorf("%+v", pending)
	}
}

// follow reads the stream.
func (h *house) follow(t *testing.T, token string) *bufio.Scanner {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/api/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil || response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v, %v", response, err)
	}
	t.Cleanup(func() { response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	next(t, lines, "alive", nil) // from here on it follows
	return lines
}

// What happens is told as it happens, to whom it concerns.
func TestStreamOfTheAPI(t *testing.T) {
	h := newHouse(t)
	h.receive(t, "acme", "before")
	acme, zenith := h.follow(t, h.token(t, "acme")), h.follow(t, h.token(t, "zenith"))
	id, _ := h.receive(t, "acme", "hello")
	h.store.NoteRefusal(storage.Refusal{Account: h.accounts["zenith"], Reason: "spam", Code: 550}, nil)
	var m api.Message
	if next(t, acme, "accepted", &m); m.ID != id {
		t.Errorf("%+v", m)
	}
	var a api.StreamAttempt
	if next(t, acme, "attempt", &a); a.Message != id || a.State != storage.StateDead {
		t.Errorf("%+v", a)
	}
	var r api.Refusal
	if next(t, zenith, "refusal", &r); r.Reason != "spam" { // and nothing of the other account before it
		t.Errorf("%+v", r)
	}
	h.refused(t, http.StatusUnauthorized, "", http.MethodGet, "/api/v1/stream", nil)
}

// next reads the next event, which must be of a kind.
func next(t *testing.T, lines *bufio.Scanner, kind string, into any) {
	t.Helper()
	var event, data string
	for lines.Scan() {
		line := lines.Text()
		if v, ok := strings.CutPrefix(line, "event: "); ok {
			event = v
		}
		if v, ok := strings.CutPrefix(line, "data: "); ok {
			data = v
		}
		if line == "" && data != "" {
			break
		}
	}
	if event != kind {
		t.Fatalf("event %q %s, want %q", event, data, kind)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(data), into); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRefusalsAndOverviewByAPI(t *testing.T) {
	h := newHouse(t)
	h.receive(t, "acme", "hello")
	acme, zenith := h.token(t, "acme"), h.token(t, "zenith")
	h.store.NoteRefusal(storage.Refusal{Account: h.accounts["acme"], Reason: "spam", Code: 550, Recipient: "desk@acme.example"}, func() storage.RefusalDetail {
		return storage.RefusalDetail{Reply: "5.7.1 Spam", Session: "C: DATA\n"}
	})
	if err := h.store.FlushNotes(t.Context()); err != nil {
		t.Fatal(err)
	}
	var list api.Page[api.Refusal]
	h.ask(t, acme, http.MethodGet, "/api/v1/refusals?recipient=desk@acme.example", nil, &list)
	if len(list.Items) != 1 || list.Items[0].Session != "C: DATA\n" {
		t.Fatalf("%+v", list)
	}
	var one api.Refusal
	if h.ask(t, acme, http.MethodGet, "/api/v1/refusals/"+list.Items[0].ID, nil, &one); one.Reply != "5.7.1 Spam" {
		t.Errorf("%+v", one)
	}
	h.refused(t, http.StatusNotFound, zenith, http.MethodGet, "/api/v1/refusals/"+list.Items[0].ID, nil)
	var o api.Overview
	if h.ask(t, acme, http.MethodGet, "/api/v1/overview", nil, &o); o.Accepted != 1 || o.Refused != 1 || o.Failed != 1 || o.Dead != 1 || len(o.Endpoints) != 1 || len(o.Points) < 60 {
		t.Errorf("%+v", o)
	}
	if h.ask(t, zenith, http.MethodGet, "/api/v1/overview?minutes=600", nil, &o); o.Accepted+o.Refused+o.Failed+o.Dead != 0 || len(o.Endpoints) != 1 {
		t.Errorf("%+v", o)
	}
}
