package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// garbageRoom is how far the heap may always grow between two collections, in octets. By default the collector runs when
// the heap has doubled, and what lives of a busy server is a few MB, so it would run twenty times a second to win little.
const garbageRoom = 24 << 20

// collector sets the pace of the garbage collector: it runs when the heap has doubled or grown by garbageRoom, whichever
// is more. So a small heap costs less time, and a large one no more memory than by default.
type collector struct {
	mu      sync.Mutex
	percent int
	ended   bool
	samples []metrics.Sample
}

// paceCollector sets the pace until stop is called. Who has set GOGC knows better.
func paceCollector() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	c := &collector{samples: []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}}
	before := debug.SetGCPercent(gcPercent(0))
	c.percent = gcPercent(0)
	c.watch()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ended = true
		debug.SetGCPercent(before)
	}
}

// watch has the pace set anew after the next collection.
func (c *collector) watch() {
	type sentinel struct{ _ *collector } // holds a pointer, so it shares its memory with nothing that lives longer
	runtime.AddCleanup(new(sentinel), (*collector).collected, c)
}

// collected runs after each collection.
func (c *collector) collected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	metrics.Read(c.samples)
	live := uint64(0)
	for _, s := range c.samples {
		live += s.Value.Uint64()
	}
	if percent := gcPercent(live); percent != c.percent { // to set it stops the world
		c.percent = percent
		debug.SetGCPercent(percent)
	}
	c.watch()
}

// gcPercent is the growth of live octets at which the collector is to run, in steps, so that it seldom changes.
func gcPercent(live uint64) int {
	const step, most, least = 50, 600, 100
	return int(min(max(garbageRoom*100/max(live, 1)/step*step, least), most))
}
