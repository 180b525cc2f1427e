package main

import (
	"strings"
	"testing"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

// TestTail follows mail, attempts and refusals from another machine, over a network that fails.
func TestTail(t *testing.T) {
	h := newAPIHouse(t)
	there, _, _ := zenithHouse(t, h)
	workstation(t, h, "")
	between := newRelay(t, h.public.Addr().String())
	must(t, "context", "add", "between", "--url", "http://"+between.Addr().String(), "--key", h.key(t, ""), "--use")
	l := follow(t, "tail")
	l.messages.await(t, "Following")
	smtp := h.smtpListeners[0].Addr().String()
	probe := func(text string) string { // until the stream is there: it tells of what happens from then on
		for {
			id := send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"bob@zen.example"}, text: text})
			there.next(t)
			if out := l.out.String(); strings.Contains(out, "accepted") && strings.Contains(out, "delivered") {
				return id
			}
		}
	}
	probe("one")
	l.out.await(t, "<ann@sender.example> to bob@zen.example")
	l.out.await(t, "to app, attempt 1, 200 in ")
	if got := recipient(t, h.serving, "nobody@declared.example.com"); !strings.HasPrefix(got, "550 ") {
		t.Fatal(got)
	}
	if err := h.store.FlushNotes(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.out.await(t, "refused    ")
	between.set(true)
	l.messages.await(t, "Cut off")
	between.set(false)
	l.messages.await(t, "Connected again.")
	id := send(t, smtp, sendOptions{from: "ann@sender.example", to: []string{"bob@zen.example"}, text: "again"})
	l.out.await(t, id)
	l.cancel()
	if err := <-l.ended; err != nil {
		t.Error(err)
	}

	failing := follow(t, words("tail --failed --json --count 1 --context there")...)
	failing.messages.await(t, "Following")
	refused := 0
	for done := false; !done; refused++ {
		recipient(t, h.serving, "nobody@declared.example.com")
		if err := h.store.FlushNotes(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-failing.ended:
			if done = true; err != nil {
				t.Error(err)
			}
		default:
		}
	}
	v := firstJSON(t, failing.out.String())
	if data, _ := v["data"].(map[string]any); v["event"] != "refusal" || data["recipient"] != "nobody@declared.example.com" || data["code"] != float64(550) {
		t.Errorf("after %d: %v", refused, v)
	}
	if _, err := command(t, words("tail --only nonsense")...); err == nil {
		t.Error("nonsense is followed")
	}
	workstation(t, h, "zenith", "write")
	if _, err := command(t, "tail"); err == nil || !strings.Contains(err.Error(), "scope read") {
		t.Errorf("without the scope: %v", err)
	}
}

func TestMissedText(t *testing.T) {
	for want, m := range map[string]apiclient.StreamMissed{
		"  1 event left out: there were too many at once":      {N: 1},
		"  2 events left out, and perhaps more of other nodes": {N: 2, Unsure: true},
		"  events of other nodes may have been left out":       {Unsure: true},
	} {
		if got := missedText(&m); !strings.HasSuffix(got, "Z"+want) {
			t.Errorf("%+v is told as %q", m, got)
		}
	}
}
