package dispatch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/letterhook/letterhook/storage"
)

const (
	defaultTimeout = 15 * time.Second

	maxKeptBody    = 16 << 10 // octets of a response kept with the attempt
	maxDrain       = 64 << 10 // read at most so much to use the connection again; else it is closed
	maxKeptHeaders = 4 << 10
	maxHeaderBytes = 64 << 10
)

// Sender makes attempts: one signed POST each, with a deadline over everything from the name's resolution to the end of
// the answer. It follows no redirect, uses no proxy but the endpoint's own, and connects only where its [Guard] lets it. It
// knows nothing of schedules. Safe for concurrent use.
type Sender struct {
	userAgent string
	guard     Guard
	dial      func(ctx context.Context, network, addr string, private bool) (net.Conn, error)
	ways      ways
	tokens    tokens
	stored    func(endpoint string) []storage.EndpointSecret // that sign beside what the endpoint's declaration has
	mayWrite  func() bool                                    // asked before each write to a connection; nil: always
}

// Post is one attempt to be made.
type Post struct {
	Endpoint *storage.Endpoint
	ID       string // the webhook-id
	Attempt  int    // counted from 1
	Replay   bool
	Sync     bool // a peer waits for the answer
	Smallest bool // Form is the smallest
	Form     *Form
	Filtered []string // which recipients of the delivery it is not for, and why

	parent      string // trace context that the message came with; empty: it is not traced
	traceParent string // that of the attempt, for the request; empty: none
}

// Result says how an attempt went.
type Result struct {
	At         time.Time
	Duration   time.Duration
	Outcome    string
	Status     int                   // 0: there was no answer
	Detail     storage.AttemptDetail // may be shown to the owner of the endpoint
	RetryAfter time.Duration         // what the endpoint asked for, 1 s to 24 h; 0: nothing
	Disable    bool                  // the endpoint asked to be disabled
	Refused    bool                  // in the endpoint's format the status asks for no further attempt at this mail
	Abort      bool                  // the endpoint asked never to be tried with this event again
	Err        error                 // for the operator's log only; nil when an answer came
}

// NewSender returns a Sender that holds no connection yet.
func NewSender(guard Guard, userAgent string) *Sender {
	s := &Sender{userAgent: userAgent, guard: guard, dial: guard.dial, stored: func(string) []storage.EndpointSecret { return nil }}
	s.ways.open = map[way]*opened{}
	s.ways.dial = func(ctx context.Context, network, addr string, private bool) (net.Conn, error) {
		conn, err := s.dial(ctx, network, addr, private)
		if err == nil && s.mayWrite != nil {
			conn = &gatedConn{conn, s.mayWrite}
		}
		return conn, err
	}
	s.tokens.held = map[[sha256.Size]byte]*grant{}
	return s
}

// WriteWhile has every connection ask before each write whether octets may leave. It is to be called before anything is sent.
func (s *Sender) WriteWhile(may func() bool) { s.mayWrite = may }

// Close closes the idle connections. Attempts may still be made afterwards.
func (s *Sender) Close() { s.ways.close() }

// Send makes the attempt and returns when the answer was read, the endpoint's timeout has passed, or ctx ended; in the
// last case the outcome must not be recorded. The status line decides: an answer of 2xx whose body does not end in time
// is a delivery all the same. Whoever made the body may have its memory back by then: the form is sent once.
func (s *Sender) Send(ctx context.Context, p *Post) Result {
	timeout := timeoutOf(p.Endpoint)
	now := time.Now()
	body, err := p.seal(ctx, now, ring(p.Endpoint, s.stored(p.Endpoint.ID), now))
	if err != nil {
		return Result{At: time.Now(), Outcome: outcomeUnready, Err: err}
	}
	res := Result{At: time.Now()}
	attemptCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tr := &trace{begun: res.At}
	x := exchange{sender: s, post: p, body: body, trace: tr, retryUntil: res.At.Add(timeout / 2)}
	resp, err := x.make(attemptCtx)
	if resp != nil {
		defer resp.Body.Close() // also when err is not nil: the library may give both
	}
	switch {
	case err != nil && (ctx.Err() != nil || s.isGated()):
		res.Outcome = outcomeCut
	case body.failed() != nil:
		res.Outcome, res.Err = outcomeUnready, body.failed()
	case err != nil:
		res.Err = withoutURL(err)
		res.Outcome, res.Detail.Error = x.explain(attemptCtx, err)
	default:
		res.Status = resp.StatusCode
		res.Outcome, res.Detail.Error = x.explainStatus(resp)
		res.Detail.Header = keepHeader(resp.Header)
		res.Detail.Body, res.Detail.Truncated = keepBody(resp.Body)
		res.obey(resp.Header)
	}
	x.tell(&res, resp)
	res.mask(p.Endpoint, x.authorization)
	res.Duration = time.Since(res.At)
	if p.Form.sent != nil && tr.bodyRead() {
		p.Form.sent()
	}
	return res
}

// obey reads what the endpoint asks for beside its status.
func (r *Result) obey(header http.Header) {
	wish := strings.ToLower(strings.TrimSpace(header.Get("webhook-delivery")))
	r.Disable = wish == "disable"
	if r.Outcome != OutcomeDelivered {
		r.Abort = wish == "abort-message"
		r.RetryAfter = parseRetryAfter(header.Get("Retry-After"), time.Now())
	}
}

// setHeader sets the endpoint's own fields first, so that none of them can stand in for one of ours.
func (s *Sender) setHeader(req *http.Request, p *Post, body *sealed, authorization string) {
	for name, value := range p.Endpoint.Headers {
		switch http.CanonicalHeaderKey(name) {
		case "Host":
			req.Host = value
		case "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade":
			// they frame the request and are the transport's
		default:
			req.Header.Set(name, value)
		}
	}
	req.Header.Set("Content-Type", p.Form.MediaType)
	setOrDelete(req.Header, "Content-Encoding", p.Form.Encoding)
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json") // else some frameworks answer a fault with a redirect to a page
	}
	req.Header.Set("User-Agent", s.userAgent)
	req.Header.Set("webhook-id", p.ID)
	req.Header.Set("letterhook-attempt", strconv.Itoa(p.Attempt))
	req.Header.Del("letterhook-replay")
	if p.Replay {
		req.Header.Set("letterhook-replay", "true")
	}
	req.Header.Del("letterhook-sync")
	if p.Sync {
		req.Header.Set("letterhook-sync", "true")
	}
	setOrDelete(req.Header, "letterhook-omitted", p.Form.Omitted)
	if p.traceParent != "" {
		req.Header.Set("traceparent", p.traceParent)
		req.Header.Del("tracestate") // of another trace
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	sign(req.Header, p, body)
}

func setOrDelete(header http.Header, name, value string) {
	if value == "" {
		header.Del(name)
	} else {
		header.Set(name, value)
	}
}

// sign sets the fields that are fresh on each request. It sets and never adds: a retry shares the header map. A body that is
// written while it is sent was signed when it was sealed.
func sign(header http.Header, p *Post, body *sealed) {
	if p.Form.Write == nil {
		now := time.Now()
		header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
		setOrDelete(header, "webhook-signature", body.keys.sign(p.ID, now, p.Form.signed()))
	} else {
		header.Del("webhook-signature")
	}
	maps.Copy(header, body.header)
}

// keepBody reads what is kept of a response and drains the rest if it is short. The deadline of the attempt ends a body
// that does not end.
func keepBody(r io.Reader) (body string, truncated bool) {
	b, err := io.ReadAll(io.LimitReader(r, maxKeptBody+1))
	if err == nil && len(b) > maxKeptBody {
		_, err = io.CopyN(io.Discard, r, maxDrain-maxKeptBody)
	}
	if len(b) > maxKeptBody {
		return clip(clean(string(b)), maxKeptBody), true
	}
	return clip(clean(string(b)), maxKeptBody), err != nil
}

// keepHeader keeps what fits of a header, small fields first: so Content-Type is there, and the same ones are every time.
func keepHeader(h http.Header) map[string]string {
	fields := make(map[string]string, len(h))
	for name, values := range h {
		fields[name] = clean(strings.Join(values, ", "))
	}
	sizeOf := func(name string) int { return len(name) + len(fields[name]) }
	names := slices.SortedFunc(maps.Keys(fields), func(a, b string) int {
		return cmp.Or(cmp.Compare(sizeOf(a), sizeOf(b)), strings.Compare(a, b))
	})
	size := 0
	for _, name := range names {
		if size += sizeOf(name); size > maxKeptHeaders {
			delete(fields, name)
		}
	}
	return fields
}
