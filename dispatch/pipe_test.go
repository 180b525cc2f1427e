package dispatch

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
)

// network is a network without a kernel, so that the clock of a test can be a virtual one: real HTTP clients and servers
// over pipes. Every host name has a handler of its own.
type network struct {
	mu    sync.Mutex
	hosts map[string]*host
	conns sync.WaitGroup
}

// host is an endpoint in the virtual network. It is refused while down.
type host struct {
	mu      sync.Mutex
	down    bool
	answer  func(w http.ResponseWriter, r *http.Request)
	got     []string // webhook-ids in the order of their requests
	open    int      // requests being answered
	most    int      // highest value of open
	refused int
}

func newNetwork() *network { return &network{hosts: map[string]*host{}} }

func (n *network) host(name string, answer func(http.ResponseWriter, *http.Request)) *host {
	h := &host{answer: answer}
	n.hosts[name+":80"] = h
	return h
}

func (n *network) dial(_ context.Context, _, addr string, _ bool) (net.Conn, error) {
	n.mu.Lock()
	h := n.hosts[addr]
	n.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		h.refused++
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	l := &oneConn{conn: server, closed: make(chan struct{})}
	n.conns.Go(func() {
		srv := http.Server{Handler: h, ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				l.Close()
			}
		}}
		srv.Serve(l)
	})
	return client, nil
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	h.mu.Lock()
	h.got = append(h.got, r.Header.Get("webhook-id"))
	h.open++
	h.most = max(h.most, h.open)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.open--
		h.mu.Unlock()
	}()
	if h.answer != nil {
		h.answer(w, r)
	}
}

func (h *host) setDown(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
}

// seen gives what was received so far.
func (h *host) seen() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got)
}

func (h *host) counts() (open, most, refused int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open, h.most, h.refused
}

// oneConn is a listener that yields one connection.
type oneConn struct {
	conn   net.Conn
	once   sync.Once
	given  bool
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }
