package inbound

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/letterhook/letterhook/inbound/guard"
)

// ErrServerClosed is what [Server.Serve] returns when Shutdown was called before.
var ErrServerClosed = errors.New("inbound: server is shut down")

// Server accepts SMTP connections. Make one with [NewServer], have it serve any number of listeners, and end it with
// [Server.Shutdown].
type Server struct {
	cfg     Config
	smtp    *smtp.Server
	metrics *metrics

	memory    *guard.Shares // octets of bodies in memory
	files     *guard.Shares // octets of bodies in temporary files
	writing   sync.Mutex    // held while one of these files is written out
	budgets   *guard.Sources
	users     *guard.Users
	rate      *guard.Meter
	levers    *guard.Levers
	readers   sync.Pool // of *bufio.Reader
	allowance allowance

	ctx    context.Context // ends when the last connections are cut
	cancel context.CancelFunc

	mu          sync.Mutex
	stopping    bool
	listeners   map[net.Listener]struct{}
	conns       map[*conn]struct{}
	sources     map[netip.Prefix]int // open connections by where they come from
	delayed     int                  // connections that are held back
	leaving     int                  // connections whose place was given to another
	noRoomUntil time.Time            // when to look for such a place again
	quit        chan struct{}        // closed when stopping: nobody is held back any more
	drained     chan struct{}        // closed when stopping and conns is empty
}

// NewServer checks the configuration, reporting all its faults, and makes a Server. Nothing runs until Serve.
func NewServer(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("inbound: %w", err)
	}
	metrics, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("inbound: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		cfg:       cfg,
		metrics:   metrics,
		memory:    guard.NewShares(cfg.MemoryTotal),
		files:     guard.NewShares(cfg.Defence.TempTotal),
		budgets:   guard.NewSources(cfg.limits()),
		users:     guard.NewUsers(cfg.Defence.UserLoginRate),
		rate:      guard.NewMeter(cfg.Defence.ConnectRateTotal),
		levers:    cfg.Defence.Levers,
		readers:   sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }},
		ctx:       ctx,
		cancel:    cancel,
		listeners: map[net.Listener]struct{}{},
		conns:     map[*conn]struct{}{},
		sources:   map[netip.Prefix]int{},
		quit:      make(chan struct{}),
		drained:   make(chan struct{}),
	}
	s.smtp = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return session{c.Conn().(*conn)}, nil
	}))
	s.smtp.Domain = cfg.Hostname
	s.smtp.MaxRecipients = cfg.MaxRecipients
	s.smtp.MaxMessageBytes = cfg.MaxMessageSize
	s.smtp.MaxLineLength = 0 // conn bounds the lines
	s.smtp.EnableSMTPUTF8 = true
	s.smtp.EnableBINARYMIME = true
	s.smtp.ErrorLog = errorLog{cfg.Log}
	return s, nil
}

// Serve accepts connections on l until ctx ends or Shutdown is called, closes l and returns nil then; an error means that
// the listener failed or cannot be served as it is wanted. Connections outlive Serve: only Shutdown waits for them.
func (s *Server) Serve(ctx context.Context, l net.Listener, as Listener) error {
	if err := as.check(&s.cfg); err != nil {
		return fmt.Errorf("inbound: listener %s: %w", as.Name, err)
	}
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		l.Close()
		return ErrServerClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()

	err := s.smtp.Serve(&edge{Listener: l, srv: s, as: &as})

	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	if s.stopping || ctx.Err() != nil {
		return nil
	}
	l.Close()
	return fmt.Errorf("inbound: accepting on %s: %w", as.Name, err)
}

// Shutdown closes the listeners, tells idle peers 421 4.3.2 and lets transactions finish. When ctx ends it cuts those
// that are left and returns the error of ctx. It returns when no session runs any more, for which a Spool must
// return from Accept when its context ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopping {
		s.stopping = true
		close(s.quit)
		for l := range s.listeners {
			l.Close()
		}
		for c := range s.conns {
			c.stop()
		}
		if len(s.conns) == 0 {
			close(s.drained)
		}
	}
	s.mu.Unlock()
	defer s.cancel()
	select {
	case <-s.drained:
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	s.mu.Lock()
	for c := range s.conns {
		c.cut()
	}
	s.mu.Unlock()
	<-s.drained
	return fmt.Errorf("inbound: transactions were cut: %w", ctx.Err())
}

// edge is a listener as go-smtp sees it: what it accepts has passed the caps.
type edge struct {
	net.Listener
	srv *Server
	as  *Listener
}

// Accept implements [net.Listener].
func (e *edge) Accept() (net.Conn, error) {
	for {
		raw, err := e.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{
			srv: e.srv, listener: e.as, raw: raw, implicit: e.as.TLS == TLSImplicit, behindProxy: len(e.as.Proxies) > 0,
			addr: raw.RemoteAddr(), remote: addrOf(raw.RemoteAddr()), opened: time.Now(), progress: time.Now(), ctx: e.srv.ctx,
		}
		c.wire = metered{raw, &c.read}
		refusal := e.srv.admit(c)
		if refusal == nil {
			return c, nil
		}
		c.logRefused(refusal, nil)
		if e.as.TLS != TLSImplicit && !c.behindProxy {
			raw.SetWriteDeadline(time.Now().Add(time.Second)) // a fresh socket takes a line without waiting
			_, _ = raw.Write(refusal.appendTo(nil, false))    // a peer that is gone needs no reply
		}
		raw.Close()
	}
}

// addrOf is the IP address in a, an IPv4-mapped one as IPv4; the zero Addr where there is none.
func addrOf(a net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
