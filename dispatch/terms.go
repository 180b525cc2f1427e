package dispatch

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// defaultDisableAfter is how long an endpoint may fail without a success until it is disabled.
const defaultDisableAfter = 5 * 24 * time.Hour

// terms are what the declaration of an endpoint says about its lane.
type terms struct {
	declared     *storage.Endpoint // nil: it is not declared, and waits
	concurrency  int
	ordered      bool
	every        time.Duration // between two attempts; 0: any
	burst        int
	disableAfter time.Duration // 0: never
}

func termsOf(ep *storage.Endpoint) terms {
	if ep == nil || ep.Disabled {
		return terms{concurrency: defaultConcurrency}
	}
	t := terms{
		declared: ep, concurrency: ep.Concurrency, ordered: ep.Ordered, every: ep.Rate.Every, burst: ep.Rate.Burst,
		disableAfter: ep.DisableAfter,
	}
	if t.concurrency <= 0 {
		t.concurrency = defaultConcurrency
	}
	switch {
	case t.disableAfter == 0:
		t.disableAfter = defaultDisableAfter
	case t.disableAfter < 0:
		t.disableAfter = 0
	}
	return t
}

// sameTarget says whether requests to both go to the same place with the same credentials: what mends a broken endpoint
// when it changes.
func sameTarget(a, b *storage.Endpoint) bool {
	return a.URL == b.URL && a.AllowPrivate == b.AllowPrivate && maps.Equal(a.Headers, b.Headers) && reflect.DeepEqual(a.Access, b.Access) && reflect.DeepEqual(a.Retiring, b.Retiring) &&
		slices.EqualFunc(a.Secrets, b.Secrets, func(x, y []byte) bool { return string(x) == string(y) })
}
