package e2e

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// A valve is a TCP proxy that can be slow, stop, and break.
type valve struct {
	addr   string
	target string

	mu    sync.Mutex
	delay time.Duration // of every piece that passes
	open  chan struct{} // closed while octets flow
	held  int           // pieces that wait for that
	conns map[net.Conn]struct{}
}

// newValve starts an open valve before target. It ends with the test.
func newValve(t *testing.T, target string) *valve {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{addr: l.Addr().String(), target: target, open: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(v.open)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { v.pass(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		cancel()
		v.cut()
		wg.Wait()
	})
	return v
}

func (v *valve) pass(ctx context.Context, from net.Conn) {
	to, err := net.Dial("tcp", v.target)
	if err != nil {
		_ = from.Close()
		return
	}
	v.keep(from, to)
	defer v.forget(from, to)
	unhook := context.AfterFunc(ctx, func() { _, _ = from.Close(), to.Close() })
	defer unhook()
	var wg sync.WaitGroup
	wg.Go(func() { v.copy(ctx, to, from) })
	wg.Go(func() { v.copy(ctx, from, to) })
	wg.Wait()
}

func (v *valve) keep(conns ...net.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range conns {
		v.conns[c] = struct{}{}
	}
}

func (v *valve) forget(conns ...net.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range conns {
		delete(v.conns, c)
		_ = c.Close()
	}
}

// copy passes pieces on, each when the valve lets it.
func (v *valve) copy(ctx context.Context, to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !v.wait(ctx) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// wait holds a piece back as long as the valve is shut, and by its delay.
func (v *valve) wait(ctx context.Context) bool {
	v.mu.Lock()
	delay, open := v.delay, v.open
	v.held++
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.held--
	}()
	select {
	case <-open:
	case <-ctx.Done():
		return false
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// slow holds every later piece back by d.
func (v *valve) slow(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.delay = d
}

// stop lets nothing through, without a word to either side.
func (v *valve) stop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open = make(chan struct{})
}

// flow ends a stop.
func (v *valve) flow() {
	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.open)
}

// cut breaks every connection that stands.
func (v *valve) cut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for c := range v.conns {
		_ = c.Close()
	}
}

// holds says whether something waits for the valve to open.
func (v *valve) holds() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.held > 0
}
