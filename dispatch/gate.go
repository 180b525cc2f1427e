package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/breaker"
	"github.com/letterhook/letterhook/storage"
)

// Gate is the [inbound.Spool] of a server whose routes may be synchronous. A mail that no endpoint decides about goes to the
// store and no further. Any other is held by the store, put to its endpoint once, and answered as the endpoint answers:
//
//	2xx                accepted: recorded as delivered, then 250
//	4xx                refused with 554 5.7.1 and the text of the answer
//	anything else      451 4.4.1, and the sender comes again: 5xx, a redirect, no answer in time, trouble with the network;
//	                   and of 4xx 408, 413, 425 and 429, which ask for another attempt
//
// What became of the mail is on the disk before the sender is told. A held mail is nobody's work but that of the session that
// its sender waits in: what was refused, and what nobody was told anything about, is never delivered later by itself. A
// session that ends in between leaves it held; when the sender comes again, it is found by the dedupe rule and put to the
// endpoint under the same webhook-id.
type Gate struct {
	d     *Dispatcher
	doors doors
}

// NewGate makes the gate of a dispatcher, which need not run.
func NewGate(d *Dispatcher) *Gate { return &Gate{d: d} }

// Acknowledged implements [inbound.Spool].
func (g *Gate) Acknowledged(ids []string) { g.d.cfg.Store.Acknowledged(ids) }

// Accept implements [inbound.Spool].
func (g *Gate) Accept(ctx context.Context, env *inbound.Envelope, body inbound.Body) ([]string, error) {
	endpoint := env.Decider()
	if endpoint == "" {
		return g.d.cfg.Store.Accept(ctx, env, body)
	}
	ep := g.d.cfg.Directory().Endpoints[endpoint]
	if ep == nil || ep.Disabled {
		return nil, g.unanswered("trouble", errNoEndpoint)
	}
	if !g.d.board.takesQuestions(ep.ID, time.Now()) {
		return nil, g.unanswered("resting", errStopped)
	}
	turn, cancel := context.WithTimeout(ctx, timeoutOf(ep))
	defer cancel()
	leave, err := g.doors.of(ep.ID, termsOf(ep).concurrency).enter(turn)
	switch {
	case errors.Is(err, errResting):
		return nil, g.unanswered("resting", err)
	case err != nil:
		return nil, g.unanswered("busy", err)
	}
	told := breaker.Unknown
	defer func() { g.note(ep, leave, told) }()
	if err := g.awaitRate(turn, ep.ID); err != nil {
		return nil, g.unanswered("busy", err)
	}
	held, err := g.d.cfg.Store.Hold(ctx, env, body)
	if errors.Is(err, storage.ErrHolding) {
		return nil, g.unanswered("busy", err)
	}
	if err != nil {
		return nil, err
	}
	defer held.Close()
	if held.Delivered {
		return []string{held.Mail.ID}, nil
	}
	told, err = g.ask(ctx, ep, held)
	if err != nil {
		return nil, err
	}
	return []string{held.Mail.ID}, nil
}

// awaitRate waits until the endpoint's rate has room for one mail more.
func (g *Gate) awaitRate(ctx context.Context, endpoint string) error {
	for {
		later := g.d.board.question(endpoint, time.Now())
		if later.IsZero() {
			return nil
		}
		timer := time.NewTimer(time.Until(later))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errBusy
		}
	}
}

func (g *Gate) note(ep *storage.Endpoint, leave func(breaker.Result) (rests, back bool), told breaker.Result) {
	rests, back := leave(told)
	if rests {
		g.d.log.Error("an endpoint that decides does not answer and is not asked for a while", "endpoint", ep.ID)
	}
	if back {
		g.d.log.Info("an endpoint that decides is back", "endpoint", ep.ID)
	}
}

// ask puts a held mail to its endpoint. The error says what the sender is told instead of 250; the mail is settled by then.
func (g *Gate) ask(ctx context.Context, ep *storage.Endpoint, held *storage.Held) (breaker.Result, error) {
	j := &job{delivery: held.Delivery, letter: newLetter(held.Mail.ID)}
	j.letter.users, j.letter.mail, j.letter.raw = 1, held.Mail, held.Raw
	flight := &share{from: g.d.asked}
	defer flight.release()
	making, cancel := context.WithTimeout(ctx, timeoutOf(ep))
	defer cancel()
	begun := time.Now()
	post, content, err := g.d.ready(making, j, ep, flight)
	if err != nil {
		g.d.log.Error("a held mail could not be made ready", "message", held.Mail.ID, "endpoint", ep.ID, "error", err)
		return breaker.Unknown, g.withdraw(held, "the mail could not be made ready", "trouble", err)
	}
	post.Sync = true
	res, span := g.d.send(ctx, j, post, content, begun)
	switch res.Outcome {
	case outcomeCut:
		return breaker.Unknown, g.withdraw(held, "the server stopped before the answer", "trouble", ctx.Err())
	case outcomeUnready:
		return breaker.Unknown, g.withdraw(held, "the mail could not be made ready", "trouble", res.Err)
	}
	g.d.step("asked")
	c := completion(j, ep, &res)
	c.Summary, c.Parsed, c.Octets = content.summary, content.counted, held.Mail.Size
	c.State, c.Reason = judgeHeld(&res, post.Smallest)
	g.d.board.answered(ep.ID, &res, c.State == storage.StateRefused, time.Now())
	g.d.report(j, ep, &res, &c)
	span.end(&res, &c)
	if err := g.d.cfg.Store.Settle(c); err != nil {
		return answerOf(&res), err // the sender comes again, and the endpoint hears the same id
	}
	g.d.metrics.sync.WithLabelValues(c.State).Inc()
	return answerOf(&res), told(&res, c.State)
}

// withdraw settles a held mail that was not put to its endpoint.
func (g *Gate) withdraw(held *storage.Held, reason, outcome string, cause error) error {
	err := g.d.cfg.Store.Settle(storage.Completion{
		Attempt: storage.Attempt{Message: held.Mail.ID, Delivery: held.Delivery.ID}, State: storage.StateWithdrawn, Reason: reason,
	})
	return errors.Join(g.unanswered(outcome, cause), err)
}

// unanswered is what a sender is told whose mail was not put to its endpoint.
func (g *Gate) unanswered(outcome string, cause error) error {
	g.d.metrics.sync.WithLabelValues(outcome).Inc()
	return fmt.Errorf("%w: %w", comeAgain(), cause)
}

// judgeHeld decides what an answer means for a held mail. smallest says that the smallest form of the event was sent: then 413
// is a verdict.
func judgeHeld(res *Result, smallest bool) (state, reason string) {
	switch {
	case res.Outcome == OutcomeDelivered:
		return storage.StateDelivered, ""
	case res.Outcome != OutcomeStatus:
		return storage.StateWithdrawn, res.Detail.Error
	case res.Status < 400 || res.Status > 499, res.Status == 408, res.Status == 425, res.Status == 429, res.Status == 413 && !smallest:
		return storage.StateWithdrawn, res.Detail.Error
	}
	return storage.StateRefused, res.Detail.Error
}

// told is what the sender of a settled mail is told; nil: 250.
func told(res *Result, state string) error {
	switch state {
	case storage.StateDelivered:
		return nil
	case storage.StateRefused:
		text := answerText(res)
		if text == "" {
			text = "The recipient does not take this message"
		}
		return &inbound.Rejection{
			Reply: &inbound.Reply{Code: 554, Status: [3]int{5, 7, 1}, Text: text}, Reason: inbound.RejectApplication,
		}
	}
	return comeAgain()
}

func comeAgain() *inbound.Rejection {
	return &inbound.Rejection{
		Reply:  &inbound.Reply{Code: 451, Status: [3]int{4, 4, 1}, Text: "The recipient does not answer now, please try again later"},
		Reason: inbound.RejectUnanswered,
	}
}

func timeoutOf(ep *storage.Endpoint) time.Duration {
	if ep.Timeout <= 0 {
		return defaultTimeout
	}
	return ep.Timeout
}
