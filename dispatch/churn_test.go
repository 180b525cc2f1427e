package dispatch

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/letterhook/letterhook/storage"
)

// The flags of BenchmarkChurn.
var (
	churnPending  = flag.Int("pending", 200_000, "deliveries that are pending all the time")
	churnFor      = flag.Duration("churn", 10*time.Minute, "how long the size is watched in steady churn")
	churnSnapshot = flag.Duration("snapshot", 3*time.Minute, "how long an old snapshot is held open; the size is watched for five minutes after that at most")
	churnStep     = flag.Duration("step", 30*time.Second, "between two looks")
)

// churnQueues are what lives in the size of a queue: the rows of what is unfinished, and what nodes agree upon.
const churnQueues = "delivery,parsing,dedupe,lane,node,change"

// churnSenders hand in what was delivered: so many that their waiting for the commit does not slow the churn.
const churnSenders = 256

// churned is what one step saw.
type churned struct {
	rate       float64 // deliveries a second
	size, dead int64   // of the table delivery with its indexes, in octets; rows that wait for a vacuum
	pending    int64   // deliveries that are not finished
	all        int64   // octets of all queues
}

// look waits for a step and looks.
func (c *backlogged) look(b *testing.B) churned {
	b.Helper()
	before, begun := c.r.healthy.Load(), time.Now()
	<-time.After(*churnStep)
	s := churned{rate: float64(c.r.healthy.Load()-before) / time.Since(begun).Seconds()}
	s.size = c.number(b, "SELECT pg_total_relation_size('delivery')")
	s.dead = c.number(b, "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'delivery'")
	s.pending = c.number(b, "SELECT count(*) FROM delivery")
	s.all = c.number(b, "SELECT sum(pg_total_relation_size(q::regclass))::bigint FROM unnest(string_to_array('"+churnQueues+"', ',')) AS q")
	return s
}

// live is what the rows that are pending take in a table of their own, in octets: the least that the table can be.
func (c *backlogged) live(b *testing.B) int64 {
	b.Helper()
	c.exec(b, "DROP TABLE IF EXISTS delivery_live")
	c.exec(b, "CREATE TABLE delivery_live (LIKE delivery INCLUDING ALL)")
	c.exec(b, "INSERT INTO delivery_live TABLE delivery")
	defer c.exec(b, "DROP TABLE delivery_live")
	return c.number(b, "SELECT pg_total_relation_size('delivery_live')")
}

// renew accepts a mail whenever one was delivered, until stop is called.
func (c *backlogged) renew() (stop func()) {
	var accepted, made atomic.Int64
	delivered := c.r.healthy.Load()
	ended := make(chan struct{})
	var senders sync.WaitGroup
	for range churnSenders {
		senders.Go(func() {
			pause := time.NewTicker(5 * time.Millisecond)
			defer pause.Stop()
			for {
				select {
				case <-ended:
					return
				default:
				}
				if n := accepted.Add(1); n > c.r.healthy.Load()-delivered {
					accepted.Add(-1)
					select {
					case <-pause.C:
					case <-ended:
					}
					continue
				}
				n := made.Add(1)
				c.accept(mail(fmt.Sprintf("renewed%d", n)), fmt.Sprintf("g%d", int(n)%c.groups))
			}
		})
	}
	return func() {
		close(ended)
		senders.Wait()
	}
}

// keepHouse packs the queue where that is due, with the pauses that a server makes, until stop is called.
func (c *backlogged) keepHouse(b *testing.B) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	var chore sync.WaitGroup
	chore.Go(func() {
		for pause := storage.ShrinkNotDue.Pause(); ; {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
			begun := time.Now()
			outcome, err := c.store.Shrink(ctx)
			if outcome != storage.ShrinkNotDue && ctx.Err() == nil {
				b.Logf("a look at the queue took %s, outcome %d; error %v", time.Since(begun).Round(time.Millisecond), outcome, err)
			}
			pause = outcome.Pause()
		}
	})
	return func() {
		cancel()
		chore.Wait()
	}
}

// BenchmarkChurn keeps the number of pending deliveries as it is, on PostgreSQL, as fast as they are made, and watches what the tables take;
// then the same while somebody holds an old snapshot open, and after that.
func BenchmarkChurn(b *testing.B) {
	r := &receivers{fresh: make(chan time.Duration, 1)}
	for range 64 {
		srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { r.healthy.Add(1) }))
		b.Cleanup(srv.Close)
		r.servers = append(r.servers, srv)
	}
	c := newBacklogged(b, r, *churnPending, 1)
	_, end := c.begin(b)
	defer end()
	stop := c.renew()
	defer stop()
	rest := c.keepHouse(b)
	defer rest()
	for b.Loop() {
		mean := func(phase string, span time.Duration, enough func(churned) bool) (rate float64, last churned) {
			steps, begun := 0.0, time.Now()
			for time.Since(begun) < span {
				last = c.look(b)
				steps, rate = steps+1, rate+last.rate
				b.Logf("%-14s %4.0f s: %6.0f/s, %6d pending, delivery %4d MB, %7d rows dead, all queues %4d MB; load %s",
					phase, time.Since(begun).Seconds(), last.rate, last.pending, last.size>>20, last.dead, last.all>>20, load())
				if enough(last) {
					break
				}
			}
			return rate / max(steps, 1), last
		}
		never := func(churned) bool { return false }
		_, early := mean("churn", *churnFor/2, never)
		before, late := mean("churn", *churnFor/2, never)
		live := c.live(b)
		tx, err := c.pool.BeginTx(b.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Exec(b.Context(), "SELECT count(*) FROM delivery"); err != nil {
			b.Fatal(err)
		}
		held, bloated := mean("old snapshot", *churnSnapshot, never)
		if err := tx.Rollback(b.Context()); err != nil {
			b.Fatal(err)
		}
		released := time.Now()
		_, after := mean("released", 5*time.Minute, func(s churned) bool { return s.size < 2*live })
		b.Logf("live %d MB; in churn %.2f times that after half of the time, %.2f in the end; with the snapshot %.2f; %.2f after %s",
			live>>20, float64(early.size)/float64(live), float64(late.size)/float64(live), float64(bloated.size)/float64(live),
			float64(after.size)/float64(live), time.Since(released).Round(time.Second))
		b.ReportMetric(before, "churn/s")
		b.ReportMetric(100*held/before, "%-with-snapshot")
		b.ReportMetric(float64(late.size)/float64(early.size), "growth")
		b.ReportMetric(float64(after.size)/float64(live), "times-live-after")
	}
}
