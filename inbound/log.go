package inbound

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// attrs are the keys that every line about a connection carries.
func (c *conn) attrs(more ...slog.Attr) []slog.Attr {
	version := ""
	if c.tls != nil {
		version = c.tls.Version
	}
	attrs := make([]slog.Attr, 0, 4+len(more))
	attrs = append(attrs,
		slog.String("listener", c.listener.Name),
		slog.String("remote_ip", textOf(c.remote)),
		slog.String("helo", c.helo),
		slog.String("tls", version))
	return append(attrs, more...)
}

// textOf is an address as text, empty where there is none.
func textOf(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// logAccepted writes the line of an accepted message.
func (c *conn) logAccepted(env *Envelope, ids []string, size int64, took time.Duration) {
	c.srv.metrics.accepted.Inc()
	c.srv.metrics.octets.Add(float64(size))
	c.srv.metrics.acceptSeconds.Observe(took.Seconds())
	log := c.srv.cfg.Log
	if !log.Enabled(c.ctx, slog.LevelInfo) {
		return
	}
	attrs := c.attrs(
		slog.Any("messages", ids),
		slog.Int64("size", size),
		slog.Int("recipients", len(env.Recipients)),
		slog.Duration("duration", took))
	attrs = append(attrs, env.ScanResults.attrs(c.tx.scanned)...)
	attrs = append(attrs, env.AuthResults.verdict()...)
	attrs = append(attrs, env.Reputation.attrs()...)
	if c.srv.cfg.LogAddresses {
		paths := make([]string, len(env.Recipients))
		for i := range env.Recipients {
			paths[i] = env.Recipients[i].Path.String()
		}
		attrs = append(attrs, slog.String("reverse_path", env.ReversePath.String()), slog.Any("forward_paths", paths))
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "message accepted", attrs...)
}

// logRefused writes the line of a refusal. Trouble of ours is an error and always written; the rest is what strangers
// cause, and is written as the allowance goes.
func (c *conn) logRefused(r *refusal, cause []error) {
	c.srv.metrics.refused.WithLabelValues(r.reason).Inc()
	c.tell(r)
	c.traceRefusal(r)
	level, suppressed := slog.LevelInfo, 0
	attrs := []slog.Attr{slog.String("reason", r.reason), slog.Int("code", r.Code), slog.String("reply", r.Error())}
	attrs = append(attrs, r.found...)
	for _, err := range cause {
		if err != nil && err.Error() != r.Error() {
			attrs = append(attrs, slog.Any("error", err))
			if r.ours() {
				level = slog.LevelError
			}
		}
	}
	if level != slog.LevelError {
		n, ok := c.srv.allowance.take(time.Now())
		if !ok {
			return
		}
		suppressed = n
	}
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	if c.srv.cfg.LogAddresses && (c.tx != nil || c.mail.path != (Path{})) {
		attrs = append(attrs, slog.String("reverse_path", c.reversePath().String()))
		if c.rcpt != (Path{}) {
			attrs = append(attrs, slog.String("forward_path", c.rcpt.String()))
		}
	}
	c.srv.cfg.Log.LogAttrs(context.Background(), level, "refused", c.attrs(attrs...)...)
}

const (
	linesPerSecond = 10
	linesAtOnce    = 200
)

// allowance bounds the lines that strangers can cause. Its zero value is a full one.
type allowance struct {
	mu         sync.Mutex
	spent      float64
	last       time.Time
	suppressed int
}

// take says whether a line may be written, and how many were not since the last one that was.
func (a *allowance) take(now time.Time) (suppressed int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spent = max(0, a.spent-now.Sub(a.last).Seconds()*linesPerSecond)
	a.last = now
	if a.spent+1 > linesAtOnce {
		a.suppressed++
		return 0, false
	}
	a.spent++
	suppressed, a.suppressed = a.suppressed, 0
	return suppressed, true
}

// errorLog takes what go-smtp has to say for itself.
type errorLog struct{ log *slog.Logger }

// Printf implements the logger of go-smtp.
func (l errorLog) Printf(format string, v ...any) {
	l.log.Warn("go-smtp", "text", fmt.Sprintf(format, v...))
}

// Println implements the logger of go-smtp.
func (l errorLog) Println(v ...any) { l.log.Warn("go-smtp", "text", fmt.Sprint(v...)) }
