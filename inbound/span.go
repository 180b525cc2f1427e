package inbound

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Tracing says what becomes of OpenTelemetry traces. Each message has one of its own, from MAIL, for the first message of a
// connection from the connection itself, to the last attempt at its last endpoint. Its zero value costs nothing: no span is
// made, and nothing is allocated.
type Tracing struct {
	// Tracer makes the spans; nil: there are none. It also decides which messages are traced at all.
	Tracer trace.Tracer
	// Personal puts mail addresses, the addresses of clients and subjects into attributes.
	Personal bool
}

// traceContext is how a context is written down (W3C Trace Context).
var traceContext propagation.TraceContext

// TraceParent writes the context of a span as the field traceparent has it; empty where there is none.
func TraceParent(span trace.SpanContext) string {
	if !span.IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	traceContext.Inject(trace.ContextWithSpanContext(context.Background(), span), carrier)
	return carrier["traceparent"]
}

// WithTraceParent gives a context whose span is the one that text names, which may have ended long ago; ctx itself where
// text is empty or no such field.
func WithTraceParent(ctx context.Context, text string) context.Context {
	if text == "" {
		return ctx
	}
	return traceContext.Extract(ctx, propagation.MapCarrier{"traceparent": text})
}

// beginSpan begins the span of a transaction; nil: it is not traced. The first one of a connection begins with the connection;
// the later ones are linked to it, so that one trace does not hold all that a relay has to say in an hour.
func (c *conn) beginSpan() trace.Span {
	tracing := &c.srv.cfg.Tracing
	if tracing.Tracer == nil {
		return nil
	}
	options := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("letterhook.listener", c.listener.Name),
		attribute.Int("letterhook.session.message", c.messages+1),
		attribute.Bool("letterhook.tls", c.tls != nil),
	)}
	first := !c.traced.IsValid()
	if first {
		options = append(options, trace.WithTimestamp(c.opened))
	} else {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: c.traced}))
	}
	ctx, span := tracing.Tracer.Start(c.ctx, "smtp message", options...)
	if !span.IsRecording() {
		return nil
	}
	if first {
		c.traced = span.SpanContext()
		_, before := tracing.Tracer.Start(ctx, "smtp greeting", trace.WithTimestamp(c.opened))
		before.End()
	}
	if tracing.Personal {
		span.SetAttributes(attribute.String("client.address", textOf(c.remote)), attribute.String("letterhook.helo", c.helo))
	}
	return span
}

// step begins a span within that of the transaction; nil where the transaction is not traced. [endStep] ends it.
func (c *conn) step(name string) (context.Context, trace.Span) {
	if c.tx == nil || c.tx.span == nil {
		return c.ctx, nil
	}
	return c.srv.cfg.Tracing.Tracer.Start(trace.ContextWithSpan(c.ctx, c.tx.span), name)
}

// endStep ends a span of [conn.step]. What err says is left out: it may be anything.
func endStep(span trace.Span, err error) {
	if span == nil {
		return
	}
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// describe puts into a span what the log is told.
func describe(span trace.Span, attrs []slog.Attr) {
	for _, a := range attrs {
		span.SetAttributes(attribute.String("letterhook."+a.Key, a.Value.String()))
	}
}

// traceRefusal notes a refusal in the span of the transaction. The reply is left out: it may name the recipient.
func (c *conn) traceRefusal(r *refusal) {
	if c.tx == nil || c.tx.span == nil {
		return
	}
	c.tx.span.AddEvent("refused", trace.WithAttributes(attribute.String("letterhook.reason", r.reason), attribute.Int("letterhook.code", r.Code)))
	if r.ours() {
		c.tx.span.SetStatus(codes.Error, r.reason)
	}
}

// traceAccepted notes in the span of the transaction what was accepted.
func (c *conn) traceAccepted(env *Envelope, ids []string, size int64) {
	span := c.tx.span
	if span == nil {
		return
	}
	c.tx.stored = true
	span.SetAttributes(attribute.StringSlice("letterhook.messages", ids), attribute.Int64("letterhook.size", size),
		attribute.Int("letterhook.recipients", len(env.Recipients)))
	if !c.srv.cfg.Tracing.Personal {
		return
	}
	paths := make([]string, len(env.Recipients))
	for i := range env.Recipients {
		paths[i] = env.Recipients[i].Path.String()
	}
	span.SetAttributes(attribute.String("letterhook.reverse_path", env.ReversePath.String()), attribute.StringSlice("letterhook.forward_paths", paths))
}

// endSpan ends the span of a transaction.
func (t *transaction) endSpan() {
	if t.span == nil {
		return
	}
	t.span.SetAttributes(attribute.Bool("letterhook.accepted", t.stored))
	t.span.End()
	t.span = nil
}
