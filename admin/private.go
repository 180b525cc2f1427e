package admin

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/letterhook/letterhook/inbound"
)

// Private serves the operator. It asks for no credentials: bind its listener where only you can reach it.
//
//	GET /metrics        Prometheus metrics of gatherer
//	GET /healthz        200 while the process answers at all
//	GET /readyz         200 {"ready":true,"reasons":[],"warnings":[]}, or 503 with the reasons why no mail is taken
//	GET /debug/pprof/   profiles of the Go runtime
//	GET /levers         what the levers of smtp stand at, a [guard.State]
//	POST /levers        a [guard.Change] as JSON; 200 with the state after it, or 400 {"error":"..."}
//
// ready gives the reasons as an error, several joined by errors.Join; nil: it takes mail. warnings are what somebody should look
// at although mail is taken. Without smtp there are no levers.
func Private(gatherer prometheus.Gatherer, ready func() error, warnings func() []string, smtp *inbound.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]bool{"healthy": true})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		state := readiness{Reasons: reasons(ready()), Warnings: append([]string{}, warnings()...)}
		state.Ready = len(state.Reasons) == 0
		status := http.StatusOK
		if !state.Ready {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, state)
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	if smtp != nil {
		serveLevers(mux, smtp)
	}
	return mux
}

type readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"`
	// Warnings do not keep it from being ready.
	Warnings []string `json:"warnings"`
}

// reasons takes apart what errors.Join makes.
func reasons(err error) []string {
	if err == nil {
		return []string{}
	}
	return strings.Split(err.Error(), "\n")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // only values of this file come here
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
