package admin_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letterhook/letterhook/admin"
)

// accessLines serves mux, makes requests of it and gives the lines of the log, one for each.
func accessLines(t *testing.T, mux http.Handler, ask func(url string)) (text string, lines []map[string]any) {
	t.Helper()
	var mu sync.Mutex
	var log bytes.Buffer
	h := slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
	served := admin.LogAccess(slog.New(h), "public", mux)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock() // a request is over when its line is written
		defer mu.Unlock()
		served.ServeHTTP(w, r)
	}))
	ask(server.URL)
	server.Close()
	for line := range bytes.Lines(log.Bytes()) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fields)
	}
	return log.String(), lines
}

// TestAccessLog: each request has a line with its id and the route that served it, and nothing that lets anybody in.
func TestAccessLog(t *testing.T) {
	ids := map[string]string{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/raw/{message}", func(w http.ResponseWriter, r *http.Request) {
		ids[r.PathValue("message")] = admin.RequestID(r.Context())
		_, _ = io.WriteString(w, "12345")
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	mux.HandleFunc("GET /cut", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "1")
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		w.(http.Flusher).Flush()
	})
	answered := ""
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // else it asks again where it was cut
	text, lines := accessLines(t, mux, func(url string) {
		for _, path := range []string{"/v1/raw/msg_secret?sig=s3cret&e=1", "/metrics", "/cut", "/nowhere/s3cret", "/stream"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer s3cret")
			req.Header.Set("X-Request-Id", "s3cret")
			resp, err := client.Do(req)
			if err != nil {
				continue // it was cut
			}
			if answered == "" {
				answered = resp.Header.Get("X-Request-Id")
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
	for _, secret := range []string{"s3cret", "sig=", "msg_secret", "nowhere"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the log:\n%s", secret, text)
		}
	}
	want := []struct {
		level, route   string
		status, octets float64
		aborted        bool
	}{
		{"INFO", "GET /v1/raw/{message}", 200, 5, false}, {"DEBUG", "GET /metrics", 418, 0, false}, {"INFO", "GET /cut", 200, 1, true},
		{"DEBUG", "", 404, 19, false}, {"INFO", "GET /stream", 200, 0, false},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), text)
	}
	for i, w := range want {
		l := lines[i]
		if l["level"] != w.level || l["route"] != w.route || l["status"] != w.status || l["octets"] != w.octets || l["aborted"] != w.aborted ||
			l["remote_ip"] != "127.0.0.1" || l["listener"] != "public" || l["method"] != "GET" {
			t.Errorf("line %d is %v, want %+v", i, l, w)
		}
	}
	if id := ids["msg_secret"]; !strings.HasPrefix(id, "req_") || len(id) != 30 || lines[0]["request"] != id || answered != id {
		t.Errorf("the handler knows the request as %q, the log as %v, the peer as %q", id, lines[0]["request"], answered)
	}
}
