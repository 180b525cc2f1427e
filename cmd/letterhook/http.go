package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/letterhook/letterhook/admin"
)

// handlers are the HTTP listeners with what they serve.
func (s *server) handlers() map[net.Listener]http.Handler {
	public := s.publicly(s.web())
	proxies := make([]netip.Prefix, len(s.cfg.HTTP.TrustedProxies))
	for i, n := range s.cfg.HTTP.TrustedProxies {
		proxies[i] = n.Prefix
	}
	private := s.listNodes(admin.Private(s.registry, s.ready, s.identity.Warnings, s.smtp))
	if s.public == s.private { // strangers reach it: no levers, no nodes
		private = admin.Private(s.registry, s.ready, s.identity.Warnings, nil)
		both := http.NewServeMux()
		both.Handle("/", public)
		for _, path := range []string{"/metrics", "/healthz", "/readyz", "/debug/pprof/"} {
			both.Handle(path, private)
		}
		public, private = both, nil
	}
	handlers := map[net.Listener]http.Handler{}
	if s.public != nil {
		handlers[s.overTLS(s.public, s.cfg.HTTP.Public)] = admin.Behind(proxies, admin.LogAccess(s.log, "public", public))
	}
	if private != nil {
		handlers[s.overTLS(s.private, s.cfg.HTTP.Private)] = admin.LogAccess(s.log, "private", private)
	}
	if s.challenges != nil {
		handlers[s.challenges] = s.withChallenges(http.NotFoundHandler())
	}
	return handlers
}

// serveHTTP serves until ctx ends, then lets the requests that run finish for a moment.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving HTTP: %w", err)
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(deadline); err != nil {
		err = errors.Join(err, s.Close())
		if !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("stopping HTTP: %w", err)
		}
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
}
