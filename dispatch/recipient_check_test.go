package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/breaker"
	"github.com/letterhook/letterhook/storage"
)

// asking is a checker with one application, "people".
type asking struct {
	*RecipientChecker
	check RecipientCheck
	log   *bytes.Buffer
}

func newAsking(t *testing.T, url string, change func(*RecipientCheck)) *asking {
	t.Helper()
	log := &bytes.Buffer{}
	sender := NewSender(Guard{AllowLoopback: true}, "Letterhook/test")
	t.Cleanup(sender.Close)
	c, err := NewRecipientChecker(sender, slog.New(slog.NewTextHandler(&locked{w: log}, nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	a := &asking{RecipientChecker: c, log: log, check: RecipientCheck{
		Name: "people", KeepAccepted: time.Minute, KeepRefused: time.Minute,
		Endpoint: storage.Endpoint{ID: "people", URL: url, Secrets: [][]byte{testSecret}, Timeout: 5 * time.Second, Concurrency: 4},
	}}
	if change != nil {
		change(&a.check)
	}
	a.Declare([]RecipientCheck{a.check})
	return a
}

// locked is a writer that several goroutines use.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// recipient is what the routes say of an address at in.example.
func recipient(localPart string) inbound.Recipient {
	r := inbound.Recipient{Path: inbound.Path{LocalPart: localPart, Domain: "in.example"}}
	r.LocalPart, r.Detail, _ = strings.Cut(localPart, "+")
	r.Route, r.Check = "rt_1", "people"
	return r
}

// ask gives the reply to RCPT, or "250".
func (a *asking) ask(ctx context.Context, localPart string) string {
	return a.askAbout(ctx, recipient(localPart))
}

func (a *asking) askAbout(ctx context.Context, r inbound.Recipient) string {
	reply := a.Check(ctx, &inbound.Envelope{Recipients: []inbound.Recipient{r}})
	if reply == nil {
		return "250"
	}
	return reply.Error()
}

// count is the metric of an outcome.
func (a *asking) count(outcome string) int {
	return int(testutil.ToFloat64(a.asked.WithLabelValues(outcome)))
}

// TestRecipientAnswers has applications answer in many ways, honest and not.
func TestRecipientAnswers(t *testing.T) {
	respond := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	const later = "451 4.3.0 The recipient cannot be checked now, please try again later"
	tests := []struct {
		name   string
		answer http.HandlerFunc
		reply  string // empty: no answer
	}{
		{"yes", respond(200, `{"accept":true}`), "250"},
		{"yes with more", respond(201, `{"accept":true,"name":"Ann","message":"x"}`), "250"},
		{"no", respond(200, `{"accept":false}`), "550 5.1.1 No such mailbox here"},
		{"no with a text", respond(200, `{"accept":false,"message":" Ann has left\r\n250 OK"}`), "550 5.1.1 Ann has left"},
		{"404", respond(404, `{"accept":false}`), ""},
		{"401", respond(401, ``), ""},
		{"500", respond(500, `{"accept":true}`), ""},
		{"204", respond(204, ``), ""},
		{"a page", respond(200, `<html>Welcome</html>`), ""},
		{"no word of it", respond(200, `{"ok":true}`), ""},
		{"another type", respond(200, `{"accept":"false"}`), ""},
		{"null", respond(200, `null`), ""},
		{"broken", respond(200, `{"accept":true`), ""},
		{"huge", respond(200, `{"accept":true,"message":"`+strings.Repeat("x", 1<<20)+`"}`), ""},
		{"huge header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Huge", strings.Repeat("x", 1<<20))
			_, _ = io.WriteString(w, `{"accept":true}`)
		}, ""},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/yes", http.StatusTemporaryRedirect)
		}, ""},
		{"the connection ends", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ""},
		{"slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, ""},
		{"a body that does not end", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"accept":true`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err == nil {
					tt.answer(w, r)
				}
			}))
			defer srv.Close()
			for _, open := range []bool{false, true} {
				a := newAsking(t, srv.URL, func(c *RecipientCheck) { c.Endpoint.Timeout, c.FailOpen = 400*time.Millisecond, open })
				want := tt.reply
				if want == "" {
					want = map[bool]string{false: later, true: "250"}[open]
				}
				if got := a.ask(t.Context(), "ann"); got != want {
					t.Errorf("fail open %v: %q, want %q\n%s", open, got, want, a.log)
				}
				if failed := a.count("failed") == 1; failed != (tt.reply == "") {
					t.Errorf("counted as a failure: %v", failed)
				}
			}
		})
	}
}

// TestRecipientQuestion is what the application reads, and that it verifies.
func TestRecipientQuestion(t *testing.T) {
	wh, err := standardwebhooks.NewWebhookRaw(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if err := wh.Verify(b, r.Header); err != nil {
			t.Error(err)
		}
		checkSchema(t, b)
		if id := r.Header.Get("webhook-id"); !strings.HasPrefix(id, "evt_") || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s, header %v", r.Method, r.Header)
		}
		got <- string(b)
		_, _ = io.WriteString(w, `{"accept":true}`)
	}))
	defer srv.Close()
	a := newAsking(t, srv.URL, nil)
	if reply := a.ask(t.Context(), "Ann+42"); reply != "250" {
		t.Fatal(reply)
	}
	var question map[string]any
	if err := json.Unmarshal([]byte(<-got), &question); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, fmt.Sprint(question["timestamp"]))
	if err != nil || time.Since(at) > time.Minute {
		t.Errorf("timestamp %v", question["timestamp"])
	}
	delete(question, "timestamp")
	text, err := json.Marshal(question)
	const want = `{"data":{"recipient":{"address":"Ann+42@in.example","captures":{},"detail":"42","domain":"in.example","local_part":"Ann","route":"rt_1","token":null}},"type":"recipient.check","version":1}`
	if err != nil || string(text) != want {
		t.Errorf("%s\n%s", text, want)
	}
}

// TestRecipientIsRemembered: one question for an address in whatever case, until its time is over or the application changes.
func TestRecipientIsRemembered(t *testing.T) {
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"accept":%v}`, asked.Add(1)%2 == 1)
	}))
	defer srv.Close()
	a := newAsking(t, srv.URL, func(c *RecipientCheck) { c.KeepRefused = 0 })
	steps := []struct {
		localPart, reply string
		asked            int32
	}{
		{"ann", "250", 1}, {"ann", "250", 1}, {"ANN", "250", 1}, // a yes is remembered
		{"bob", "550", 2}, {"bob", "250", 3}, // a no is not
		{"bob", "250", 3},
	}
	for i, s := range steps {
		if reply := a.ask(t.Context(), s.localPart); !strings.HasPrefix(reply, s.reply) || asked.Load() != s.asked {
			t.Errorf("step %d: %q after %d questions, want %q after %d", i, reply, asked.Load(), s.reply, s.asked)
		}
	}
	if n := a.count("remembered"); n != 3 {
		t.Errorf("%d remembered", n)
	}
	a.check.Endpoint.Source = "letterhook.yaml:99" // a line was added before it
	a.Declare([]RecipientCheck{a.check})
	if a.ask(t.Context(), "ann"); asked.Load() != 3 {
		t.Error("a reload that changed nothing forgot the answers")
	}
	a.check.Endpoint.Timeout++
	a.Declare([]RecipientCheck{a.check})
	if a.ask(t.Context(), "ann"); asked.Load() != 4 {
		t.Error("a changed application kept the answers of the old one")
	}
	a.Declare(nil)
	if reply := a.ask(t.Context(), "ann"); !strings.HasPrefix(reply, "451 4.3.0") {
		t.Errorf("nobody to ask: %q", reply)
	}
}

// TestAnswerIsToItsQuestion: what was answered about an address is not the answer to another question about it.
func TestAnswerIsToItsQuestion(t *testing.T) {
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, `{"accept":true}`)
	}))
	defer srv.Close()
	a := newAsking(t, srv.URL, nil)
	expired := time.Now()
	changes := []func(*inbound.Recipient){
		func(*inbound.Recipient) {},
		func(r *inbound.Recipient) { r.Route = "rt_2" }, // a reload put another one before it
		func(r *inbound.Recipient) { r.Captures = map[string]string{"ticket": "42"} },
		func(r *inbound.Recipient) { r.Token = &inbound.Token{Valid: true, Data: "42", Expires: expired} },
		func(r *inbound.Recipient) { r.Token = &inbound.Token{Data: "42", Expires: expired, Reason: "expired"} },
		func(r *inbound.Recipient) { r.Path.Domain = "other.example" },
	}
	for range 2 {
		for _, change := range changes {
			r := recipient("ann+42")
			change(&r)
			a.askAbout(t.Context(), r)
		}
	}
	if n := int(asked.Load()); n != len(changes) {
		t.Errorf("%d questions, want %d", n, len(changes))
	}
}

// TestRememberedAnswersAreSmall: of a long text no more is remembered than a peer may read.
func TestRememberedAnswersAreSmall(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"accept":false,"message":%q}`, strings.Repeat("é", 5000))
	}))
	defer srv.Close()
	a := newAsking(t, srv.URL, nil)
	if reply := a.ask(t.Context(), "ann"); reply != "550 5.1.1 "+strings.Repeat("é", maxAnswerText/2) {
		t.Errorf("%.40q, %d octets", reply, len(reply))
	}
}

// TestRecipientIsForgotten lets the time pass for which an answer is remembered.
func TestRecipientIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		n := newNetwork()
		n.host("people.example", func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			_, _ = io.WriteString(w, `{"accept":true}`)
		})
		a := newAsking(t, "http://people.example/", func(c *RecipientCheck) { c.KeepAccepted = time.Minute })
		a.sender.dial = n.dial
		for _, wait := range []time.Duration{0, 59 * time.Second, 0} {
			time.Sleep(wait)
			a.ask(t.Context(), "ann")
		}
		if asked.Load() != 1 {
			t.Errorf("%d questions within the time", asked.Load())
		}
		time.Sleep(2 * time.Second)
		if a.ask(t.Context(), "ann"); asked.Load() != 2 {
			t.Errorf("%d questions after the time", asked.Load())
		}
		a.sender.Close()
		synctest.Wait()
	})
}

// TestAnswersAreBounded asks about more recipients than are remembered.
func TestAnswersAreBounded(t *testing.T) {
	a := newAsking(t, "http://127.0.0.1:1", nil)
	people := a.askers["people"]
	for i := range maxAnswers + 500 {
		people.answers.Set(fmt.Sprintf("a%d@in.example", i), answer{accepted: true}, time.Hour)
	}
	if n := people.answers.Len(); n > maxAnswers {
		t.Errorf("%d answers are kept", n)
	}
}

// TestOneQuestionForMany: sessions that ask about the same recipient at the same time share a question, and one that leaves takes it from
// nobody.
func TestOneQuestionForMany(t *testing.T) {
	var asked atomic.Int32
	came, release := make(chan struct{}, 1), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		came <- struct{}{}
		<-release
		_, _ = io.WriteString(w, `{"accept":true}`)
	}))
	defer srv.Close()
	a := newAsking(t, srv.URL, nil)
	leaving, leave := context.WithCancel(t.Context())
	gone := make(chan string, 1)
	go func() { gone <- a.ask(leaving, "ann") }()
	<-came
	replies := make(chan string, 10)
	for range 10 {
		go func() { replies <- a.ask(context.Background(), "ann") }()
	}
	leave()
	if reply := <-gone; !strings.HasPrefix(reply, "451") {
		t.Errorf("who left: %q", reply)
	}
	close(release)
	for range 10 {
		if reply := <-replies; reply != "250" {
			t.Errorf("who stayed: %q", reply)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d questions", n)
	}
}

// TestDeadApplication: after some failures in a row nobody waits for it, and what the operator chose for failures holds at once.
func TestDeadApplication(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for open, want := range map[bool]string{false: "451 4.3.0", true: "250"} {
		a := newAsking(t, "http://"+l.Addr().String(), func(c *RecipientCheck) { c.FailOpen = open })
		for i := range breaker.After + 5 {
			if reply := a.ask(t.Context(), fmt.Sprintf("ann%d", i)); !strings.HasPrefix(reply, want) {
				t.Errorf("%q", reply)
			}
		}
		if failed, resting := a.count("failed"), a.count("resting"); failed != breaker.After || resting != 5 {
			t.Errorf("%d failed, %d at once", failed, resting)
		}
		if !strings.Contains(a.log.String(), "is not asked for a while") {
			t.Error("nothing in the log")
		}
	}
}

// TestTurnsOfQuestions: one question at a time, and one deadline for the turn and the question.
func TestTurnsOfQuestions(t *testing.T) {
	for slow, want := range map[time.Duration]string{time.Second: "250", time.Minute: "451 4.3.0"} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork()
			people := n.host("people.example", func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(slow):
					_, _ = io.WriteString(w, `{"accept":true}`)
				case <-r.Context().Done():
				}
			})
			a := newAsking(t, "http://people.example/", func(c *RecipientCheck) { c.Endpoint.Concurrency, c.Endpoint.Timeout = 1, 10*time.Second })
			a.sender.dial = n.dial
			began := time.Now()
			var sessions sync.WaitGroup
			for i := range 5 {
				sessions.Go(func() {
					if reply := a.ask(t.Context(), fmt.Sprintf("ann%d", i)); !strings.HasPrefix(reply, want) {
						t.Errorf("%q, want %q", reply, want)
					}
				})
			}
			sessions.Wait()
			if took := time.Since(began); took > 11*time.Second {
				t.Errorf("it took %s", took)
			}
			if _, most, _ := people.counts(); slow == time.Second && most != 1 {
				t.Errorf("%d at the same time", most)
			}
			a.sender.Close()
			synctest.Wait()
		})
	}
}

// TestRecipientCheckIsGuarded: a private address is not asked, as no endpoint there would be.
func TestRecipientCheckIsGuarded(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	defer srv.Close()
	a := newAsking(t, srv.URL, nil)
	a.sender = NewSender(Guard{}, "x")
	if reply := a.ask(t.Context(), "ann"); !strings.HasPrefix(reply, "451 4.3.0") {
		t.Errorf("%q", reply)
	}
	if !strings.Contains(a.log.String(), "blocked") {
		t.Errorf("log %s", a.log)
	}
}
