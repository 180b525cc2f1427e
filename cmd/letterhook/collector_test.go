package main

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

func TestGCPercent(t *testing.T) {
	for _, test := range []struct {
		live uint64
		want int
	}{
		{0, 600}, {4 << 20, 600}, {6 << 20, 400}, {7 << 20, 300}, {12 << 20, 200}, {24 << 20, 100}, {1 << 40, 100},
	} {
		if got := gcPercent(test.live); got != test.want {
			t.Errorf("with %d octets alive it runs at %d %%, want %d", test.live, got, test.want)
		}
	}
}

func TestCollectorFollowsTheHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	before := percentNow()
	stop := paceCollector()
	if got := percentNow(); got != gcPercent(0) {
		t.Errorf("begins with %d %%, want %d", got, gcPercent(0))
	}
	func() {
		large := make([]byte, 4*garbageRoom)
		for percentNow() != 100 { // the cleanup runs on a goroutine of the runtime
			runtime.GC()
		}
		runtime.KeepAlive(large)
	}()
	for percentNow() == 100 {
		runtime.GC()
	}
	stop()
	if got := percentNow(); got != before {
		t.Errorf("left %d %% behind, not %d", got, before)
	}
	runtime.GC()
	runtime.GC()
	if got := percentNow(); got != before {
		t.Errorf("set %d %% after its end", got)
	}
}

func TestCollectorKeepsOffGOGC(t *testing.T) {
	t.Setenv("GOGC", "70")
	before := percentNow()
	stop := paceCollector()
	defer stop()
	if got := percentNow(); got != before {
		t.Errorf("GOGC is set and the pace went from %d to %d %%", before, got)
	}
}

func percentNow() int {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return int(s[0].Value.Uint64())
}
