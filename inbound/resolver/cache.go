package resolver

import (
	"container/list"
	"net"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// answer is what a server said about a name and type.
type answer struct {
	records []dns.RR
	missing bool // the name does not exist, with any type
	ttl     time.Duration
}

// err is the error of an answer without records.
func (a *answer) err(name string) error {
	switch {
	case len(a.records) > 0:
		return nil
	case a.missing:
		return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return &net.DNSError{Err: "no such records", Name: name, IsNotFound: true}
}

type key struct {
	name  string // as queryName gives it
	qtype uint16
}

// cache remembers answers up to a number of octets. What was not asked for longest goes first.
type cache struct {
	now   func() time.Time
	limit int

	mu      sync.Mutex
	size    int
	entries map[key]*list.Element // of *entry
	order   list.List             // the most recently used in front
}

type entry struct {
	key     key
	answer  *answer
	expires time.Time
	size    int
}

func newCache(limit int, now func() time.Time) *cache {
	return &cache{now: now, limit: limit, entries: map[key]*list.Element{}}
}

// get gives an answer that is still good, or nil.
func (c *cache) get(k key) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.entries[k]
	if element == nil {
		return nil
	}
	e := element.Value.(*entry)
	if !c.now().Before(e.expires) {
		c.remove(element)
		return nil
	}
	c.order.MoveToFront(element)
	return e.answer
}

// put remembers an answer.
func (c *cache) put(k key, a *answer) {
	e := &entry{key: k, answer: a, expires: c.now().Add(a.ttl), size: entrySize(k, a)}
	if a.ttl <= 0 || e.size > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.entries[k]; old != nil {
		c.remove(old)
	}
	c.entries[k] = c.order.PushFront(e)
	c.size += e.size
	for c.size > c.limit {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(element *list.Element) {
	e := element.Value.(*entry)
	c.order.Remove(element)
	delete(c.entries, e.key)
	c.size -= e.size
}

const (
	entryCost  = 300 // octets of an entry with its places in the map and the list
	recordCost = 150 // octets of a record beside its data
)

func entrySize(k key, a *answer) int {
	size := entryCost + len(k.name)
	for _, rr := range a.records {
		size += recordCost + 2*dns.Len(rr)
	}
	return size
}
