package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// attempt makes one attempt and has it recorded, or puts the delivery off when it cannot be made. The end of running keeps a
// request that has not begun from beginning: it might have too little time left before the end of ctx cuts it, and what the
// endpoint has taken by then comes once more.
func (d *Dispatcher) attempt(running, ctx context.Context, j *job) {
	ctx, land := d.fly(ctx)
	defer land()
	ep := d.endpoint(j.lane.endpoint)
	if ep == nil || ep.Disabled {
		d.unmade(running, j, ep, errNoEndpoint)
		return
	}
	flight, err := d.reserve(running, j, ep)
	if err != nil {
		d.unmade(running, j, ep, err)
		return
	}
	defer flight.release()
	begun := time.Now()
	post, content, err := d.ready(running, j, ep, flight)
	if kept, ok := errors.AsType[*filteredError](err); ok {
		d.filtered(j, ep, kept)
		return
	}
	if err == nil {
		err = running.Err() // perhaps it waited for nothing that this would end
	}
	if err != nil {
		d.unmade(running, j, ep, err)
		return
	}
	if !d.mayBegin() {
		d.board.unmade(j, false, time.Now())
		return
	}
	res, span := d.send(ctx, j, post, content, begun)
	res.Detail.Filtered = post.Filtered
	switch res.Outcome {
	case outcomeCut:
		d.board.unmade(j, false, time.Now())
		return
	case outcomeUnready:
		d.unmade(ctx, j, ep, res.Err)
		return
	}
	d.step("posted")
	now := time.Now()
	res.Refused = d.refuses(ep, &res)
	spared := d.board.posted(j, &res, now) && !ep.Shadow // whose attempts are few
	c := completion(j, ep, &res)
	c.Summary, c.Parsed = content.summary, content.counted
	switch {
	case res.Outcome == OutcomeDelivered:
		c.State = storage.StateDelivered
	case res.Refused:
		c.State = storage.StateDead
		c.Reason = fmt.Sprintf("the endpoint answered %d, which in the format %s asks for no further attempt", res.Status, ep.Format)
	case res.Abort:
		c.State, c.Reason = storage.StateDead, "the endpoint asked not to be sent it again (webhook-delivery: abort-message)"
	default:
		d.again(&c, j, ep, &res, spared, now)
	}
	asShadow(ep, &c)
	d.report(j, ep, &res, &c)
	span.end(&res, &c)
	if !c.RetryAt.IsZero() && ep.Ordered {
		// In the store it keeps its place before all that was accepted later.
		j.heldUntil, c.RetryAt = c.RetryAt, j.delivery.DueAt
	}
	d.record(j, c)
}

// refuses says whether the answer asks for no further attempt at this mail, as the endpoint's format has it.
func (d *Dispatcher) refuses(ep *storage.Endpoint, res *Result) bool {
	f, err := d.format(ep)
	return err == nil && res.Outcome == OutcomeStatus && f.Refuses(ep, res.Status)
}

// again says when a failed delivery is tried again, or that it is dead.
func (d *Dispatcher) again(c *storage.Completion, j *job, ep *storage.Endpoint, res *Result, spared bool, now time.Time) {
	v := judge(ep, d.cfg.Schedule, j.delivery, failure{n: c.Attempt.N, spared: spared, retryAfter: res.RetryAfter}, now, rand.Float64())
	c.RetryAt, c.Reason, c.Spared = v.retryAt, v.reason, spared
	j.spared = spared
	if v.retryAt.IsZero() {
		c.State = storage.StateDead
	}
}

// ready makes the request and waits until its octets may be in flight. Its place at the desk is kept until then, so that
// what is ready and waits is bounded too.
func (d *Dispatcher) ready(ctx context.Context, j *job, ep *storage.Endpoint, flight *share) (*Post, *content, error) {
	desk := &share{from: d.desk}
	defer desk.release()
	post, content, err := d.compose(ctx, j, ep, desk)
	if err != nil {
		return nil, nil, err
	}
	d.step("rendered")
	d.board.letGo(j)
	if err := flight.take(ctx, post.Form.cost()+attemptCost); err != nil {
		return nil, nil, err
	}
	if d.erased.has(j.delivery.Message) {
		return nil, nil, storage.ErrErased
	}
	return post, content, nil
}

// compose makes the request.
func (d *Dispatcher) compose(ctx context.Context, j *job, ep *storage.Endpoint, desk *share) (*Post, *content, error) {
	mail, content, err := d.prepare(ctx, j.letter, desk)
	if err != nil {
		return nil, nil, err
	}
	smallest, err := d.wasTooLarge(ctx, &j.delivery)
	if err != nil {
		return nil, nil, err
	}
	format, err := d.format(ep)
	if err != nil {
		return nil, nil, err
	}
	recipients, filtered, err := d.filter(mail, content, ep, j)
	if err != nil {
		return nil, nil, err
	}
	c, err := d.copyFor(ctx, mail, content, ep, recipients, j.delivery.Part, time.Now())
	if err != nil {
		return nil, nil, err
	}
	c.Smallest = smallest
	form, err := format.Form(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return &Post{
		Endpoint: ep, ID: c.ID, Attempt: j.delivery.Attempts + 1, Replay: j.delivery.Replay, Smallest: smallest, Form: form,
		Filtered: filtered, parent: mail.Envelope.TraceParent,
	}, content, nil
}

// wasTooLarge says whether an attempt of the delivery was answered 413. It need not be the last: a smaller form that met
// other trouble is no reason to send the large one again.
func (d *Dispatcher) wasTooLarge(ctx context.Context, delivery *storage.Delivery) (bool, error) {
	if delivery.Attempts == 0 {
		return false, nil
	}
	return d.cfg.Store.Answered(ctx, delivery, http.StatusRequestEntityTooLarge)
}

func completion(j *job, ep *storage.Endpoint, res *Result) storage.Completion {
	c := storage.Completion{Attempt: storage.Attempt{
		Delivery: j.delivery.ID, Message: j.delivery.Message, Endpoint: j.delivery.Endpoint, N: j.delivery.Attempts + 1,
		At: res.At, Duration: res.Duration, Outcome: res.Outcome, Status: res.Status, Detail: res.Detail,
	}}
	if strings.HasPrefix(ep.ID, replayPrefix) {
		c.Account = ep.Account
	}
	return c
}

// minTroubles is how often a delivery must have been kept from its attempt before it is given up.
const minTroubles = 4

// unmade puts a delivery off that trouble of our own kept from being attempted; it costs no attempt. When the trouble has
// lasted for the maximum age, as far as this run knows, the delivery is dead: what cannot be read for so long will not
// come back. The age of the delivery itself does not matter.
func (d *Dispatcher) unmade(ctx context.Context, j *job, ep *storage.Endpoint, cause error) {
	now := time.Now()
	if errors.Is(cause, storage.ErrErased) {
		d.dropErased(j)
		return
	}
	if ctx.Err() != nil || errors.Is(cause, errNoEndpoint) || errors.Is(cause, errUploadsBusy) {
		j.troubles = 0
		d.board.unmade(j, false, now)
		return
	}
	d.metrics.troubles.Inc()
	if j.troubles++; j.troubles == 1 {
		j.troubleSince = now
	}
	maxAge := maxAgeOf(ep)
	if j.troubles < minTroubles || now.Sub(j.troubleSince) < maxAge {
		ofMail := errors.Is(cause, storage.ErrNotFound) || errors.Is(cause, storage.ErrDamaged)
		if ofMail || j.troubles == 1 { // trouble of ours may last, and is tried every few seconds
			d.log.Error("a delivery could not be made ready; trying again", "message", j.delivery.Message,
				"delivery", j.delivery.ID, "endpoint", ep.ID, "error", cause)
		}
		d.board.unmade(j, ofMail, now)
		return
	}
	res := Result{At: now, Outcome: OutcomeUnreadable, Err: cause}
	res.Detail.Error = "the mail could not be made ready"
	c := completion(j, ep, &res)
	c.State, c.Reason = storage.StateDead, fmt.Sprintf("the mail could not be made ready within %s", maxAge)
	d.board.posted(j, &res, now)
	asShadow(ep, &c)
	d.report(j, ep, &res, &c)
	d.record(j, c)
}

// report writes the one line about the attempt.
func (d *Dispatcher) report(j *job, ep *storage.Endpoint, res *Result, c *storage.Completion) {
	if res.Outcome != OutcomeUnreadable {
		d.metrics.attempt(res)
	}
	attrs := []slog.Attr{
		slog.String("message", j.delivery.Message), slog.String("delivery", j.delivery.ID), slog.String("endpoint", ep.ID),
		slog.Int("attempt", c.Attempt.N), slog.String("outcome", res.Outcome), slog.Int("status", res.Status),
		slog.Duration("duration", res.Duration), slog.Duration("lag", res.At.Sub(j.delivery.DueAt)),
	}
	level := slog.LevelInfo
	switch {
	case !c.RetryAt.IsZero():
		level = slog.LevelWarn
		attrs = append(attrs, slog.Time("retry_at", c.RetryAt))
	case c.State == storage.StateDead:
		level = slog.LevelError
		attrs = append(attrs, slog.String("reason", c.Reason))
	}
	switch c.State {
	case storage.StateWithdrawn, storage.StateRefused:
		attrs = append(attrs, slog.String("state", c.State))
	}
	if j.delivery.Replay {
		attrs = append(attrs, slog.Bool("replay", true))
	}
	if res.Err != nil {
		attrs = append(attrs, slog.String("error", res.Err.Error()))
	}
	var blocked *BlockedError
	if errors.As(res.Err, &blocked) && blocked.Private {
		attrs = append(attrs, slog.String("hint", "allow_private: true would let it through"), slog.String("declared", ep.Source))
	}
	d.log.LogAttrs(context.Background(), level, "attempt", attrs...)
}

// attemptCost is what an attempt holds in memory beside its body, in octets: buffers, the stacks of its goroutines.
const attemptCost = 16 << 10

// reserve gives the share of the octets in flight for an attempt. Suspect lanes have an allowance of their own, so that however
// many endpoints hang, what they hold leaves room for the others. They wait for it at once and for all that the body may
// need, because whoever waits later holds a mail in memory that was made ready.
func (d *Dispatcher) reserve(ctx context.Context, j *job, ep *storage.Endpoint) (*share, error) {
	if !j.suspect {
		return &share{from: d.healthy}, nil
	}
	size := int64(ep.MaxBody)
	if size <= 0 {
		size = defaultMaxBody
	}
	s := &share{from: d.suspects}
	return s, s.take(ctx, size+attemptCost)
}
