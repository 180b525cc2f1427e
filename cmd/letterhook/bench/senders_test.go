package bench

import (
	"fmt"
	"testing"
)

// TestObserve wants mails whose sender nobody checked, or whose checks failed, to be told from those that pass.
func TestObserve(t *testing.T) {
	s := &senders{}
	for _, event := range []string{
		`{"data":{"authentication":{"spf":{"result":"pass"},"dkim":[{"result":"pass"}],"dmarc":{"result":"pass"},"arc":{"result":"none"},"iprev":{"result":"pass"}},"text":""}}`,
		`{"data":{"authentication":{"spf":{"result":"pass"},"dkim":[{"result":"fail"},{"result":"pass"}],"dmarc":{"result":"fail"},"arc":{"result":"pass"},"iprev":{"result":"fail"}}}}`,
		`{"data":{"authentication":{"spf":{"result":"none"},"dkim":[],"dmarc":{"result":"temperror"},"arc":{"result":"none"},"iprev":{"result":"none"}}}}`,
		`{"data":{"authentication":null}}`,
		`{"data":{}}`,
		`{"data":{"authentication":{"spf":`,
	} {
		s.observe(nil, []byte(event))
	}
	want := VerdictReport{Events: 6, Unchecked: 3, DMARC: 1, SPF: 2, DKIM: 1, ARC: 1, IPRev: 1}
	if s.seen != want {
		t.Errorf("%+v, want %+v", s.seen, want)
	}
}

// TestFreshBefore spreads the unseen domains evenly, each with a number of its own.
func TestFreshBefore(t *testing.T) {
	for _, test := range []struct {
		messages int64
		share    float64
		want     int64
	}{{100, 0, 0}, {100, 0.05, 5}, {7, 0.5, 3}, {100, 1, 100}, {0, 1, 0}} {
		a := &Authors{unseen: test.share, known: make([]author, knownDomains), fresh: make([]author, freshBefore(test.messages, test.share))}
		for i := range a.fresh {
			a.fresh[i].domain = fmt.Sprint(i)
		}
		seen := map[string]bool{}
		for n := range test.messages {
			if domain := a.of(n).domain; domain != "" {
				seen[domain] = true
			}
		}
		if int64(len(seen)) != test.want {
			t.Errorf("%v of %d: %d mails from domains of their own, want %d", test.share, test.messages, len(seen), test.want)
		}
	}
}
