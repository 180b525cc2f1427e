package storage

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	packsInFlight = 8                // objects written at the same time
	packTimeout   = 60 * time.Second // after which the peer hears 451
)

// packer writes packs as objects, ahead of the committer: a slow bucket delays the mails in its packs and nothing else.
type packer struct {
	blobs Blobs
	next  func(*acceptance) bool // queues for the commit; false when the store is closed
	now   func() time.Time
	step  func(string)
	group sync.WaitGroup

	buffers *buffers
	failed  prometheus.Counter
	packs   prometheus.Counter

	mu     sync.Mutex
	cond   sync.Cond
	queue  acceptances
	closed bool
}

// start begins the goroutines; close ends them.
func (p *packer) start() {
	p.cond.L = &p.mu
	for range packsInFlight {
		p.group.Go(p.run)
	}
}

// close returns when everything that was queued is with the committer.
func (p *packer) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cond.Broadcast()
	p.group.Wait()
}

func (p *packer) put(a *acceptance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.queue = append(p.queue, a)
	p.cond.Signal()
	return true
}

func (p *packer) withdraw(a *acceptance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queue.withdraw(a)
}

func (p *packer) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue)
}

func (p *packer) run() {
	for {
		p.mu.Lock()
		for len(p.queue) == 0 && !p.closed {
			p.cond.Wait()
		}
		as := p.queue.take()
		p.mu.Unlock()
		if len(as) == 0 {
			return
		}
		err := p.pack(as)
		if err != nil {
			p.failed.Inc()
		}
		for _, a := range as {
			if err != nil {
				a.done <- err
			} else if !p.next(a) {
				a.done <- ErrClosed
			}
		}
	}
}

// pack stores the bytes of a batch as one object.
func (p *packer) pack(as []*acceptance) error {
	key := packPrefix + newID("", p.now())
	var object []byte
	for _, a := range as {
		for _, m := range a.messages {
			if m.sealed == nil {
				continue
			}
			m.mail.raw.pack = key
			m.mail.raw.offset = int64(len(object))
			object = append(object, m.sealed...)
		}
	}
	p.step("pack-written")
	// The peers of the batch wait for one object, so none of their contexts may end it.
	ctx, cancel := context.WithTimeout(context.Background(), packTimeout)
	defer cancel()
	if err := p.blobs.Put(ctx, key, bytes.NewReader(object), int64(len(object))); err != nil {
		return fmt.Errorf("write pack: %w", err)
	}
	p.packs.Inc()
	p.step("pack-synced")
	for _, a := range as {
		for _, m := range a.messages {
			p.buffers.put(m.sealed)
			m.sealed = nil
		}
	}
	return nil
}
