package config

import (
	"maps"
	"slices"
)

// Tracing sends OpenTelemetry traces, one for each message, to a collector.
type Tracing struct {
	// Endpoint is the URL that traces are posted to, OTLP over HTTP; empty: there are none, which costs nothing.
	Endpoint string            `yaml:"endpoint"`
	Headers  map[string]string `yaml:"headers"` // of each request to it
	// Sample is the share of messages that are traced, from 0 to 1. It is decided when a message begins and holds for all its
	// attempts.
	Sample float64 `yaml:"sample"`
	// Personal puts mail addresses, addresses of clients and subjects into the traces.
	Personal bool `yaml:"personal"`
}

func (v *validator) tracing() {
	t := &v.Tracing
	if t.Endpoint != "" {
		if u, err := httpURL(t.Endpoint); err != nil {
			v.faultf("tracing.endpoint", "%v", err)
		} else if u.Path == "" || u.Path == "/" {
			v.faultf("tracing.endpoint", "needs a path; that of most collectors is /v1/traces")
		} else if u.RawQuery != "" {
			v.faultf("tracing.endpoint", "must not hold a query; what lets you in goes into headers")
		}
	}
	if t.Sample < 0 || t.Sample > 1 {
		v.faultf("tracing.sample", "must lie between 0 and 1")
	}
	for _, name := range slices.Sorted(maps.Keys(t.Headers)) {
		v.header("tracing.headers."+name, name, t.Headers[name])
	}
}
