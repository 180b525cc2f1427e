package main

import (
	"context"

	"github.com/letterhook/letterhook/cmd/letterhook/telemetry"
	"github.com/letterhook/letterhook/inbound"
)

// wireTraces makes the way to the collector of traces, where one is configured.
func (s *server) wireTraces(ctx context.Context) (err error) {
	c := &s.cfg.Tracing
	if c.Endpoint == "" {
		return nil
	}
	s.traces, err = telemetry.Open(ctx, telemetry.Config{
		Endpoint: c.Endpoint, Headers: c.Headers, Sample: c.Sample, Version: version(), Hostname: s.cfg.Hostname, Log: s.log, Registerer: s.registry,
	})
	return err
}

// tracing is what the rooms know of traces.
func (s *server) tracing() inbound.Tracing {
	if s.traces == nil {
		return inbound.Tracing{}
	}
	return inbound.Tracing{Tracer: s.traces.Tracer(), Personal: s.cfg.Tracing.Personal}
}
