package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/jellydator/ttlcache/v3"
	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/breaker"
	"github.com/letterhook/letterhook/storage"
)

// RecipientCheck is an application that says at RCPT whether a recipient exists.
type RecipientCheck struct {
	Name string // as in [inbound.Decision.Check]
	// Endpoint has URL, Secrets, Headers, AllowPrivate and Source. Its Timeout bounds a question with the wait for its turn, and
	// its Concurrency how many are asked at a time.
	Endpoint storage.Endpoint
	// FailOpen accepts recipients while the application gives no answer; otherwise they are deferred.
	FailOpen bool
	// KeepAccepted and KeepRefused are how long an answer is remembered.
	KeepAccepted, KeepRefused time.Duration
}

// maxAnswers bounds the answers that are remembered of one application. What was not asked for longest goes first.
const maxAnswers = 10_000

// RecipientChecker asks applications about recipients. It is safe for concurrent use.
type RecipientChecker struct {
	sender  *Sender
	log     *slog.Logger
	asked   *prometheus.CounterVec
	seconds prometheus.Histogram

	mu     sync.Mutex
	askers map[string]*asker // by name
}

// asker asks one application. Sessions that ask about the same recipient at the same time share one question.
type asker struct {
	check   RecipientCheck
	door    *door
	answers *ttlcache.Cache[string, answer] // by [RecipientQuestion.key]
	asking  singleflight.Group
}

// answer is what an application said of a recipient.
type answer struct {
	accepted bool
	text     string // of a refusal; may be empty
}

// NewRecipientChecker makes a checker that knows no application yet. registerer may be nil: no metrics.
func NewRecipientChecker(sender *Sender, log *slog.Logger, registerer prometheus.Registerer) (*RecipientChecker, error) {
	c := &RecipientChecker{
		sender: sender, log: log, askers: map[string]*asker{},
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "letterhook_recipient_checks_total", Help: "Recipients that an application was to be asked about, by what came of it.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "letterhook_recipient_check_seconds", Help: "Duration of a question to an application about a recipient.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10},
		}),
	}
	for _, outcome := range []string{"accepted", "refused", "remembered", "failed", "busy", "resting"} {
		c.asked.WithLabelValues(outcome) // present from the start, so that a rate can be taken
	}
	if registerer == nil {
		return c, nil
	}
	if err := errors.Join(registerer.Register(c.asked), registerer.Register(c.seconds)); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	return c, nil
}

// Declare makes these the applications there are. One that did not change keeps its answers.
func (c *RecipientChecker) Declare(checks []RecipientCheck) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.askers
	c.askers = make(map[string]*asker, len(checks))
	for _, check := range checks {
		if known := old[check.Name]; known != nil && known.asks(check) {
			c.askers[check.Name] = known
			continue
		}
		c.askers[check.Name] = &asker{
			check: check, door: newDoor(check.Endpoint.Concurrency),
			answers: ttlcache.New(ttlcache.WithCapacity[string, answer](maxAnswers), ttlcache.WithDisableTouchOnHit[string, answer]()),
		}
	}
}

// asks says whether this is the asker for an application. Where in a file it is declared makes no difference.
func (a *asker) asks(check RecipientCheck) bool {
	check.Endpoint.Source = a.check.Endpoint.Source
	return reflect.DeepEqual(a.check, check)
}

// Check is an [inbound.Config.CheckRecipient].
func (c *RecipientChecker) Check(ctx context.Context, env *inbound.Envelope) *inbound.Reply {
	r := &env.Recipients[0]
	c.mu.Lock()
	a := c.askers[r.Check]
	c.mu.Unlock()
	if a == nil { // a reload took it away between the look at the routes and now
		return cannotCheck
	}
	question := recipientQuestion(r, time.Now())
	key, err := question.key()
	if err != nil {
		return cannotCheck
	}
	if known := a.answers.Get(key); known != nil {
		c.asked.WithLabelValues("remembered").Inc()
		return a.reply(known.Value(), nil)
	}
	// The question is nobody's own: whoever came first may go while others wait.
	done := a.asking.DoChan(key, func() (any, error) { return c.ask(context.WithoutCancel(ctx), a, key, question) })
	select {
	case result := <-done:
		said, _ := result.Val.(answer)
		return a.reply(said, result.Err)
	case <-ctx.Done():
		return cannotCheck
	}
}

// cannotCheck defers a recipient.
var cannotCheck = &inbound.Reply{Code: 451, Status: [3]int{4, 3, 0}, Text: "The recipient cannot be checked now, please try again later"}

// reply is what the peer hears; nil: the recipient is accepted.
func (a *asker) reply(said answer, err error) *inbound.Reply {
	switch {
	case err != nil && a.check.FailOpen:
		return nil
	case err != nil:
		return cannotCheck
	case said.accepted:
		return nil
	}
	text := said.text
	if text == "" {
		text = "No such mailbox here"
	}
	return &inbound.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: text}
}

// ask puts a question to the application and remembers the answer. There is one deadline for the turn and the request.
func (c *RecipientChecker) ask(ctx context.Context, a *asker, key string, question *RecipientQuestion) (said answer, err error) {
	began := time.Now()
	ep := a.check.Endpoint
	deadline := began.Add(timeoutOf(&ep))
	turn, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	leave, err := a.door.enter(turn)
	if err != nil {
		outcome := "busy"
		if errors.Is(err, errResting) {
			outcome = "resting"
		}
		c.asked.WithLabelValues(outcome).Inc()
		return answer{}, err
	}
	told := breaker.Unknown
	defer func() {
		if p := recover(); p != nil { // in a goroutine of its own, where nobody else would
			err = fmt.Errorf("panic: %v", p)
		}
		c.note(a, leave, told, said, time.Since(began), err)
	}()
	ep.Timeout = max(time.Until(deadline), time.Millisecond)
	body, err := json.Marshal(question)
	if err != nil {
		return answer{}, fmt.Errorf("writing the question: %w", err)
	}
	res := c.sender.Send(ctx, &Post{
		Endpoint: &ep, ID: eventPrefix + strings.ToLower(ulid.Make().String()), Attempt: 1,
		Form: &Form{MediaType: "application/json", Body: body},
	})
	told = answerOf(&res)
	if said, err = readAnswer(&res); err != nil {
		return answer{}, err
	}
	keep := a.check.KeepRefused
	if said.accepted {
		keep = a.check.KeepAccepted
	}
	if keep > 0 {
		a.answers.Set(key, said, keep)
	}
	return said, nil
}

// note keeps the breaker, the metrics and the log up to date after a question.
func (c *RecipientChecker) note(a *asker, leave func(breaker.Result) (rests, back bool), told breaker.Result, said answer, took time.Duration, err error) {
	outcome := "refused"
	switch {
	case err != nil:
		outcome = "failed"
		c.log.Warn("a recipient could not be checked", "check", a.check.Name, "duration", took, "error", err)
	case said.accepted:
		outcome = "accepted"
	}
	if err == nil {
		c.log.Info("recipient checked", "check", a.check.Name, "outcome", outcome, "duration", took)
	}
	c.asked.WithLabelValues(outcome).Inc()
	c.seconds.Observe(took.Seconds())
	rests, back := leave(told)
	if rests {
		c.log.Error("an application that checks recipients does not answer and is not asked for a while", "check", a.check.Name)
	}
	if back {
		c.log.Info("an application that checks recipients is back", "check", a.check.Name)
	}
}

// readAnswer reads {"accept": true} or {"accept": false, "message": "..."} with a status of 2xx. Nothing else is an answer: neither the
// page of a server that knows no such path, nor a success that says nothing.
func readAnswer(res *Result) (answer, error) {
	if res.Outcome != OutcomeDelivered {
		if res.Err != nil {
			return answer{}, fmt.Errorf("%s: %w", res.Outcome, res.Err)
		}
		return answer{}, fmt.Errorf("%s: %s", res.Outcome, res.Detail.Error)
	}
	var body struct {
		Accept  *bool  `json:"accept"`
		Message string `json:"message"`
	}
	if res.Detail.Truncated {
		return answer{}, errors.New("the answer is too long or did not end in time")
	}
	if err := json.Unmarshal([]byte(res.Detail.Body), &body); err != nil || body.Accept == nil {
		return answer{}, errors.New(`the answer is no JSON object with a boolean "accept"`)
	}
	return answer{accepted: *body.Accept, text: firstLine(body.Message)}, nil
}
