package inbound_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/letterhook/letterhook/inbound"
)

// traced is a server with the spans that it made, as they ended.
func traced(t *testing.T, personal bool, change func(*inbound.Config)) (*edge, *tracetest.SpanRecorder) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	return serve(t, func(c *inbound.Config) {
		c.Tracing = inbound.Tracing{Tracer: provider.Tracer("test"), Personal: personal}
		if change != nil {
			change(c)
		}
	}), recorder
}

// rootsOf gives the spans of transactions in their order, and the names of the spans within each.
func rootsOf(recorder *tracetest.SpanRecorder) (roots []sdktrace.ReadOnlySpan, within map[trace.SpanID][]string) {
	within = map[trace.SpanID][]string{}
	for _, span := range recorder.Ended() {
		if span.Name() == "smtp message" {
			roots = append(roots, span)
		} else {
			within[span.Parent().SpanID()] = append(within[span.Parent().SpanID()], span.Name())
		}
	}
	return roots, within
}

// everything is all that a span says.
func everything(span sdktrace.ReadOnlySpan) string {
	return fmt.Sprint(span.Name(), span.Attributes(), span.Events(), span.Status())
}

// TestTransactionsAreTraced has several transactions on one connection: each has a trace of its own, the later ones are linked to
// the first, and the context is in the envelope.
func TestTransactionsAreTraced(t *testing.T) {
	e, recorder := traced(t, false, func(c *inbound.Config) {
		c.VerifySender = func(context.Context, *inbound.Envelope, inbound.Body) (*inbound.AuthResults, error) {
			return &inbound.AuthResults{}, nil
		}
		c.Scan = func(context.Context, *inbound.Envelope, inbound.Body) (*inbound.ScanResults, error) { return nil, nil }
	})
	p := e.dial(t)
	p.do("EHLO secret-helo.example", "250")
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RCPT TO:<nobody@in.example.com>", "550")
	p.do("RCPT TO:<bob@in.example.com>", "250")
	p.do("DATA", "354")
	p.do("Subject: private\r\n\r\nHello\r\n.", "250")
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RCPT TO:<bob@in.example.com>", "250")
	p.do("BDAT 7 LAST\r\nHello", "250") // and the line end of do
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RSET", "250")
	p.do("QUIT", "221")
	p.closed()

	roots, within := rootsOf(recorder)
	if len(roots) != 3 {
		t.Fatalf("%d transactions have a span", len(roots))
	}
	for i, want := range []string{"smtp greeting smtp data verify sender scan accept", "smtp data verify sender scan accept", ""} {
		span := roots[i]
		if got := strings.Join(within[span.SpanContext().SpanID()], " "); got != want {
			t.Errorf("transaction %d has the steps %q, want %q", i, got, want)
		}
		if span.Parent().IsValid() {
			t.Errorf("transaction %d is within another span", i)
		}
		if accepted := strings.Contains(everything(span), `"letterhook.accepted":true`); accepted != (i < 2) {
			t.Errorf("transaction %d: %s", i, everything(span))
		}
		for _, secret := range []string{"ann", "bob", "nobody", "sender.example", "secret-helo", "127.0.0.1", "private"} {
			if strings.Contains(everything(span), secret) {
				t.Errorf("%q is in %s", secret, everything(span))
			}
		}
	}
	if got := everything(roots[0]); !strings.Contains(got, "recipient") || !strings.Contains(got, "msg_1") {
		t.Errorf("neither the refusal nor the message is in %s", got)
	}
	for _, later := range roots[1:] {
		if links := later.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != roots[0].SpanContext().SpanID() {
			t.Errorf("links %v", links)
		}
		if later.SpanContext().TraceID() == roots[0].SpanContext().TraceID() {
			t.Error("two messages share a trace")
		}
	}
	for i, mail := range e.spool.all() {
		if want := inbound.TraceParent(roots[i].SpanContext()); mail.env.TraceParent != want || want == "" {
			t.Errorf("message %d was stored with %q, want %q", i, mail.env.TraceParent, want)
		}
		parent := trace.SpanContextFromContext(inbound.WithTraceParent(t.Context(), mail.env.TraceParent))
		if parent.TraceID() != roots[i].SpanContext().TraceID() || !parent.IsRemote() || !parent.IsSampled() {
			t.Errorf("it is read as %+v", parent)
		}
	}
}

// TestPersonalTraces: with the setting addresses are there.
func TestPersonalTraces(t *testing.T) {
	e, recorder := traced(t, true, nil)
	p := e.dial(t)
	p.do("EHLO helo.example", "250")
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RCPT TO:<bob@in.example.com>", "250")
	p.do("DATA", "354")
	p.do("Hello\r\n.", "250")
	p.do("QUIT", "221")
	p.closed()
	roots, _ := rootsOf(recorder)
	for _, want := range []string{"ann@sender.example", "bob@in.example.com", "127.0.0.1", "helo.example"} {
		if len(roots) != 1 || !strings.Contains(everything(roots[0]), want) {
			t.Errorf("%q is not in %v", want, roots)
		}
	}
}

// TestTroubleIsAnError: trouble of ours marks the trace, and its text stays out of it.
func TestTroubleIsAnError(t *testing.T) {
	e, recorder := traced(t, false, nil)
	p := e.dial(t)
	p.do("EHLO helo.example", "250")
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RCPT TO:<bob@trouble.example.com>", "250")
	p.do("DATA", "354")
	p.do("Hello\r\n.", "451")
	p.do("QUIT", "221")
	p.closed()
	roots, _ := rootsOf(recorder)
	if len(roots) != 1 || roots[0].Status().Description != "storage" {
		t.Errorf("spans %v", roots)
	}
}

// TestUntraced: what is not sampled leaves nothing in the envelope.
func TestUntraced(t *testing.T) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	e := serve(t, func(c *inbound.Config) { c.Tracing.Tracer = provider.Tracer("test") })
	p := e.dial(t)
	p.do("EHLO helo.example", "250")
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RCPT TO:<bob@in.example.com>", "250")
	p.do("DATA", "354")
	p.do("Hello\r\n.", "250")
	if got := e.spool.all()[0].env.TraceParent; got != "" {
		t.Errorf("it was stored with %q", got)
	}
}

// FuzzTraceParent: whatever stands in a row is no trouble.
func FuzzTraceParent(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("00-00000000000000000000000000000000-0000000000000000-00")
	f.Fuzz(func(t *testing.T, text string) {
		span := trace.SpanContextFromContext(inbound.WithTraceParent(context.Background(), text))
		if again := inbound.TraceParent(span); span.IsValid() && trace.SpanContextFromContext(inbound.WithTraceParent(context.Background(), again)).SpanID() != span.SpanID() {
			t.Errorf("%q becomes %q", text, again)
		}
	})
}
