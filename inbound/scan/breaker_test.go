package scan

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/breaker"
)

// stub is a scanner whose engine is a function.
func stub(t *testing.T, o Options, ask func(context.Context) error) *scanner {
	t.Helper()
	metrics, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &scanner{
		name: ClamAV, options: o, metrics: metrics, log: slog.New(slog.DiscardHandler),
		turns: make(chan struct{}, o.Concurrency),
		ask: func(ctx context.Context, _ *message) (*finding, error) {
			if err := ask(ctx); err != nil {
				return nil, err
			}
			return &finding{virus: &inbound.VirusResult{Engine: ClamAV}}, nil
		},
	}
}

func options() Options {
	return Options{Timeout: 10 * time.Second, MaxSize: 100, Concurrency: 4}
}

var errDead = errors.New("connection refused")

// TestDeadScannerIsLeftAlone follows a scanner from its first failure until it is back.
func TestDeadScannerIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, dead := 0, true
		s := stub(t, options(), func(context.Context) error {
			if asked++; dead {
				return errDead
			}
			return nil
		})
		m := &message{size: 1}
		for range breaker.After {
			if _, err := s.scan(t.Context(), m); !errors.Is(err, errDead) {
				t.Fatalf("got %v", err)
			}
		}
		for range 3 {
			if _, err := s.scan(t.Context(), m); !errors.Is(err, errResting) || reason(err) != inbound.UnscannedUnavailable {
				t.Fatalf("got %v", err)
			}
		}
		if asked != breaker.After {
			t.Fatalf("asked %d times", asked)
		}
		time.Sleep(breaker.Rest)
		if _, err := s.scan(t.Context(), m); !errors.Is(err, errDead) {
			t.Fatalf("the probe: %v", err)
		}
		if _, err := s.scan(t.Context(), m); !errors.Is(err, errResting) {
			t.Fatalf("after a probe that failed: %v", err)
		}
		time.Sleep(breaker.Rest)
		dead = false
		for range 3 {
			if _, err := s.scan(t.Context(), m); err != nil {
				t.Fatalf("it is back: %v", err)
			}
		}
		dead = true
		for range breaker.After - 1 {
			_, _ = s.scan(t.Context(), m)
		}
		dead = false
		if _, err := s.scan(t.Context(), m); err != nil {
			t.Fatalf("failures before it was back were counted: %v", err)
		}
	})
}

// TestOneProbe lets many messages meet a scanner that hangs after its rest: one of them tries it.
func TestOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hanging atomic.Int32
		s := stub(t, options(), func(ctx context.Context) error {
			hanging.Add(1)
			<-ctx.Done()
			return ctx.Err()
		})
		m := &message{size: 1}
		for range breaker.After {
			if _, err := s.scan(t.Context(), m); reason(err) != inbound.UnscannedTimeout {
				t.Fatalf("got %v", err)
			}
		}
		hanging.Store(0)
		time.Sleep(breaker.Rest)
		began := time.Now()
		for range 50 {
			go func() { _, _ = s.scan(t.Context(), m) }()
		}
		synctest.Wait()
		if n := hanging.Load(); n != 1 {
			t.Errorf("%d messages try a scanner that may be dead", n)
		}
		if _, err := s.scan(t.Context(), m); !errors.Is(err, errResting) || !time.Now().Equal(began) {
			t.Errorf("a message waits beside the probe: %v", err)
		}
		time.Sleep(s.options.Timeout)
		synctest.Wait()
	})
}

// TestBusy has more messages than turns: who gets none goes without within the timeout, and nobody blames the scanner.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := stub(t, options(), func(context.Context) error {
			<-release
			return nil
		})
		results := make(chan error, 20)
		for range 20 {
			go func() {
				_, err := s.scan(t.Context(), &message{size: 1})
				results <- err
			}()
		}
		time.Sleep(s.options.Timeout)
		synctest.Wait()
		if len(results) != 16 {
			t.Errorf("%d of 20 gave up", len(results))
		}
		close(release)
		synctest.Wait()
		busy := 0
		for range 20 {
			if err := <-results; err != nil {
				if reason(err) != inbound.UnscannedBusy {
					t.Errorf("got %v", err)
				}
				busy++
			}
		}
		if busy != 16 {
			t.Errorf("%d were busy", busy)
		}
		if _, err := s.scan(t.Context(), &message{size: 1}); err != nil {
			t.Errorf("then: %v", err)
		}
	})
}

// TestShutdownIsNoFailure cancels scans: the scanner is not to blame, and a probe may be made again.
func TestShutdownIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stub(t, options(), func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		for range 3 * breaker.After {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := s.scan(ctx, &message{size: 1})
			cancel()
			if errors.Is(err, errResting) {
				t.Fatal("cancelled scans count as failures")
			}
		}
		for range breaker.After {
			s.breaker.Leave(time.Now(), false, breaker.Failed)
		}
		time.Sleep(breaker.Rest)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := s.scan(ctx, &message{size: 1})
			cancel()
			if errors.Is(err, errResting) {
				t.Fatal("a cancelled probe keeps the others out")
			}
		}
	})
}

// TestPanicIsAFailedScan: no message may take the process down.
func TestPanicIsAFailedScan(t *testing.T) {
	s := stub(t, options(), func(context.Context) error { panic("a parser broke") })
	if f, err := s.scan(t.Context(), &message{size: 1}); f != nil || reason(err) != inbound.UnscannedError {
		t.Errorf("got %v", err)
	}
	if len(s.turns) != 0 {
		t.Error("the turn is lost")
	}
}
