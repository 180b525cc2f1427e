package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// testRoutes: the box says where an address would go, and why not elsewhere.
func testRoutes(t *testing.T, browser chrome) {
	s := serveFile(t, strings.Replace(guardedConfig, `routes: [{match: "*", endpoints: [app]}]`,
		`routes: [{match: support, endpoints: [app]}, {match: "reply+*", endpoints: [app]}, {match: "/o-(?P<order>[0-9]+)/", endpoints: [app]}, {match: noreply, refuse: "Nobody reads this"}]`, 1))
	b := openTab(t, browser, "http://"+s.public.Addr().String()+"/mail")
	b.show("/domains")
	b.fill("#address", "O-42@in.example.com")
	b.click("main form button")
	b.untilText("It is accepted.")
	b.untilText("order = 42")
	if hit := b.text(`document.querySelector("tr.hit").innerText`); !strings.Contains(hit, "/o-") || !strings.Contains(hit, "it matches, and is the first that does") {
		t.Errorf("what is lit is %q", hit)
	}
	b.untilText(`"o-42" is not "support"`)
	b.untilText("there is no + in the local part")
	for address, want := range map[string]string{
		"noreply@in.example.com": "Nobody reads this", "nobody@in.example.com": "No route matches", "a@elsewhere.example": "The domain is not declared",
		"no address": "This is no address",
	} {
		b.show("/domains")
		b.fill("#address", address)
		b.click("main form button")
		b.untilText(want)
	}
	b.clean()
}

// testRefusal: the pages alone say why a mail was refused, and what to do.
func testRefusal(t *testing.T, browser chrome) {
	s := serveFile(t, strings.Replace(guardedConfig, `match: "*"`, `match: support`, 1))
	b := openTab(t, browser, "http://"+s.public.Addr().String()+"/mail")
	var out strings.Builder
	o := sendOptions{
		server: s.smtpListeners[0].Addr().String(), helo: "mail.sender.example", tls: "auto", count: 1, connections: 1, from: "ann@sender.example",
		to: []string{"supporter@in.example.com"}, subject: "A typing error", text: "Hello\n",
	}
	if err := o.run(t.Context(), nil, nil, &out); err == nil {
		t.Fatalf("it was taken: %s", out.String())
	}
	for b.show("/refusals"); b.text(`document.querySelectorAll("a[data-row]").length`) == "0"; {
		b.show("/refusals") // it is written within a second
	}
	b.untilText("ann@sender.example")
	b.click("a[data-row]")
	b.untilText("Refused: no such recipient")
	b.untilText("550 5.1.1 No such mailbox here")
	b.untilText("RCPT TO:<supporter@in.example.com>") // the dialogue
	b.untilText("mail.sender.example")
	b.click(`a[href*="/domains?address="]`)
	b.untilText("No route matches, so it is refused")
	b.untilText(`"supporter" is not "support"`)
	b.clean()
}

// hook is a receiver that keeps what it got.
type hook struct {
	*httptest.Server

	first chan struct{} // closed when something came

	mu     sync.Mutex
	status int
	got    []*http.Request
	bodies []string
}

func startHook(t *testing.T, status int) *hook {
	h := &hook{status: status, first: make(chan struct{})}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.got, h.bodies = append(h.got, r), append(h.bodies, string(text)); len(h.got) == 1 {
			close(h.first)
		}
		w.WriteHeader(h.status)
	}))
	t.Cleanup(h.Close)
	return h
}

// await gives the body of the first request when it has come.
func (h *hook) await(t *testing.T) string {
	t.Helper()
	select {
	case <-h.first:
	case <-time.After(time.Minute):
		t.Fatal("the receiver got nothing")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bodies[0]
}

func (h *hook) answer(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

// signatures is how many the last request carried.
func (h *hook) signatures() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.got) == 0 {
		return 0
	}
	return len(strings.Fields(h.got[len(h.got)-1].Header.Get("webhook-signature")))
}

// testRotation: a new secret is shown once and signs, beside the old ones.
func testRotation(t *testing.T, browser chrome) {
	h := startHook(t, http.StatusOK)
	b, _ := startDashboard(t, browser, devOptions{forward: h.URL})
	b.show("/endpoints")
	b.click("a[data-row]")
	b.run(openDetails("details"))
	b.click(`form[action$="/secret"] button`)
	secret := b.text(`document.querySelector("#made code").innerText`)
	if !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("the secret is %q", secret)
	}
	// The server signs with it within a second; every test event is one more look.
	for h.signatures() < 2 {
		b.click(`form[action$="/test"] button`)
		b.untilText("Test event: delivered 200")
	}
	if b.text(`document.body.innerHTML.includes("whsec_")`) != "false" {
		t.Error("the secret is shown again")
	}
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	last := len(h.got) - 1
	if err := wh.Verify([]byte(h.bodies[last]), h.got[last].Header); err != nil {
		t.Errorf("the new secret does not verify: %v", err)
	}
	b.clean()
}

// testReplay: what was delivered is counted, confirmed, and sent again with the same webhook-id.
func testReplay(t *testing.T, browser chrome) {
	h := startHook(t, http.StatusOK)
	b, dev := startDashboard(t, browser, devOptions{forward: h.URL})
	id := send(t, dev.smtp, sendOptions{from: "ann@sender.example", subject: "Again", text: "Hello\n"})
	b.show("/messages/" + id)
	b.untilText("dev: delivered")
	b.show("/endpoints")
	b.click("a[data-row]")
	b.click(`form[action$="/replay"] button`) // the dead
	b.untilText("Nothing would be sent again")
	b.fill("#state", "any")
	b.click(`form[action$="/replay"] button`)
	b.untilText("1 delivery would be sent again")
	b.click("#plan button")
	b.untilText("The replay runs")
	b.until(`document.querySelector("#replays")?.innerText.includes("1 of 1")`)
	b.show("/messages/" + id)
	b.until(`[...document.querySelectorAll(".line li")].filter(l => l.innerText.includes("Attempt 1 at dev: delivered 200")).length == 2`)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.got) != 2 || h.got[0].Header.Get("webhook-id") != h.got[1].Header.Get("webhook-id") || h.got[1].Header.Get("letterhook-replay") != "true" {
		t.Errorf("the receiver got %d requests", len(h.got))
	}
	b.clean()
}

// testPause: what is paused is said so, and enabled again.
func testPause(t *testing.T, browser chrome) {
	h := startHook(t, http.StatusServiceUnavailable)
	b, dev := startDashboard(t, browser, devOptions{forward: h.URL})
	b.show("/endpoints")
	b.click("a[data-row]")
	b.click(`form[action$="/state"] button`)
	b.untilText("It is paused")
	id := send(t, dev.smtp, sendOptions{from: "ann@sender.example", subject: "Waits", text: "Hello\n"})
	b.show("/")
	b.untilText("Mail comes in; some endpoints do not take it.")
	h.answer(http.StatusOK)
	b.click("#now a[href*='/endpoints/']")
	b.click(`form[action$="/state"] button`)
	b.untilText("It is enabled.")
	b.show("/messages/" + id)
	b.untilText("dev: delivered")
	b.clean()
}
