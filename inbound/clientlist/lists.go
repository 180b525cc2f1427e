package clientlist

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/letterhook/letterhook/inbound"
)

// Resolver is what is asked of DNS; [github.com/letterhook/letterhook/inbound/resolver.Resolver] remembers answers by their TTL.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config says which lists are asked, and how.
type Config struct {
	Lists    []List
	Resolver Resolver
	// Timeout is how long all the zones together may take for one client. 5 seconds.
	Timeout time.Duration
	// Log is where changes in the health of zones go. Nil: nowhere.
	Log *slog.Logger
	// Registerer takes the metrics. Nil: none.
	Registerer prometheus.Registerer
}

// Lists asks lists about clients. Make one with [New], and have it test the zones with [Lists.Run]: a zone that was not
// tested is not asked. It is safe for concurrent use.
type Lists struct {
	resolver Resolver
	timeout  time.Duration
	log      *slog.Logger
	results  *prometheus.CounterVec // by list and result
	current  atomic.Pointer[[]*watched]
	test     chan struct{} // holds one when zones are to be tested before their time
}

// New makes a Lists.
func New(cfg Config) (*Lists, error) {
	l := &Lists{resolver: cfg.Resolver, timeout: cfg.Timeout, log: cfg.Log, test: make(chan struct{}, 1)}
	if l.timeout == 0 {
		l.timeout = 5 * time.Second
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.results = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "letterhook_client_lists_total", Help: "Questions to lists about clients, by list and result.",
	}, []string{"list", "result"})
	if cfg.Registerer != nil {
		if err := cfg.Registerer.Register(l.results); err != nil {
			return nil, fmt.Errorf("clientlist: registering metrics: %w", err)
		}
	}
	return l, l.Replace(cfg.Lists)
}

// Replace puts other lists in the place of those that there are. Zones that stay keep what is known of their health.
func (l *Lists) Replace(lists []List) error {
	health := map[string]*watched{}
	if old := l.current.Load(); old != nil {
		for _, w := range *old {
			if w.Zone != "" {
				health[w.Zone] = w
			}
		}
	}
	next := make([]*watched, len(lists))
	for i := range lists {
		if err := lists[i].check(); err != nil {
			return err
		}
		next[i] = &watched{List: lists[i], on: lists[i].Networks != nil}
		if before := health[lists[i].Zone]; before != nil {
			next[i].on, next[i].tested = before.usable(), true
		}
	}
	l.current.Store(&next)
	l.testSoon()
	return nil
}

// Check asks all the lists about a client; nil where there are none.
func (l *Lists) Check(ctx context.Context, client netip.Addr) *inbound.Reputation {
	lists := *l.current.Load()
	if len(lists) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	found := make([]string, len(lists)) // a code each; "-": listed without one
	var all sync.WaitGroup
	for i, w := range lists {
		switch {
		case w.Networks != nil:
			if w.Networks.Contains(client) {
				found[i] = ownCode
				l.results.WithLabelValues(w.name(), "listed").Inc()
			}
		case !isPublic(client):
		case !w.usable():
			l.results.WithLabelValues(w.name(), "off").Inc()
		default:
			all.Go(func() { found[i] = l.ask(ctx, w, client) })
		}
	}
	all.Wait()
	return weigh(client, lists, found)
}

// ownCode stands for the answer of a list of our own.
const ownCode = "-"

// isPublic says whether a zone can know an address.
func isPublic(client netip.Addr) bool {
	return client.IsGlobalUnicast() && !client.IsPrivate()
}

// ask gives what a zone answers about a client, if that counts; empty: it is not listed, or nobody knows.
func (l *Lists) ask(ctx context.Context, w *watched, client netip.Addr) string {
	addresses, err := l.resolver.LookupNetIP(ctx, "ip4", question(client, w.Zone))
	missing := isMissing(err)
	if w.noteAnswer(err == nil || missing) {
		l.log.Warn("a zone does not answer and is not asked for now", "zone", w.Zone, "error", err)
		l.testSoon()
	}
	result, code := "not_listed", ""
	if err != nil && !missing {
		result = "temperror"
	}
	for _, address := range addresses {
		if w.counts(address) {
			result, code = "listed", address.String()
			break
		}
	}
	l.results.WithLabelValues(w.name(), result).Inc()
	return code
}

// isMissing says that a name does not exist, which is an answer.
func isMissing(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}

// weigh makes one verdict of what was found. A list of those to be let in wins over all others, and the sternest action of the
// others over the rest.
func weigh(client netip.Addr, lists []*watched, found []string) *inbound.Reputation {
	r := &inbound.Reputation{Listings: []inbound.Listing{}}
	var by *watched
	for i, w := range lists {
		switch code := found[i]; code {
		case "":
			continue
		case ownCode:
			r.Listings = append(r.Listings, w.listing(""))
		default:
			r.Listings = append(r.Listings, w.listing(code))
		}
		switch {
		case w.Kind == Allow:
			r.Allowed = true
		case by == nil || sternness(w.Action) > sternness(by.Action):
			by = w
		}
	}
	if by != nil && !r.Allowed {
		r.Refuse = by.reply(client)
	}
	return r
}

func sternness(a Action) int {
	switch a {
	case Defer:
		return 1
	case Reject:
		return 2
	}
	return 0
}

// reply is what a client that is listed hears; nil: nothing of it. The name of a list of our own is nobody's business.
func (w *watched) reply(client netip.Addr) *inbound.Reply {
	text := client.String() + " is on a block list here"
	if w.Zone != "" {
		text = client.String() + " is listed by " + w.Zone
	}
	switch w.Action {
	case Defer:
		return &inbound.Reply{Code: 451, Status: [3]int{4, 7, 1}, Text: text}
	case Reject:
		return &inbound.Reply{Code: 550, Status: [3]int{5, 7, 1}, Text: text}
	}
	return nil
}
