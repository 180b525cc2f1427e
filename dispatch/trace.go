package dispatch

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync"
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
	mu       sync.Mutex
	now      string
	remote   string
	reused   bool
	answered bool
}

func (t *trace) attach(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { t.enter(phaseDNS) },
		ConnectStart:      func(_, _ string) { t.enter(phaseConnect) },
		TLSHandshakeStart: func() { t.enter(phaseTLS) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err == nil {
				t.enter(phaseWrite)
			}
		},
		GotConn: func(info httptrace.GotConnInfo) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.now, t.reused, t.remote = phaseWrite, info.Reused, info.Conn.RemoteAddr().String()
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				t.enter(phaseAnswer)
			}
		},
		GotFirstResponseByte: func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.answered = true
		},
	})
}

func (t *trace) enter(phase string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = phase
}

// reset forgets the first try before the second.
func (t *trace) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now, t.remote, t.reused, t.answered = "", "", false, false
}

func (t *trace) phase() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now == "" {
		return phaseConnect
	}
	return t.now
}

func (t *trace) remoteAddr() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.remote
}

// diedInPool says that the request went to a connection that had been used before and heard nothing.
func (t *trace) diedInPool() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reused && !t.answered
}
