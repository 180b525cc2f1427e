package main

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	otlpcollector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// traceCollector receives traces as any collector of OpenTelemetry does: OTLP over HTTP.
type traceCollector struct {
	url string

	mu    sync.Mutex
	spans []*otlp.Span
	keys  map[string]bool // that the requests had
}

func collectTraces(t *testing.T) *traceCollector {
	t.Helper()
	c := &traceCollector{keys: map[string]bool{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer, err := proto.Marshal(&otlpcollector.ExportTraceServiceResponse{})
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(answer)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL + "/v1/traces"
	return c
}

func (c *traceCollector) take(r *http.Request) error {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = z
	}
	octets, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var request otlpcollector.ExportTraceServiceRequest
	if err := proto.Unmarshal(octets, &request); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[r.Header.Get("Api-Key")] = true
	for _, resource := range request.GetResourceSpans() {
		if !strings.Contains(fmt.Sprint(resource.GetResource()), "letterhook") {
			return fmt.Errorf("the resource is %v", resource.GetResource())
		}
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	return nil
}

// named gives the spans of a name, in the order in which they began.
func (c *traceCollector) named(name string) (found []*otlp.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.GetName() == name {
			found = append(found, s)
		}
	}
	for i := range found { // few
		for k := range i {
			if found[i].GetStartTimeUnixNano() < found[k].GetStartTimeUnixNano() {
				found[i], found[k] = found[k], found[i]
			}
		}
	}
	return found
}

// parents are the values of the field traceparent that an endpoint got.
type parents struct {
	url string
	got chan string
}

// failingFirst is an endpoint that takes no more than the second request.
func failingFirst(t *testing.T) parents {
	t.Helper()
	p := parents{got: make(chan string, 10)}
	first := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if first { // attempts of one delivery come one after the other
			first = false
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		p.got <- r.Header.Get("Traceparent")
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// end stops the server and waits until it has.
func (s *serving) end(t *testing.T) {
	t.Helper()
	s.stop()
	err := <-s.done
	if err != nil {
		t.Errorf("it ended with %v", err)
	}
	s.done <- nil // for the end of the test
}

const tracedSubject = "The merger"

// tracedConfig is a server with traces and an endpoint that is tried again after a second.
func tracedConfig(url, tracing string) string {
	text := strings.ReplaceAll(served, "URL", url)
	return strings.Replace(text, "allow_private: true,", "allow_private: true, schedule: [1s],", 1) + tracing
}

// TestTraceOverARestart follows one message from the SMTP session to its last attempt, which another process makes, in what a
// collector gets.
func TestTraceOverARestart(t *testing.T) {
	c, endpoint := collectTraces(t), failingFirst(t)
	text := tracedConfig(endpoint.url, fmt.Sprintf("tracing: {endpoint: %q, headers: {Api-Key: open sesame}}\n", c.url))
	first := serveFile(t, text)
	id := send(t, first.smtpListeners[0].Addr().String(), sendOptions{from: "ann@sender.example", to: []string{"ann@in.example.com"}, subject: tracedSubject, text: "Hello\n"})
	parentOfFirst := <-endpoint.got
	first.log.await(t, "retry_at")
	first.end(t)

	second := serveFile(t, strings.ReplaceAll(text, "DATA", first.cfg.DataDir))
	parentOfSecond := <-endpoint.got
	second.log.await(t, "outcome=delivered")
	second.end(t)

	roots, attempts := c.named("smtp message"), c.named("webhook attempt")
	if len(roots) != 1 || len(attempts) != 2 {
		t.Fatalf("%d messages and %d attempts were traced", len(roots), len(attempts))
	}
	root := roots[0]
	for i, attempt := range attempts {
		if string(attempt.GetParentSpanId()) != string(root.GetSpanId()) {
			t.Errorf("attempt %d is not within the message", i+1)
		}
		want := fmt.Sprintf("00-%s-%s-01", hex.EncodeToString(root.GetTraceId()), hex.EncodeToString(attempt.GetSpanId()))
		if got := []string{parentOfFirst, parentOfSecond}[i]; got != want {
			t.Errorf("the request of attempt %d has traceparent %q, want %q", i+1, got, want)
		}
		if !strings.Contains(fmt.Sprint(attempt.GetAttributes()), id) {
			t.Errorf("attempt %d does not name the message: %v", i+1, attempt.GetAttributes())
		}
	}
	if got := fmt.Sprint(attempts[0]); !strings.Contains(got, "503") || !strings.Contains(got, "letterhook.retry_at") {
		t.Errorf("the first attempt says %s", got)
	}
	if got := fmt.Sprint(attempts[1]); !strings.Contains(got, "delivered") || !strings.Contains(got, "first byte of the answer") {
		t.Errorf("the second attempt says %s", got)
	}
	for _, name := range []string{"smtp greeting", "smtp data", "accept"} {
		if len(c.named(name)) != 1 {
			t.Errorf("there is no span %q", name)
		}
	}
	if len(c.named("prepare event")) != 2 {
		t.Error("the preparation of events has no spans")
	}
	for _, s := range c.spans {
		if string(s.GetTraceId()) != string(root.GetTraceId()) {
			t.Errorf("%s belongs to another trace", s.GetName())
		}
		if s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() || s.GetStartTimeUnixNano() < uint64(time.Now().Add(-time.Hour).UnixNano()) {
			t.Errorf("%s goes from %d to %d", s.GetName(), s.GetStartTimeUnixNano(), s.GetEndTimeUnixNano())
		}
		for _, personal := range []string{"@", "sender.example", "in.example.com", tracedSubject} {
			if strings.Contains(fmt.Sprint(s.GetName(), s.GetAttributes(), s.GetEvents(), s.GetStatus()), personal) { // ids are any octets
				t.Errorf("%q is in the span %v", personal, s)
			}
		}
	}
	if !c.keys["open sesame"] || len(c.keys) != 1 {
		t.Errorf("the requests had the keys %v", c.keys)
	}
	if strings.Contains(first.log.String(), "open sesame") {
		t.Error("the key is in the log")
	}
}

// TestPersonalTrace: what was asked for is there, on a synchronous route too, whose attempt is made within the session.
func TestPersonalTrace(t *testing.T) {
	c := collectTraces(t)
	url, _ := endpointOf(t, testSecret, func() int { return http.StatusOK })
	text := strings.Replace(strings.ReplaceAll(served, "URL", url), "{match: ann, endpoints: [app]}", "{match: ann, endpoints: [app], sync: true}", 1)
	s := serveFile(t, text+fmt.Sprintf("tracing: {endpoint: %q, personal: true}\n", c.url))
	send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "ann@sender.example", to: []string{"ann@in.example.com"}, subject: tracedSubject, text: "Hello\n"})
	s.end(t)
	root, attempt := c.named("smtp message"), c.named("webhook attempt")
	if len(root) != 1 || len(attempt) != 1 || string(attempt[0].GetParentSpanId()) != string(root[0].GetSpanId()) {
		t.Fatalf("traced: %v, %v", root, attempt)
	}
	if attempt[0].GetEndTimeUnixNano() > root[0].GetEndTimeUnixNano() {
		t.Error("the attempt ended after the session")
	}
	if !strings.Contains(fmt.Sprint(attempt[0]), tracedSubject) || !strings.Contains(fmt.Sprint(root[0]), "ann@sender.example") {
		t.Errorf("neither subject nor address: %v, %v", root[0], attempt[0])
	}
}

// TestUntracedMail: without a collector, and where the share says no, nothing is sent, no request carries a context and no row holds one.
func TestUntracedMail(t *testing.T) {
	c := collectTraces(t)
	for _, tracing := range []string{"", fmt.Sprintf("tracing: {endpoint: %q, sample: 0}\n", c.url)} {
		endpoint := failingFirst(t)
		s := serveFile(t, tracedConfig(endpoint.url, tracing))
		id := send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "", to: []string{"ann@in.example.com"}, text: "Hello\n"})
		if got := <-endpoint.got + <-endpoint.got; got != "" {
			t.Errorf("with %q a request carries %q", tracing, got)
		}
		mail, err := s.store.Mail(t.Context(), id)
		if err != nil || mail.Envelope.TraceParent != "" {
			t.Errorf("with %q the row says %+v, %v", tracing, mail, err)
		}
		s.end(t)
	}
	if len(c.spans) > 0 {
		t.Errorf("traced: %v", c.spans)
	}
}

// TestCollectorIsAway: a collector that refuses, or is not there, costs its spans and nothing else.
func TestCollectorIsAway(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer refusing.Close()
	url, verified := endpointOf(t, testSecret, func() int { return http.StatusOK })
	s := serveFile(t, strings.ReplaceAll(served, "URL", url)+fmt.Sprintf("tracing: {endpoint: \"%s/v1/traces\"}\n", refusing.URL))
	for range 3 {
		send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "", to: []string{"ann@in.example.com"}, text: "Hello\n"})
		<-verified
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.traces.Flush(ctx); err != nil {
		t.Error(err)
	}
	s.log.await(t, "the collector of traces takes none")
	if metrics := get(t, "http://"+s.private.Addr().String()+"/metrics"); !strings.Contains(metrics, `letterhook_trace_spans_total{result="failed"}`) ||
		strings.Contains(metrics, `letterhook_trace_spans_total{result="failed"} 0`) {
		t.Error("the lost spans are not counted")
	}
	s.end(t)
}
