package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// A mail that takes the program down each time goes out unparsed after the third; others are parsed meanwhile.
func TestPoison(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	h.accept("Subject: poison\r\nX-Last: 1\r\n\r\nBody\r\n", "one")

	died := fmt.Errorf("the child: %w", ErrProbeDied)
	var probes int
	poisonous := func(c *Config) {
		c.ProbeParse = func(_ context.Context, raw *storage.Raw) error {
			b, err := io.ReadAll(io.NewSectionReader(raw, 0, raw.Size()))
			if err != nil || !strings.Contains(string(b), "poison") {
				t.Errorf("probed %q, %v", b, err)
			}
			probes++
			return died
		}
	}
	// The first life begins to parse and dies.
	h.close()
	h.open()
	l := newLetter(h.owed("one")[0].Message)
	if _, err := h.store.BeginParse(t.Context(), l.id); err != nil {
		t.Fatal(err)
	}
	// The second one tries it apart, and in the end gives up.
	h.close()
	h.open()
	defer h.close()
	d := h.dispatcher(poisonous)
	d.parse = func(r io.ReaderAt, size int64, lim parser.Limits) (*parser.Message, error) {
		msg, err := parser.Parse(r, size, lim)
		if err == nil && msg.Subject == "poison" {
			t.Error("the poison was parsed")
		}
		return msg, err
	}
	for range maxParses - 1 {
		if _, _, err := d.prepare(t.Context(), newLetter(l.id), &share{from: d.desk}); !errors.Is(err, died) {
			t.Fatalf("prepared: %v", err)
		}
	}
	stop := h.start(d)
	defer stop()
	got := <-hits
	data := got.event.Data
	if data.ID != l.id || len(data.Parse.LimitsHit) != 1 || data.Parse.LimitsHit[0] != "parser" || data.Text != nil ||
		len(data.Headers) != 2 || data.Headers[0].Raw != "poison" || data.Envelope == nil || data.Raw.URL == nil {
		t.Errorf("the event: %s", got.body)
	}
	stop()
	if probes != maxParses-1 {
		t.Errorf("%d probes", probes)
	}
	// Its count stays, so that a replay does not touch it either.
	if m, err := h.store.Mail(t.Context(), l.id); err != nil || m.ParseCount <= maxParses {
		t.Errorf("parse count %d, %v", m.ParseCount, err)
	}
}

// A mail that an earlier run left and that parses well has its count reset by the record of its attempt.
func TestParseCountIsReset(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	id := h.accept(mail("x"), "one")
	h.close()
	h.open()
	defer h.close()
	if _, err := h.store.BeginParse(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	probed := false
	stop := h.start(h.dispatcher(func(c *Config) {
		c.ProbeParse = func(context.Context, *storage.Raw) error { probed = true; return nil }
	}))
	defer stop()
	if got := <-hits; got.event.Data.Subject != "x" || len(got.event.Data.Parse.LimitsHit) != 0 {
		t.Errorf("the event: %s", got.body)
	}
	stop()
	if m, err := h.store.Mail(t.Context(), id); err != nil || m.ParseCount != 0 || !probed {
		t.Errorf("parse count %d, probed %t, %v", m.ParseCount, probed, err)
	}
}

// A parse that comes back is not held against the mail, whatever it came back with: an outage of the blobs for an hour after
// a restart, a probe that could not be started.
func TestOutageAfterRestartCountsNothing(t *testing.T) {
	tests := map[string]func(*Config, func() bool){
		"blobs": func(c *Config, down func() bool) { c.Blobs = brokenBlobs{c.Blobs, down} },
		"probe": func(c *Config, down func() bool) {
			c.ProbeParse = func(context.Context, *storage.Raw) error {
				if down() {
					return errors.New("out of memory")
				}
				return nil
			}
		},
	}
	for name, breaking := range tests {
		t.Run(name, func(t *testing.T) { outageAfterRestart(t, breaking) })
	}
}

func outageAfterRestart(t *testing.T, breaking func(*Config, func() bool)) {
	inBubble(t, []string{"one"}, nil, nil, func(h *house, n *network, _ *Dispatcher) {
		one := n.host("one", nil)
		id := h.accept(withAttachment, "one")
		if _, err := h.store.BeginParse(context.Background(), id); err != nil { // the run before died over it, once
			t.Fatal(err)
		}
		<-time.After(time.Second)
		var down atomic.Bool
		down.Store(true)
		d := h.dispatcher(func(c *Config) { breaking(c, down.Load) })
		d.sender.dial = n.dial
		stop := h.start(d)
		defer stop()
		<-time.After(time.Hour + troublePause/2) // between two tries
		m, err := h.store.Mail(context.Background(), id)
		if err != nil || m.ParseCount != 1 || len(one.seen()) != 0 {
			t.Errorf("after an hour: parse count %d, sent %d, %v", m.ParseCount, len(one.seen()), err)
		}
		down.Store(false)
		<-time.After(time.Minute)
		synctest.Wait()
		stop()
		m, err = h.store.Mail(context.Background(), id)
		if err != nil || m.ParseCount != 0 || m.Summary == nil || len(m.Summary.Attachments) != 1 || len(one.seen()) != 1 {
			t.Errorf("after the outage: %+v, sent %d, %v", m, len(one.seen()), err)
		}
	})
}

func TestParserPanics(t *testing.T) {
	url, hits := receiver(t, nil)
	h := build(t, storage.Endpoint{Name: "one", URL: url})
	defer h.close()
	d := h.dispatcher(nil)
	d.parse = func(io.ReaderAt, int64, parser.Limits) (*parser.Message, error) { panic("index out of range") }
	stop := h.start(d)
	defer stop()
	h.accept(mail("x"), "one")
	if got := <-hits; got.event.Data.Parse.LimitsHit[0] != "parser" || len(got.event.Data.Headers) != 4 {
		t.Errorf("the event: %s", got.body)
	}
	stop()
}
