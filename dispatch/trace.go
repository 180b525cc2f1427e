package dispatch

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// The phases of a request, as they are named to the owner of an endpoint.
const (
	phaseDNS     = "the name to resolve"
	phaseConnect = "the connection"
	phaseTLS     = "the TLS session"
	phaseWrite   = "the request to be taken"
	phaseAnswer  = "the answer"
)

// trace watches one request. The transport calls it from several goroutines, some of which may outlive the request.
type trace struct {
	begun time.Time

	mu       sync.Mutex
	now      string
	tried    string // address that the guard let through last
	remote   string // address that the request went to
	reused   bool
	answered bool
	session  tls.ConnectionState

	dns, connect, handshake span
	wrote, firstByte        time.Time

	tries int // requests that got a connection
	whole int // of these, those that were written whole, so that their body is read no more
}

// span is the time that a phase took. Several connections may be tried at once: it goes from the first beginning to the last end.
type span struct{ from, to time.Time }

func (s *span) begin() {
	if s.from.IsZero() {
		s.from = time.Now()
	}
}

func (s *span) end() { s.to = time.Now() }

func (s *span) took() int64 { return between(s.from, s.to) }

// between is never 0 for what happened.
func between(from, to time.Time) int64 {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(to.Sub(from).Microseconds(), 1)
}

// traceKey is the key of the trace in a context, where the guard finds it.
type traceKey struct{}

// tryingAddress notes an address that the guard let through.
func tryingAddress(ctx context.Context, address string) {
	if t, ok := ctx.Value(traceKey{}).(*trace); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.tried = address
	}
}

func (t *trace) attach(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, traceKey{}, t)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { t.enter(phaseDNS, &t.dns) },
		DNSDone:           func(httptrace.DNSDoneInfo) { t.leave(&t.dns) },
		ConnectStart:      func(_, _ string) { t.enter(phaseConnect, &t.connect) },
		ConnectDone:       func(_, _ string, _ error) { t.leave(&t.connect) },
		TLSHandshakeStart: func() { t.enter(phaseTLS, &t.handshake) },
		TLSHandshakeDone: func(session tls.ConnectionState, err error) {
			if err == nil {
				t.leave(&t.handshake)
				t.enter(phaseWrite, nil)
				t.secured(&session)
			}
		},
		GotConn: func(info httptrace.GotConnInfo) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.tries++
			t.now, t.reused, t.remote = phaseWrite, info.Reused, info.Conn.RemoteAddr().String()
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				t.mu.Lock()
				defer t.mu.Unlock()
				t.now, t.wrote = phaseAnswer, time.Now()
				t.whole++
			}
		},
		GotFirstResponseByte: func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.answered, t.firstByte = true, time.Now()
		},
	})
}

// enter notes that a phase begins, and its time if it has one.
func (t *trace) enter(phase string, s *span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = phase
	if s != nil {
		s.begin()
	}
}

func (t *trace) leave(s *span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.end()
}

func (t *trace) secured(session *tls.ConnectionState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.session = *session
}

// reset forgets the first try before the second.
func (t *trace) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now, t.tried, t.remote, t.reused, t.answered, t.session = "", "", "", false, false, tls.ConnectionState{}
	t.dns, t.connect, t.handshake, t.wrote, t.firstByte = span{}, span{}, span{}, time.Time{}, time.Time{}
}

func (t *trace) phase() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now == "" {
		return phaseConnect
	}
	return t.now
}

// tell writes down what was seen of the connection; session is that of the answer, nil without one.
func (t *trace) tell(d *storage.AttemptDetail, session *tls.ConnectionState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d.RemoteAddr, d.Reused = t.remote, t.reused
	if t.remote == "" {
		d.RemoteAddr = t.tried
	}
	if session == nil {
		session = &t.session
	}
	if session.Version != 0 {
		d.TLSVersion, d.TLSCipher = tls.VersionName(session.Version), tls.CipherSuiteName(session.CipherSuite)
	}
	times := storage.AttemptTimes{
		DNS: t.dns.took(), Connect: t.connect.took(), TLS: t.handshake.took(),
		Wrote: between(t.begun, t.wrote), FirstByte: between(t.begun, t.firstByte),
	}
	if times != (storage.AttemptTimes{}) {
		d.Times = &times
	}
}

// bodyRead says that the transport certainly reads the body no more. Whoever tried twice may be reading it for the first.
func (t *trace) bodyRead() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tries == 1 && t.whole == 1
}

// diedInPool says that the request went to a connection that had been used before and heard nothing.
func (t *trace) diedInPool() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reused && !t.answered
}
