package dispatch

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// The flags of BenchmarkBacklog and BenchmarkChurn.
var (
	backlogSizes  = flag.String("backlog", "1000000,5000000", "pending deliveries, for each size a database")
	backlogWindow = flag.Duration("window", 10*time.Second, "how long each rate is measured")
	backlogRounds = flag.Int("rounds", 2, "how often, in turns")
)

const (
	backlogEndpoints = 10_000
	backlogHanging   = 100
	backlogIdle      = 100 // more, which get nothing but a fresh mail now and then
	backlogGroup     = 10  // endpoints that a mail is owed to
	backlogSlots     = 512 // attempts in flight, of the dispatcher and of the plain queue
	plainWarmUp      = 5 * time.Second
)

// receivers are the endpoints of a benchmark: paths /well answer, paths /hung hang while hang is set.
type receivers struct {
	servers []*httptest.Server
	hang    atomic.Bool
	healthy atomic.Int64
	fresh   chan time.Duration // how long a mail to an idle endpoint took

	transport *http.Transport // of the plain queue
}

func newReceivers(b *testing.B) *receivers {
	b.Helper()
	r := &receivers{
		fresh:     make(chan time.Duration, 1<<16),
		transport: &http.Transport{MaxIdleConns: 2 * backlogSlots, MaxIdleConnsPerHost: backlogSlots},
	}
	b.Cleanup(r.transport.CloseIdleConnections)
	for range 64 { // as many hosts as pools of connections hold
		srv := httptest.NewServer(r)
		b.Cleanup(srv.Close)
		r.servers = append(r.servers, srv)
	}
	return r
}

// ServeHTTP implements [http.Handler].
func (r *receivers) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	switch {
	case req.URL.Path == "/well":
		r.healthy.Add(1)
	case req.URL.Path == "/fresh":
		body, err := io.ReadAll(req.Body)
		_, rest, found := strings.Cut(string(body), "accepted at ")
		digits, _, _ := strings.Cut(rest, ".")
		if at, aerr := strconv.ParseInt(digits, 10, 64); err == nil && aerr == nil && found {
			r.fresh <- time.Since(time.UnixMicro(at))
		}
	case r.hang.Load():
		io.Copy(io.Discard, req.Body) // else the server does not see that the client has gone
		<-req.Context().Done()
	}
}

// url gives the URL of an endpoint by its number: one in a hundred may hang.
func (r *receivers) url(i int) string {
	path := "/well"
	switch {
	case i >= backlogEndpoints:
		path = "/fresh"
	case i%(backlogEndpoints/backlogHanging) == 0:
		path = "/hung"
	}
	return r.servers[i%len(r.servers)].URL + path
}

// figures are those of one window.
type figures struct {
	start    time.Duration // until all lanes were taken and read
	healthy  float64       // deliveries a second to endpoints that do not hang
	fresh    []time.Duration
	counters map[string]float64
}

func (f *figures) latency(percent int) time.Duration {
	if len(f.fresh) == 0 {
		return 0
	}
	slices.Sort(f.fresh)
	return f.fresh[(len(f.fresh)-1)*percent/100].Round(100 * time.Microsecond)
}

// backlogged is a crowd in a database of its own with many pending deliveries.
type backlogged struct {
	*crowd
	r    *receivers
	pool *pgxpool.Pool
	size int
}

// newBacklogged has a mail be owed to group endpoints each, and makes the last groups those of the endpoints that are idle but for fresh mail.
func newBacklogged(b *testing.B, r *receivers, size, group int) *backlogged {
	b.Helper()
	url := throwaway.Database(b)
	c := &backlogged{crowd: gather(b, url, backlogEndpoints+backlogIdle, group, r.url), r: r, size: size}
	c.groups -= backlogIdle / group
	b.Cleanup(c.close)
	var err error
	if c.pool, err = pgxpool.New(b.Context(), url+"&pool_max_conns=20"); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.pool.Close)
	begun := time.Now()
	c.owe(size)
	// Each endpoint gets its mails in an order of its own, or the attempts of a mail would share its parse for as long as they keep step,
	// and the rate would fall to half by itself when they do not any more.
	c.exec(b, "UPDATE delivery SET due_at = due_at - (random() * 3600000)::bigint")
	b.Logf("%d deliveries owed after %s", size, time.Since(begun).Round(time.Second))
	c.exec(b, "VACUUM FULL ANALYZE delivery")
	c.exec(b, "VACUUM ANALYZE")
	return c
}

func (c *backlogged) exec(b *testing.B, text string) {
	b.Helper()
	if _, err := c.pool.Exec(b.Context(), text); err != nil {
		b.Fatalf("%s: %v", text, err)
	}
}

// number gives the only value of a query.
func (c *backlogged) number(b *testing.B, text string) (n int64) {
	b.Helper()
	if err := c.pool.QueryRow(b.Context(), text).Scan(&n); err != nil {
		b.Fatalf("%s: %v", text, err)
	}
	return n
}

// begin starts a dispatcher that remembers nothing of the round before, and returns when it has taken all lanes and has read from each.
func (c *backlogged) begin(b *testing.B) (took time.Duration, stop func()) {
	b.Helper()
	c.exec(b, "DELETE FROM endpoint_life")
	d := c.dispatcher(func(cfg *Config) {
		cfg.Log, cfg.DrainTimeout, cfg.Workers, cfg.Ledger, cfg.Node = nil, time.Second, backlogSlots, c.store, "bench"
	})
	begun := time.Now()
	stop = c.start(d)
	for d.board.unread() > 0 || d.board.owned() < backlogEndpoints {
		if time.Since(begun) > time.Minute {
			b.Logf("after a minute %d lanes are taken, and %d of them not read", d.board.owned(), d.board.unread())
			break
		}
		<-time.After(100 * time.Millisecond)
	}
	return time.Since(begun), stop
}

// unread is the number of lanes that wait for their first read.
func (b *board) unread() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lanes {
		if l.more && len(l.held) == 0 && l.cursor.DueAt.IsZero() {
			n++
		}
	}
	return n
}

// measure gives the figures of a window, in which a mail comes to one of a hundred idle endpoints twenty times a second.
func (c *backlogged) measure(b *testing.B, hung bool) *figures {
	b.Helper()
	c.r.hang.Store(hung)
	took, stop := c.begin(b)
	defer stop()
	for len(c.r.fresh) > 0 {
		<-c.r.fresh
	}
	before, counted, begun := c.r.healthy.Load(), c.tally(b), time.Now()
	mails := time.NewTicker(50 * time.Millisecond)
	defer mails.Stop()
	for n := 0; time.Since(begun) < *backlogWindow; n++ {
		<-mails.C
		c.accept(mail(fmt.Sprintf("accepted at %d.", time.Now().UnixMicro())), fmt.Sprintf("e%d", backlogEndpoints+n%backlogIdle))
	}
	f := &figures{start: took, healthy: float64(c.r.healthy.Load()-before) / time.Since(begun).Seconds(), counters: c.tally(b)}
	for name, n := range counted {
		f.counters[name] -= n
	}
	for len(c.r.fresh) > 0 {
		f.fresh = append(f.fresh, <-c.r.fresh)
	}
	return f
}

// load is the load average, for whoever reads the figures.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(string(text))[:2], " ")
}

// BenchmarkBacklog has 10,000 endpoints and backlogs of several sizes on PostgreSQL, and measures what the 9,900 endpoints get per second
// while the other hundred answer, and while they hang; and the same of a plain queue on the same server.
func BenchmarkBacklog(b *testing.B) {
	r := newReceivers(b)
	var crowds []*backlogged
	for text := range strings.SplitSeq(*backlogSizes, ",") {
		size, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		c := newBacklogged(b, r, size, backlogGroup)
		c.fillPlain(b)
		crowds = append(crowds, c)
	}
	type cell struct {
		size        int
		plain, hung bool
	}
	sums := map[cell]float64{}
	for _, c := range crowds {
		c.measure(b, false) // what was just loaded and packed is a third quicker than what has lived for a while
	}
	for b.Loop() {
		for round := range *backlogRounds {
			for _, hung := range []bool{round%2 == 1, round%2 == 0} {
				for _, c := range crowds {
					f := c.measure(b, hung)
					sums[cell{c.size, false, hung}] += f.healthy
					made := max(f.counters["attempts_total"], 1)
					b.Logf("round %d, %8d pending, hanging %-5t: Letterhook %6.0f/s, start %s, fresh mail p50 %s p99 %s; each: %.2f due rows in %.3f reads, %.2f statements; load %s",
						round+1, c.size, hung, f.healthy, f.start.Round(100*time.Millisecond), f.latency(50), f.latency(99), f.counters["read_rows_total due"]/made, f.counters["reads_total due"]/made,
						f.counters["written_statements_total"]/made, load())
					plain := c.measurePlain(b, hung)
					sums[cell{c.size, true, hung}] += plain
					b.Logf("round %d, %8d pending, hanging %-5t: plain queue %6.0f/s; load %s", round+1, c.size, hung, plain, load())
				}
			}
		}
	}
	for _, plain := range []bool{false, true} {
		name := map[bool]string{false: "letterhook", true: "plain"}[plain]
		small := sums[cell{crowds[0].size, plain, false}]
		for _, c := range crowds {
			without, with := sums[cell{c.size, plain, false}], sums[cell{c.size, plain, true}]
			b.ReportMetric(without/float64(*backlogRounds*b.N), fmt.Sprintf("%s/s-%d", name, c.size))
			b.ReportMetric(100*with/without, fmt.Sprintf("%s-%%-hanging-%d", name, c.size))
			b.ReportMetric(100*without/small, fmt.Sprintf("%s-%%-of-smallest-%d", name, c.size))
		}
	}
}
