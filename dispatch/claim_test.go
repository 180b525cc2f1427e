package dispatch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/storage"
)

// crowd is a house with many endpoints in groups of one size, so that a mail to a group (g0, g1 ...) is owed to all of them. Each has
// a name of its own, too (e0, e1 ...).
type crowd struct {
	*house
	registry *prometheus.Registry
	groups   int
	size     int          // of a group
	mails    atomic.Int64 // the number of the last one
}

const groupSize = 100

// gather makes a crowd, in a database of PostgreSQL where that is not empty; url gives the URL of an endpoint by its number.
func gather(t testing.TB, database string, endpoints, size int, url func(i int) string) *crowd {
	t.Helper()
	c := &crowd{house: build(t, storage.Endpoint{Name: "none", URL: "http://127.0.0.1:1/"}), registry: prometheus.NewRegistry(), size: size}
	c.close()
	var err error
	if database != "" { // the folder is that of the store that was made there first
		if c.blobs, err = storage.NewDir(t.TempDir(), c.links); err != nil {
			t.Fatal(err)
		}
	}
	if c.store, err = storage.Open(context.Background(), storage.Config{Dir: c.folder, Database: database, Blobs: c.blobs, Registerer: c.registry}); err != nil {
		t.Fatal(err)
	}
	d := storage.Declaration{Accounts: []string{"acme"}, Domains: []storage.DeclaredDomain{{Name: "in.example", Account: "acme"}}}
	var own []storage.DeclaredRoute
	for i := range endpoints {
		if i%size == 0 {
			d.Routes = append(d.Routes, storage.DeclaredRoute{Domain: "in.example", Match: fmt.Sprintf("g%d", c.groups)})
			c.groups++
		}
		e := storage.Endpoint{Name: fmt.Sprintf("e%d", i), URL: url(i), Account: "acme", Secrets: [][]byte{testSecret}, Concurrency: firstConcurrency}
		d.Endpoints = append(d.Endpoints, e)
		r := &d.Routes[len(d.Routes)-1]
		r.Endpoints = append(r.Endpoints, e.Name)
		own = append(own, storage.DeclaredRoute{Domain: "in.example", Match: e.Name, Endpoints: []string{e.Name}})
	}
	d.Routes = append(d.Routes, own...)
	if c.directory, err = c.store.Apply(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	for id, e := range c.directory.Endpoints {
		c.ids[e.Name] = id
	}
	return c
}

// owe accepts mails until so many more deliveries are pending.
func (c *crowd) owe(more int) {
	var senders sync.WaitGroup
	last := c.mails.Load() + int64(more/c.size)
	for range 16 {
		senders.Go(func() {
			for n := c.mails.Add(1); n <= last; n = c.mails.Add(1) {
				c.accept(mail(fmt.Sprintf("m%d", n)), fmt.Sprintf("g%d", int(n)%c.groups))
			}
		})
	}
	senders.Wait()
}

// tally gives the store's own counters, by name and query.
func (c *crowd) tally(t testing.TB) map[string]float64 {
	t.Helper()
	families, err := c.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "letterhook_storage_")
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			counted[name] = m.GetCounter().GetValue()
		}
	}
	return counted
}

// claimCost makes deliveries out of a backlog and says what one costs, on the average: rows read, queries, statements written.
func claimCost(t *testing.T, pending, deliveries int) map[string]float64 {
	t.Helper()
	var served atomic.Int64
	enough := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if served.Add(1) == int64(deliveries) {
			close(enough)
		}
	}))
	defer srv.Close()
	c := gather(t, "", groupSize, groupSize, func(int) string { return srv.URL })
	defer c.close()
	c.owe(pending)
	before := c.tally(t)
	stop := c.start(c.dispatcher(func(cfg *Config) { cfg.Log = nil }))
	<-enough
	stop()
	after := c.tally(t)
	made := after["attempts_total"] - before["attempts_total"]
	cost := map[string]float64{}
	for name := range claimBounds {
		cost[name] = (after[name] - before[name]) / made
	}
	t.Logf("%d pending, %.0f delivered; each: %.3v", pending, made, cost)
	if rows, reads := after["read_rows_total lanes"], after["reads_total lanes"]; rows > reads*groupSize {
		t.Errorf("%d pending: %.0f rows in %.0f looks at %d lanes", pending, rows, reads, groupSize)
	}
	return cost
}

// claimBounds are what one delivery may cost at most, whatever is pending. A completion that goes alone takes eight statements.
var claimBounds = map[string]float64{
	"read_rows_total due": 2, "reads_total due": 0.5, "read_rows_total mails": 2, "reads_total mails": 0.5, "written_statements_total": 10,
}

// What it costs to find and to record a delivery does not depend on how many others are pending. Counts, not times.
func TestClaimCostIsConstant(t *testing.T) {
	sizes := []int{8_000, 32_000}
	if os.Getenv("LETTERHOOK_SOAK") != "" {
		sizes = append(sizes, 100_000, 1_000_000)
	}
	const deliveries = 4000
	var small map[string]float64
	for _, size := range sizes {
		cost := claimCost(t, size, deliveries)
		for name, bound := range claimBounds {
			if cost[name] > bound {
				t.Errorf("%s: %.3f for each delivery with %d pending, at most %.1f", name, cost[name], size, bound)
			}
		}
		if small == nil {
			small = cost
		}
		// What was read ahead when it stopped is a matter of chance.
		if rows := "read_rows_total due"; cost[rows] > small[rows]*1.3+0.1 {
			t.Errorf("%.2f rows for each delivery with %d pending, %.2f with %d", cost[rows], size, small[rows], sizes[0])
		}
	}
}

// BenchmarkHanging has 10,000 endpoints and a million pending deliveries, and measures what the 9,900 endpoints get per second
// while the other hundred answer, and while they hang.
func BenchmarkHanging(b *testing.B) {
	const endpoints, hanging, pending, warmUp, window = 10_000, 100, 1_000_000, 5 * time.Second, 20 * time.Second
	var hang atomic.Bool
	var healthy atomic.Int64
	var servers []*httptest.Server
	for range 64 { // as many hosts as pools of connections hold
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/well":
				healthy.Add(1)
			case hang.Load():
				io.Copy(io.Discard, r.Body) // else the server does not see that the client has gone
				<-r.Context().Done()
			}
		}))
		b.Cleanup(srv.Close)
		servers = append(servers, srv)
	}
	c := gather(b, "", endpoints, groupSize, func(i int) string {
		path := "/well"
		if i%(endpoints/hanging) == 0 {
			path = "/hung"
		}
		return servers[i%len(servers)].URL + path
	})
	defer c.close()
	c.owe(pending)
	measure := func(hung bool) float64 {
		hang.Store(hung)
		lives, err := c.store.Lives(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for _, l := range lives { // nothing is remembered of the round before
			if err := c.store.SetEndpointState(b.Context(), l.Endpoint, storage.EndpointEnabled, ""); err != nil {
				b.Fatal(err)
			}
		}
		begun := healthy.Load()
		stop := c.start(c.dispatcher(func(cfg *Config) { cfg.Log, cfg.DrainTimeout = nil, time.Second }))
		<-time.After(warmUp)
		before := healthy.Load()
		<-time.After(window)
		rate := float64(healthy.Load()-before) / window.Seconds()
		stop()
		c.owe(int(healthy.Load() - begun)) // the next window finds as many pending
		return rate
	}
	for b.Loop() {
		var all, some float64
		for round := range 3 {
			without, with := measure(false), measure(true)
			b.Logf("round %d: %.0f/s with none hanging, %.0f/s with %d hanging (%.0f %%)", round+1, without, with, hanging, 100*with/without)
			all, some = all+without, some+with
		}
		b.ReportMetric(all/3, "none-hanging/s")
		b.ReportMetric(some/3, "hanging/s")
		b.ReportMetric(100*some/all, "%")
	}
}
