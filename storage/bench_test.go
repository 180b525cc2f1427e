package storage_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/letterhook/letterhook/storage"
)

// BenchmarkAccept measures what the committer makes of writers that each wait for their own mail of 10 KB.
func BenchmarkAccept(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, newConfig(b, layouts()[0]))
			b.ReportAllocs()
			b.ResetTimer()
			defer reportCPU(b, cpuTime(b))
			acceptMany(b, s, writers, b.N)
		})
	}
}

// cpuTime is what the process has used so far. On a machine that others use too, it tells more than the time on the wall.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportCPU(b *testing.B, start time.Duration) {
	b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/float64(b.N), "cpu-µs/op")
}

// acceptMany accepts n mails of 10 KB, each with a content of its own, from so many goroutines.
func acceptMany(b *testing.B, s *storage.Store, writers, n int) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			text := content(10 << 10)
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				mine := append([]byte(nil), text...)
				copy(mine, fmt.Sprintf("%016d", i))
				ids, err := s.Accept(context.Background(), envelope("ep_1"), newBody(mine))
				if err != nil {
					b.Error(err)
					return
				}
				s.Acknowledged(ids)
			}
		})
	}
	group.Wait()
}

// BenchmarkComplete measures the record of attempts, 64 at a time as the dispatcher's workers give them.
func BenchmarkComplete(b *testing.B) {
	s := open(b, newConfig(b, layouts()[0]))
	var mu sync.Mutex
	var waiting []storage.Delivery
	s.SetHandOver(func(as []storage.Accepted) {
		mu.Lock()
		defer mu.Unlock()
		for _, a := range as {
			waiting = append(waiting, a.Deliveries...)
		}
	})
	acceptMany(b, s, 64, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	defer reportCPU(b, cpuTime(b))
	slots := make(chan struct{}, 64)
	for _, d := range waiting {
		slots <- struct{}{}
		c := attempt(d)
		c.Summary = &storage.Summary{From: "sender@example.org", Subject: "An order", MessageID: "<1@example.org>", Kind: "human"}
		s.Complete(c, func(err error) {
			if err != nil {
				b.Error(err)
			}
			<-slots
		})
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
}
