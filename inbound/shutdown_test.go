package inbound_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// drain shuts the server down and waits for every session.
func (e *edge) drain(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestShutdown: idle peers are sent away at once, a transaction is finished, and then its peer is sent away too.
func TestShutdown(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			e := serve(t, nil)
			idle := way.connect(t, e)
			after := way.connect(t, e)
			after.begin()
			after.send("x\r\n.\r\n")
			after.expect("250 2.0.0 OK")
			busy := way.connect(t, e)
			busy.begin()
			chunks := way.connect(t, e)
			chunks.transaction()

			done := make(chan error, 1)
			go func() { done <- e.Shutdown(context.Background()) }()
			idle.expect("421 4.3.2")
			idle.closed()
			after.expect("421 4.3.2")
			after.closed()

			busy.send("x\r\n.\r\nMAIL FROM:<a@b>\r\n")
			busy.expect("250 2.0.0 OK queued")
			busy.expect("421 4.3.2")
			busy.closed()
			select {
			case err := <-done:
				t.Fatalf("Shutdown returned while a transaction was under way: %v", err)
			default:
			}
			chunks.send("BDAT 1\r\nx")
			chunks.expect("250 2.0.0 1 octets")
			chunks.send("BDAT 1 LAST\r\nx")
			chunks.expect("250 2.0.0 OK queued")
			chunks.expect("421 4.3.2")
			chunks.closed()
			if err := <-done; err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			if n := len(e.spool.all()); n != 3 {
				t.Errorf("%d messages, want 3", n)
			}
		})
	}
}

// TestShutdownCuts: what is not finished when the time is over is cut: a stalled peer as well as a Spool that hangs.
func TestShutdownCuts(t *testing.T) {
	hanging := make(chan struct{})
	e := serve(t, func(c *inbound.Config) {
		c.Spool.(*spool).accept = func(ctx context.Context, _ *inbound.Envelope, _ inbound.Body) error {
			close(hanging)
			<-ctx.Done()
			return ctx.Err()
		}
	})
	stalled, waiting := ways[0].connect(t, e), ways[0].connect(t, e)
	stalled.begin()
	waiting.begin()
	waiting.send("x\r\n.\r\n")
	<-hanging
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	stalled.closed()
	if rest, _ := io.ReadAll(waiting.r); bytes.Contains(rest, []byte("250")) { // a 451 may still get out
		t.Errorf("the server said %q", rest)
	}
	if n := len(e.spool.all()); n != 0 {
		t.Errorf("%d messages", n)
	}
}
