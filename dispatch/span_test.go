package dispatch

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace/noop"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// TestTracesOffAreFree: neither without a tracer nor for a message that is not traced anything is made or allocated.
func TestTracesOffAreFree(t *testing.T) {
	parent := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, d := range []*Dispatcher{{}, {cfg: Config{Tracing: inbound.Tracing{Tracer: noop.NewTracerProvider().Tracer("")}}}} {
		post, res, c, j, now := &Post{Endpoint: &storage.Endpoint{}}, &Result{}, &storage.Completion{}, &job{}, time.Now()
		if d.cfg.Tracing.Tracer == nil {
			post.parent = parent
		}
		allocated := testing.AllocsPerRun(100, func() {
			span := d.beginSpan(j, post, nil, now)
			if span != nil {
				t.Error("a span was made")
			}
			span.end(res, c)
		})
		if allocated != 0 || post.traceParent != "" {
			t.Errorf("%v allocations, traceparent %q", allocated, post.traceParent)
		}
	}
}
