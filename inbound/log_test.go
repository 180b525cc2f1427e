package inbound_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/inbound"
)

// logged is what a server has written so far, line by line.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) lines(t *testing.T) (lines []map[string]any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for text := range strings.SplitSeq(strings.TrimSpace(l.buf.String()), "\n") {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// TestLog: one line for an acceptance, one for a refusal, addresses only where they are wanted, the cause of our own
// trouble always.
func TestLog(t *testing.T) {
	for _, addresses := range []bool{false, true} {
		log := &logged{}
		var trouble error
		e := serve(t, func(c *inbound.Config) {
			c.Log = slog.New(slog.NewJSONHandler(log, nil))
			c.LogAddresses = addresses
			c.Spool.(*spool).accept = func(context.Context, *inbound.Envelope, inbound.Body) error { return trouble }
		})
		p := ways[1].connect(t, e)
		p.do("MAIL FROM:<ann@sender.example>", "250")
		p.do("RCPT TO:<nobody@in.example.com>", "550")
		p.do("RCPT TO:<bob@in.example.com>", "250")
		p.do("DATA", "354")
		p.send("x\r\n.\r\n")
		p.expect("250")
		trouble = errors.New("the disk is on fire")
		p.begin()
		p.send("x\r\n.\r\n")
		p.expect("451")
		e.drain(t)

		lines := log.lines(t)
		if len(lines) < 3 {
			t.Fatalf("%d lines", len(lines))
		}
		refusal, acceptance, failure := lines[0], lines[1], lines[2]
		if refusal["msg"] != "refused" || refusal["reason"] != "recipient" || refusal["code"] != 550. || refusal["helo"] != "client.example" {
			t.Errorf("refusal %v", refusal)
		}
		if acceptance["msg"] != "message accepted" || acceptance["size"] != 3. || acceptance["recipients"] != 1. ||
			acceptance["remote_ip"] != "127.0.0.1" || acceptance["tls"] != "TLS 1.3" || acceptance["listener"] != "mx" {
			t.Errorf("acceptance %v", acceptance)
		}
		if failure["level"] != "ERROR" || failure["error"] != "the disk is on fire" || failure["reason"] != "storage" {
			t.Errorf("failure %v", failure)
		}
		text := log.buf.String()
		if strings.Contains(text, "ann@") != addresses || strings.Contains(text, "bob@") != addresses || strings.Contains(text, "nobody@") != addresses {
			t.Errorf("addresses %v, log %s", addresses, text)
		}
	}
}

// TestLogForwardPath: whatever a recipient is refused for, the line says which one, and no later line does.
func TestLogForwardPath(t *testing.T) {
	log := &logged{}
	e := serve(t, func(c *inbound.Config) {
		c.Log = slog.New(slog.NewJSONHandler(log, nil))
		c.LogAddresses, c.MaxRecipients = true, 1
	})
	p := ways[0].connect(t, e)
	p.do("MAIL FROM:<ann@sender.example>", "250")
	p.do("RCPT TO:<nobody@in.example.com>", "550")
	p.do("DATA", "554")
	p.do("RCPT TO:<bob@in.example.com>", "250")
	p.do("DATA now", "501")
	p.do("RCPT TO:<carol@in.example.com>", "452")
	p.do("BOGUS", "500")
	p.do("QUIT", "221")
	e.drain(t)
	var paths []any
	for _, line := range log.lines(t) {
		paths = append(paths, line["forward_path"])
	}
	if want := []any{"nobody@in.example.com", nil, nil, "carol@in.example.com", nil}; !slices.Equal(paths, want) {
		t.Errorf("forward paths %v, want %v", paths, want)
	}
}

// TestLogFlood: strangers cannot fill the disk with lines.
func TestLogFlood(t *testing.T) {
	log := &logged{}
	e := serve(t, func(c *inbound.Config) {
		c.Log = slog.New(slog.NewJSONHandler(log, nil))
		c.MaxErrors, c.MaxCommands = -1, -1
		c.Defence.ErrorRate.Count = -1
	})
	p := e.dial(t)
	const n = 5000
	go p.send(strings.Repeat("BOGUS\r\n", n))
	for range n {
		p.expect("500")
	}
	if lines := len(log.lines(t)); lines < 100 || lines > n/2 {
		t.Errorf("%d lines for %d refusals", lines, n)
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	e := serve(t, func(c *inbound.Config) { c.Registerer = registry })
	p := ways[0].connect(t, e)
	p.do("BOGUS", "500")
	p.begin()
	p.send("0123456789\r\n.\r\n")
	p.expect("250")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			key := family.GetName()
			for _, label := range m.GetLabel() {
				key += " " + label.GetValue()
			}
			got[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for key, want := range map[string]float64{
		"letterhook_smtp_connections_total mx":    1,
		"letterhook_smtp_connections_open":        1,
		"letterhook_smtp_messages_accepted_total": 1,
		"letterhook_smtp_accepted_bytes_total":    12,
		"letterhook_smtp_refused_total syntax":    1,
		"letterhook_smtp_refused_total panic":     0,
	} {
		if value, ok := got[key]; !ok || value != want {
			t.Errorf("%s is %v, want %v", key, value, want)
		}
	}
	if _, err := inbound.NewServer(inbound.Config{Hostname: "mx.example.com", Recipients: decide, Spool: newSpool(), Registerer: registry}); err == nil {
		t.Error("the metrics were registered twice")
	}
}
