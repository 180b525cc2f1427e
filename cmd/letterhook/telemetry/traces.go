package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// maxQueue is how many spans wait for the collector at most; a message makes about ten.
	maxQueue = 16384
	// exportTimeout is how long a request to the collector may take, with its repetitions.
	exportTimeout = 10 * time.Second
	// closeTimeout is how long the last spans may take at a stop.
	closeTimeout = 5 * time.Second
)

// Config says where traces go.
type Config struct {
	// Endpoint is the URL that traces are posted to, for example http://localhost:4318/v1/traces.
	Endpoint string
	// Headers go with each request to it.
	Headers map[string]string
	// Sample is the share of messages that are traced, from 0 to 1.
	Sample float64

	Version  string // of the program
	Hostname string // tells this server from others

	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Traces collects spans and sends them away.
type Traces struct {
	provider *sdktrace.TracerProvider
}

// Open makes the way to the collector. It is not asked whether it is there: when it comes, it gets what is made then.
func Open(ctx context.Context, c Config) (*Traces, error) {
	client, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.Endpoint), otlptracehttp.WithHeaders(c.Headers),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression), otlptracehttp.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("preparing traces: %w", err)
	}
	e := &exporter{SpanExporter: client, log: c.Log, spans: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "letterhook_trace_spans_total", Help: "Spans for the collector of traces, by whether it took them.",
	}, []string{"result"})}
	for _, result := range []string{sent, failed} {
		e.spans.WithLabelValues(result) // present from the start, so that a rate can be taken
	}
	if err := c.Registerer.Register(e.spans); err != nil {
		return nil, errors.Join(fmt.Errorf("registering metrics: %w", err), client.Shutdown(ctx))
	}
	// Of the mail's own making: what a peer says of traces is not listened to, so no stranger decides what is kept.
	return &Traces{sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(e, sdktrace.WithMaxQueueSize(maxQueue), sdktrace.WithExportTimeout(exportTimeout)),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.Sample))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "letterhook"),
			attribute.String("service.version", c.Version),
			attribute.String("host.name", c.Hostname),
		)),
	)}, nil
}

// Tracer makes spans.
func (t *Traces) Tracer() trace.Tracer { return t.provider.Tracer("github.com/letterhook/letterhook") }

// Flush sends what waits, and returns when that is done or ctx ends.
func (t *Traces) Flush(ctx context.Context) error { return t.provider.ForceFlush(ctx) }

// Close sends what waits, within a few seconds, and ends. What the collector does not take then is lost; nothing else depends on
// it.
func (t *Traces) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("closing traces: %w", err)
	}
	return nil
}

// What the collector did with spans: the closed set of values of the label "result".
const (
	sent   = "sent"
	failed = "failed"
)

// exporter tells of trouble with the collector in our own log: once when it begins, once when it is over. The library has a
// handler of errors for the whole process instead.
type exporter struct {
	sdktrace.SpanExporter
	log   *slog.Logger
	spans *prometheus.CounterVec
	away  atomic.Bool
}

// ExportSpans implements [sdktrace.SpanExporter].
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		e.spans.WithLabelValues(failed).Add(float64(len(spans)))
		if !e.away.Swap(true) {
			e.log.Warn("the collector of traces takes none; spans are lost meanwhile", "error", err)
		}
		return nil
	}
	e.spans.WithLabelValues(sent).Add(float64(len(spans)))
	if e.away.Swap(false) {
		e.log.Info("the collector of traces takes them again")
	}
	return nil
}
