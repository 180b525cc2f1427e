package storage

import "testing"

// TestReplayPage: a replay that may make a few deliveries reads about as many rows, each with its envelope, and not a thousand of them twenty
// times a second, unless it has to look at the mails to know which it selects.
func TestReplayPage(t *testing.T) {
	for _, c := range []struct {
		spec       ReplaySpec
		most, want int
	}{
		{ReplaySpec{}, 3, leastPage},
		{ReplaySpec{States: []string{StateDead}}, 200, 200},
		{ReplaySpec{}, 5000, replayPage},
		{ReplaySpec{Kind: "human"}, 3, replayPage},
		{ReplaySpec{Missing: true}, 3, replayPage},
		{ReplaySpec{Recipient: "a@b.example"}, 3, replayPage},
	} {
		if got := c.spec.pageFor(c.most); got != c.want {
			t.Errorf("%+v for %d: %d rows, want %d", c.spec, c.most, got, c.want)
		}
	}
}
