package clientlist

import (
	"context"
	"net/netip"
	"time"
)

const (
	testEvery  = time.Hour   // a zone that is well
	retryEvery = time.Minute // one that is not
)

// Run tests the zones at once, every hour, every minute while one of them fails, and when one stops answering. It returns
// when ctx ends.
func (l *Lists) Run(ctx context.Context) error {
	for {
		select {
		case <-l.test: // this is what it asks for
		default:
		}
		wait := testEvery
		for _, w := range *l.current.Load() {
			if w.Zone != "" && !l.probe(ctx, w) {
				wait = retryEvery
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-l.test:
			timer.Stop()
		}
	}
}

func (l *Lists) testSoon() {
	select {
	case l.test <- struct{}{}:
	default: // it will
	}
}

// The test points of RFC 5782 section 5: every zone lists the one and never the other.
func testPoints() (listed, unlisted netip.Addr) {
	return netip.AddrFrom4([4]byte{127, 0, 0, 2}), netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// probe tests a zone and says whether it may be asked.
func (l *Lists) probe(ctx context.Context, w *watched) bool {
	fault := l.fault(ctx, w.Zone)
	if ctx.Err() != nil {
		return false // that says nothing of the zone
	}
	w.mu.Lock()
	changed := !w.tested || w.on != (fault == "")
	w.on, w.tested, w.failed = fault == "", true, 0
	w.mu.Unlock()
	switch {
	case !changed:
	case fault == "":
		l.log.Info("a zone passed its test and is asked", "zone", w.Zone)
	default:
		l.log.Warn("a zone failed its test and is not asked", "zone", w.Zone, "fault", fault)
	}
	return fault == ""
}

// fault is what is wrong with a zone; empty: nothing.
func (l *Lists) fault(ctx context.Context, zone string) string {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	listed, unlisted := testPoints()
	found, err := l.resolver.LookupNetIP(ctx, "ip4", question(listed, zone))
	switch {
	case isMissing(err):
		return "it does not list 127.0.0.2, which every zone lists (RFC 5782): it is empty or gone"
	case err != nil:
		return "it does not answer: " + err.Error()
	}
	for _, answer := range found {
		if troubles.Contains(answer) {
			return "it refuses to answer (" + answer.String() + "): mostly because the DNS server is a public one"
		}
		if !answers.Contains(answer) {
			return "it answers " + answer.String() + ", which no list does: the domain may have changed hands"
		}
	}
	found, err = l.resolver.LookupNetIP(ctx, "ip4", question(unlisted, zone))
	switch {
	case err == nil && len(found) > 0:
		return "it lists 127.0.0.1, which no zone lists (RFC 5782): it lists everybody"
	case err != nil && !isMissing(err):
		return "it does not answer: " + err.Error()
	}
	return ""
}
