package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Load says what to send.
type Load struct {
	Addr        string   // SMTP server, host:port
	Others      []string // further ones, among which connections are shared out
	From, To    string   // reverse-path and forward-path; defaults are made when empty
	Connections int      // sessions at the same time; kept over messages
	Messages    int64    // how many in all
	Size        int      // octets of one message
	Attachment  int      // octets of an attachment to each; 0: none
	Rate        float64  // messages a second over all connections; 0: as fast as they go
	Run         string   // name in the tokens
	// Endpoints spreads the messages over so many recipients, e0 to eN-1 of the domain bench.example, each with an
	// endpoint of its own, of which the first Hanging never answer. 0: every message goes to To.
	Endpoints, Hanging int
	Resend             bool     // a message that got no 250 is sent again, byte for byte, until it gets one
	Authors            *Authors // who sign the messages; nil: nobody does
}

// from is the reverse-path of the n-th message.
func (l *Load) from(n int64) string {
	if l.Authors != nil {
		return l.Authors.of(n).reversePath()
	}
	return cmp.Or(l.From, "load@sender.example")
}

// to is the forward-path of the n-th message.
func (l *Load) to(n int64) string {
	if l.Endpoints > 0 {
		return fmt.Sprintf("e%d@bench.example", n%int64(l.Endpoints))
	}
	return cmp.Or(l.To, "load@bench.example")
}

// healthy says whether the endpoint of the n-th message answers.
func (l *Load) healthy(n int64) bool {
	return l.Endpoints == 0 || n%int64(l.Endpoints) >= int64(l.Hanging)
}

// Sent is what became of a load.
type Sent struct {
	Acked    map[string]time.Time // when the 250 of each token was read
	Started  map[string]time.Time // when its (last) MAIL command was written
	Hanging  map[string]bool      // acknowledged tokens whose endpoint never answers
	Refused  int64                // answers other than 250
	Broken   int64                // connections that broke
	Duration time.Duration
	Acks     []time.Duration // from MAIL to 250, unsorted
}

// Send sends the load until everything was tried, or ctx ends.
func Send(ctx context.Context, load Load) *Sent {
	maker := NewMaker(load.Run, load.Size, load.Attachment)
	maker.authors = load.Authors
	result := newSent()
	var next atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range load.Connections {
		wg.Go(func() {
			w := worker{load: load, addr: load.addr(i), maker: maker, next: &next, begin: begin, sent: newSent()}
			w.run(ctx)
			mu.Lock()
			defer mu.Unlock()
			result.merge(w.sent)
		})
	}
	wg.Wait()
	result.Duration = time.Since(begin)
	return result
}

// addr is the server of the i-th connection.
func (l *Load) addr(i int) string {
	if i %= len(l.Others) + 1; i > 0 {
		return l.Others[i-1]
	}
	return l.Addr
}

func newSent() *Sent {
	return &Sent{Acked: map[string]time.Time{}, Started: map[string]time.Time{}, Hanging: map[string]bool{}}
}

func (s *Sent) merge(o *Sent) {
	maps.Copy(s.Acked, o.Acked)
	maps.Copy(s.Started, o.Started)
	maps.Copy(s.Hanging, o.Hanging)
	s.Refused += o.Refused
	s.Broken += o.Broken
	s.Acks = append(s.Acks, o.Acks...)
}

// worker is one connection's worth of the load.
type worker struct {
	load    Load
	addr    string
	maker   *Maker
	next    *atomic.Int64
	begin   time.Time
	sent    *Sent
	session *Session
	buf     []byte
}

func (w *worker) run(ctx context.Context) {
	defer func() {
		if w.session != nil {
			_ = w.session.Quit()
		}
	}()
	for ctx.Err() == nil {
		n := w.next.Add(1) - 1
		if n >= w.load.Messages {
			return
		}
		if w.load.Rate > 0 && !sleepUntil(ctx, w.begin.Add(time.Duration(float64(n)/w.load.Rate*float64(time.Second)))) {
			return
		}
		w.buf = w.maker.Append(w.buf[:0], n)
		w.deliver(ctx, n)
	}
}

// deliver sends the message in buf; where the load says so, again and again until it is acknowledged.
func (w *worker) deliver(ctx context.Context, n int64) {
	token := w.maker.Token(n)
	for pause := time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 200*time.Millisecond) {
		start := time.Now()
		err := w.try(ctx, w.load.from(n), w.load.to(n))
		if err == nil {
			now := time.Now()
			w.sent.Started[token] = start
			w.sent.Acked[token] = now
			if !w.load.healthy(n) {
				w.sent.Hanging[token] = true
			}
			w.sent.Acks = append(w.sent.Acks, now.Sub(start))
			return
		}
		w.failed(err)
		if !w.load.Resend || !sleepUntil(ctx, time.Now().Add(pause)) {
			return
		}
	}
}

func (w *worker) try(ctx context.Context, from, to string) error {
	if w.session == nil {
		s, err := Dial(ctx, w.addr)
		if err != nil {
			return err
		}
		w.session = s
	}
	return w.session.Send(ctx, from, to, w.buf)
}

func (w *worker) failed(err error) {
	if errors.Is(err, ErrRefused) && w.session != nil {
		w.sent.Refused++
		if w.session.Reset() == nil {
			return
		}
	}
	w.sent.Broken++
	if w.session != nil {
		_ = w.session.Close()
		w.session = nil
	}
}

// sleepUntil waits; it says false when ctx ended first.
func sleepUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Percentile returns the p-th percentile (0 to 100) of the durations, 0 when there are none. It sorts them.
func Percentile(d []time.Duration, p float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(len(d)-1, int(float64(len(d))*p/100))]
}
