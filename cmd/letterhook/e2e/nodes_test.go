package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
	"github.com/letterhook/letterhook/storage/throwaway"
)

const (
	chaosNodes       = 3
	chaosEndpoints   = 6
	chaosConcurrency = 4
)

const nodeConfiguration = `hostname: ` + serverName + `
public_url: http://%[1]s
data_dir: %[2]s
node: %[3]s
smtp:
  max_connections_per_ip: 100
  max_messages: 1000000
  listeners:
    - {name: mx, address: "%[4]s", tls: none}
http:
  public: {address: "%[1]s"}
  private: {address: "%[1]s"}
defence: {exempt_networks: [127.0.0.0/8]}
storage:
  database: %[5]s
  min_free: 0
%[6]s
`

// crew is several nodes on one database and one bucket, each behind valves of its own.
type crew struct {
	t        *testing.T
	cluster  *throwaway.Postgres
	bucket   *bucket
	receiver *bench.Receiver
	options  []bench.ServerOptions
	nodes    []*bench.Server
	database []*valve
	stores   []*valve
	faults   int // that may each repeat what was in flight
	pauses   int

	mu    sync.Mutex
	last  map[string]time.Time // when an endpoint last got something
	queue map[string]*line
}

// line is what an endpoint in strict order has got.
type line struct {
	highest int
	late    int // repetitions after a later one
	wrong   []string
}

func startCrew(ctx context.Context, t *testing.T) *crew {
	t.Helper()
	c := &crew{t: t, cluster: throwaway.StartPostgres(t), bucket: startBucket(ctx, t), receiver: receive(t), last: map[string]time.Time{}, queue: map[string]*line{}}
	c.receiver.Observe(c.observe)
	database, keys := c.cluster.Database(t), ""
	for i := range chaosNodes {
		o := bench.ServerOptions{Program: program(t), Log: logFile(t), Config: filepath.Join(t.TempDir(), "letterhook.yaml")}
		var err error
		if o.SMTP, err = bench.FreeAddr(); err == nil {
			o.HTTP, err = bench.FreeAddr()
		}
		if err != nil {
			t.Fatal(err)
		}
		toDatabase, toBucket := newValve(t, c.cluster.Address()), newValve(t, c.bucket.addr)
		data := t.TempDir()
		text := fmt.Sprintf(nodeConfiguration, o.HTTP, data, fmt.Sprint("node", i+1), o.SMTP, through(t, database, toDatabase.addr), c.bucket.storageSection(toBucket.addr)+keys)
		if err := os.WriteFile(o.Config, []byte(text+c.endpoints()), 0o600); err != nil {
			t.Fatal(err)
		}
		c.options = append(c.options, o)
		c.database, c.stores = append(c.database, toDatabase), append(c.stores, toBucket)
		c.nodes = append(c.nodes, start(ctx, t, o))
		if i == 0 { // the first makes keys, which all must have
			keys = fmt.Sprintf("\n  key_file: %s\n  link_key_files: [%s]", filepath.Join(data, "instance.key"), filepath.Join(data, "link.key"))
		}
	}
	return c
}

// through is the URL of a database by way of another address.
func through(t *testing.T, database, address string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = address
	return u.String()
}

// endpoints are some that take mail as it comes, and for each node one in strict order, whose only sender is that node's.
func (c *crew) endpoints() string {
	var endpoints, routes strings.Builder
	add := func(name string, ordered bool) {
		fmt.Fprintf(&endpoints, "  - {name: %s, url: %q, secrets: [%s], allow_private: true, concurrency: %d, ordered: %t, schedule: [1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]}\n",
			name, c.receiver.URL, secret, chaosConcurrency, ordered)
		fmt.Fprintf(&routes, "      - {match: %s, endpoints: [%s]}\n", name, name)
	}
	for i := range chaosEndpoints {
		add(fmt.Sprint("e", i), false)
	}
	for i := range chaosNodes {
		add(fmt.Sprint("fifo", i), true)
	}
	return "endpoints:\n" + endpoints.String() + "domains:\n  - name: bench.example\n    routes:\n" + routes.String()
}

var (
	endpointID = regexp.MustCompile(`"endpoint_id":"(ep_[0-9a-z]+)"`)
	fifoToken  = regexp.MustCompile(`fifo(\d+)-(\d+)`)
)

func (c *crew) observe(_ http.Header, body []byte) {
	id := endpointID.FindSubmatch(body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != nil {
		c.last[string(id[1])] = time.Now()
	}
	token := fifoToken.FindSubmatch(body)
	if token == nil {
		return
	}
	l := c.queue[string(token[1])]
	if l == nil {
		l = &line{highest: -1}
		c.queue[string(token[1])] = l
	}
	n, err := strconv.Atoi(string(token[2]))
	switch {
	case err != nil, n > l.highest+1:
		l.wrong = append(l.wrong, fmt.Sprintf("%d after %d", n, l.highest))
	case n < l.highest:
		l.late++
	}
	l.highest = max(l.highest, n)
}

// recovered waits until every endpoint that has ever got anything gets something again, and prints how long that took.
func (c *crew) recovered(ctx context.Context, what string, idle ...int) {
	c.t.Helper()
	began := time.Now()
	eventually(ctx, c.t, "all endpoints go on after "+what, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		silent := 0
		for _, at := range c.last {
			if at.Before(began) {
				silent++
			}
		}
		return len(c.last) >= chaosEndpoints && silent <= len(idle)
	})
	c.t.Logf("%-40s all endpoints go on after %s", what, time.Since(began).Round(10*time.Millisecond))
}

func (c *crew) signal(i int, signal syscall.Signal) {
	c.t.Helper()
	if err := syscall.Kill(-c.nodes[i].PID(), signal); err != nil {
		c.t.Fatal(err)
	}
}

// kill ends a node as kill -9 does, waits until the others have its lanes, and starts it again.
func (c *crew) kill(ctx context.Context, i int) {
	c.t.Helper()
	c.faults++
	if err := c.nodes[i].Kill(); err != nil {
		c.t.Fatal(err)
	}
	c.recovered(ctx, fmt.Sprintf("kill -9 of node %d", i+1), i) // its own strict line has no sender
	c.nodes[i] = start(ctx, c.t, c.options[i])
	c.recovered(ctx, fmt.Sprintf("restart of node %d", i+1))
}

// pause stops a node for a while, as kill -STOP does.
func (c *crew) pause(ctx context.Context, i int, span time.Duration) {
	c.t.Helper()
	c.faults++
	c.pauses++
	c.signal(i, syscall.SIGSTOP)
	over := time.After(span)
	c.recovered(ctx, fmt.Sprintf("kill -STOP of node %d", i+1), i)
	<-over // the pause itself
	c.signal(i, syscall.SIGCONT)
	c.recovered(ctx, fmt.Sprintf("kill -CONT of node %d after %s", i+1, span))
}

// rest lets an outage be.
func (c *crew) rest(span time.Duration) {
	<-time.After(span) // the outage itself
}

func (c *crew) outageOfDatabase(ctx context.Context, signal syscall.Signal, span time.Duration) {
	c.t.Helper()
	c.faults++
	if err := c.cluster.Stop(signal); err != nil {
		c.t.Fatal(err)
	}
	c.rest(span)
	if err := c.cluster.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.recovered(ctx, fmt.Sprintf("%s without the database (%s)", span, signal))
}

func (c *crew) outageOfBucket(ctx context.Context, span time.Duration) {
	c.t.Helper()
	c.faults++
	c.bucket.kill(c.t)
	c.rest(span)
	c.bucket.start(ctx, c.t)
	c.recovered(ctx, fmt.Sprintf("%s without the bucket", span))
}

// cutOff takes a node's way to the database away, without a word to either side.
func (c *crew) cutOff(ctx context.Context, i int, span time.Duration) {
	c.t.Helper()
	c.faults++
	c.database[i].stop()
	over := time.After(span)
	c.recovered(ctx, fmt.Sprintf("no way to the database from node %d", i+1), i)
	<-over // the outage itself
	c.database[i].cut()
	c.database[i].flow()
	c.recovered(ctx, fmt.Sprintf("the way back for node %d after %s", i+1, span))
}

// stopOne stops a node in good order: its lanes go on at once.
func (c *crew) stopOne(ctx context.Context, i int) {
	c.t.Helper()
	if err := c.nodes[i].Stop(); err != nil {
		c.t.Error(err)
	}
	c.recovered(ctx, fmt.Sprintf("SIGTERM of node %d", i+1), i)
	c.nodes[i] = start(ctx, c.t, c.options[i])
}

// TestNodesInTrouble has three nodes share a database and a bucket under load, while nodes are killed, stopped and cut off, the
// database and the bucket go away, and connections break. What got 250 arrives, under one id; endpoints in strict order get it in
// order; what a fault repeats is bounded. LETTERHOOK_CHAOS is the number of rounds with the full lengths; without it one short
// round is made.
func TestNodesInTrouble(t *testing.T) {
	rounds, long := 1, false
	if text := os.Getenv("LETTERHOOK_CHAOS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		long = true
	}
	ctx := within(t, time.Duration(rounds)*15*time.Minute)
	c := startCrew(ctx, t)
	sending, stop := context.WithCancel(ctx)
	var loads sync.WaitGroup
	sent := make([]*bench.Sent, 2*chaosNodes)
	for i := range chaosNodes {
		loads.Go(func() {
			sent[2*i] = bench.Send(sending, bench.Load{
				Addr: c.options[i].SMTP, Endpoints: chaosEndpoints, Connections: 4, Messages: 1 << 40, Size: 2048, Rate: 40, Run: fmt.Sprint("any", i), Resend: true,
			})
		})
		loads.Go(func() {
			sent[2*i+1] = bench.Send(sending, bench.Load{
				Addr: c.options[i].SMTP, To: fmt.Sprintf("fifo%d@bench.example", i), Connections: 1, Messages: 1 << 40, Size: 2048, Rate: 10, Run: fmt.Sprint("fifo", i), Resend: true,
			})
		})
	}
	c.recovered(ctx, "the start")
	for range rounds {
		c.round(ctx, long)
	}
	stop()
	loads.Wait()
	for _, s := range sent {
		kept(ctx, t, s, c.receiver)
	}
	c.judge()
	for i, n := range c.nodes {
		stopAndCheck(t, n, c.options[i])
	}
}

func (c *crew) round(ctx context.Context, long bool) {
	paused, outage := 16*time.Second, 3*time.Second
	if long {
		paused, outage = time.Minute, 30*time.Second
	}
	c.stopOne(ctx, 0)
	c.kill(ctx, 1)
	c.pause(ctx, 2, paused)
	c.outageOfDatabase(ctx, syscall.SIGINT, outage)
	c.outageOfBucket(ctx, outage)
	for _, v := range append(c.database, c.stores...) {
		v.cut()
	}
	c.faults++
	c.recovered(ctx, "cut connections")
	if long {
		c.outageOfDatabase(ctx, syscall.SIGQUIT, time.Second)
		c.cutOff(ctx, 0, paused)
		c.kill(ctx, 2)
	}
}

// judge holds what came against the promises.
func (c *crew) judge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := 0
	for name, l := range c.queue {
		if len(l.wrong) > 0 {
			c.t.Errorf("strict line %s: out of order: %s", name, strings.Join(l.wrong[:min(len(l.wrong), 5)], ", "))
		}
		late += l.late
	}
	if late > c.pauses {
		c.t.Errorf("%d repetitions came after what follows them, with %d pauses", late, c.pauses)
	}
	most := c.faults * (chaosEndpoints*chaosConcurrency + chaosNodes)
	tally := c.receiver.Tally()
	if tally.Duplicates > most {
		c.t.Errorf("%d requests repeated by %d faults, at most %d were in flight", tally.Duplicates, c.faults, most)
	}
	c.t.Logf("%d faults, %d requests repeated (bound %d), %d of them late", c.faults, tally.Duplicates, most, late)
}
