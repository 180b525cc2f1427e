package dispatch

import (
	"context"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// attemptSpan is the span of an attempt. It belongs to the trace that the message came with, so the attempts of one message
// are found together, whenever and in whatever process they are made. Its methods do nothing on nil.
type attemptSpan struct{ span oteltrace.Span }

// send makes an attempt within a span. Where nothing came of it that is to be recorded the span has ended; else the caller
// ends it.
func (d *Dispatcher) send(ctx context.Context, j *job, post *Post, content *content, begun time.Time) (Result, *attemptSpan) {
	span := d.beginSpan(j, post, content, begun)
	res := d.sender.Send(ctx, post)
	if res.Outcome == outcomeCut || res.Outcome == outcomeUnready {
		span.end(&res, nil)
	}
	return res, span
}

// beginSpan begins the span of an attempt that is ready to be made and has been worked on since begun, and has the request carry
// its context. It is nil where the message is not traced.
func (d *Dispatcher) beginSpan(j *job, post *Post, content *content, begun time.Time) *attemptSpan {
	tracing := &d.cfg.Tracing
	if tracing.Tracer == nil || post.parent == "" {
		return nil
	}
	parent := inbound.WithTraceParent(context.Background(), post.parent)
	ctx, span := tracing.Tracer.Start(parent, "webhook attempt", oteltrace.WithSpanKind(oteltrace.SpanKindClient), oteltrace.WithTimestamp(begun),
		oteltrace.WithAttributes(
			attribute.String("letterhook.message", j.delivery.Message),
			attribute.String("letterhook.delivery", j.delivery.ID),
			attribute.String("letterhook.endpoint", post.Endpoint.ID),
			attribute.Int("letterhook.attempt", post.Attempt),
			attribute.Bool("letterhook.replay", post.Replay),
			attribute.String("http.request.method", "POST"),
		))
	if u, err := url.Parse(post.Endpoint.URL); err == nil { // no more of it: path and query may hold a key
		span.SetAttributes(attribute.String("server.address", u.Hostname()))
	}
	if tracing.Personal && content.data != nil {
		span.SetAttributes(attribute.String("letterhook.subject", content.data.Subject))
	}
	_, preparation := tracing.Tracer.Start(ctx, "prepare event", oteltrace.WithTimestamp(begun))
	preparation.End()
	post.traceParent = inbound.TraceParent(span.SpanContext())
	return &attemptSpan{span}
}

// end ends the span with what became of the attempt.
func (s *attemptSpan) end(res *Result, c *storage.Completion) {
	if s == nil {
		return
	}
	s.span.SetAttributes(attribute.String("letterhook.outcome", res.Outcome))
	if res.Status != 0 {
		s.span.SetAttributes(attribute.Int("http.response.status_code", res.Status))
	}
	if c != nil {
		s.state(c)
	}
	if t := res.Detail.Times; t != nil {
		s.times(res.At, t)
	}
	if res.Outcome != OutcomeDelivered {
		s.span.SetStatus(codes.Error, res.Outcome)
	}
	s.span.End()
}

// state says how the delivery goes on.
func (s *attemptSpan) state(c *storage.Completion) {
	if c.RetryAt.IsZero() {
		s.span.SetAttributes(attribute.String("letterhook.state", c.State))
		return
	}
	s.span.SetAttributes(attribute.String("letterhook.state", "pending"), attribute.String("letterhook.retry_at", c.RetryAt.UTC().Format(time.RFC3339)))
}

// times says where the time went.
func (s *attemptSpan) times(begun time.Time, t *storage.AttemptTimes) {
	for _, phase := range []struct {
		name string
		took int64
	}{{"dns", t.DNS}, {"connect", t.Connect}, {"tls", t.TLS}} {
		if phase.took > 0 {
			s.span.SetAttributes(attribute.Int64("letterhook."+phase.name+"_us", phase.took))
		}
	}
	event := func(name string, us int64) {
		if us > 0 {
			s.span.AddEvent(name, oteltrace.WithTimestamp(begun.Add(time.Duration(us)*time.Microsecond)))
		}
	}
	event("request written", t.Wrote)
	event("first byte of the answer", t.FirstByte)
}
