package admin

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// requestKey is the key of a request's id in its context.
type requestKey struct{}

// RequestID is the id of the request that ctx belongs to, "req_" and a ULID in lower case; empty outside of [LogAccess].
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// LogAccess writes a line for each request that next has served, and gives it an id, which the answer has as X-Request-Id. The line
// names the route that served it and never the path, the query or a header: those hold signatures of links, keys and what people
// search for. What no route of ours served, and what machines ask all the time (metrics, health, assets), is written at DEBUG.
func LogAccess(log *slog.Logger, listener string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := "req_" + strings.ToLower(ulid.Make().String())
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
		w.Header().Set("X-Request-Id", id)
		logged := &loggedWriter{ResponseWriter: w}
		began, aborted := time.Now(), true
		defer func() { // also when it panics, which is the server's to deal with
			log.LogAttrs(r.Context(), accessLevel(r), "request", slog.String("request", id), slog.String("listener", listener),
				slog.String("method", methodOf(r)), slog.String("route", r.Pattern), slog.Int("status", logged.answered(aborted)),
				slog.Int64("octets", logged.octets), slog.Duration("duration", time.Since(began)), slog.String("remote_ip", remoteOf(r)),
				slog.Bool("aborted", aborted))
		}()
		next.ServeHTTP(logged, r)
		aborted = false
	})
}

// quietRoutes are what machines ask all the time, or pages bring along.
var quietRoutes = []string{"/metrics", "/healthz", "/readyz", "/assets/"}

// accessLevel is DEBUG for what would fill the log without a word of interest.
func accessLevel(r *http.Request) slog.Level {
	route := r.Pattern[strings.IndexByte(r.Pattern, ' ')+1:]
	if route == "" || route == "/" || slices.ContainsFunc(quietRoutes, func(quiet string) bool { return strings.HasPrefix(route, quiet) }) {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// methodOf is the method where it is one that we know: any other is a stranger's text.
func methodOf(r *http.Request) string {
	known := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
	if slices.Contains(known, r.Method) {
		return r.Method
	}
	return "other"
}

func remoteOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// loggedWriter counts what is answered.
type loggedWriter struct {
	http.ResponseWriter
	status int
	octets int64
}

// WriteHeader implements [http.ResponseWriter].
func (w *loggedWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // below it is no answer yet
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *loggedWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.octets += int64(n)
	return n, err
}

// Flush implements [http.Flusher], for streams of events.
func (w *loggedWriter) Flush() {
	_ = http.NewResponseController(w.ResponseWriter).Flush() // a writer that cannot has nothing to flush
}

// Unwrap lets [http.ResponseController] reach the writer below.
func (w *loggedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// answered is the status that the peer got; 0: none, for the handler gave up.
func (w *loggedWriter) answered(aborted bool) int {
	if w.status == 0 && !aborted {
		return http.StatusOK
	}
	return w.status
}
