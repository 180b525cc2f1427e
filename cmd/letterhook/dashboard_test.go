package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestDashboard goes through the pages in a real browser, as people do.
func TestDashboard(t *testing.T) {
	browser := startBrowser(t)
	for name, test := range map[string]func(*testing.T, chrome){
		"compose":            testCompose,
		"search":             testSearch,
		"message":            testMessagePage,
		"hostile":            testHostileMail,
		"login":              testLogin,
		"phone":              testPhone,
		"no access":          testNoAccess,
		"first steps":        testFirstSteps,
		"settings":           testSettings,
		"refusal":            testRefusal,
		"suppressions":       testSuppressions,
		"reply addresses":    testReplyAddresses,
		"routes":             testRoutes,
		"secret":             testRotation,
		"replay":             testReplay,
		"pause":              testPause,
		"hindrances":         testHindrances,
		"hindrances of work": testHindrancesOfWork,
	} {
		t.Run(name, func(t *testing.T) { test(t, browser) })
	}
}

// testCompose: from an empty server to the first webhook, by the dashboard alone.
func testCompose(t *testing.T, browser chrome) {
	b, _ := startDashboard(t, browser, devOptions{})
	b.show("/")
	b.untilText("No mail has come yet")
	b.click(`nav a[href="/compose"]`)
	b.fill("#subject", "The first")
	b.click("main button")
	b.untilText("The mail was taken")
	b.untilText("The first")
	b.until(`document.querySelector("#results .state")?.innerText == "delivered"`) // by itself
	b.click("#results a[data-row]")
	b.untilText("Attempt 1 at dev: delivered 204")
	b.clean()
}

// testSearch: results come as somebody types, and the keys move in them.
func testSearch(t *testing.T, browser chrome) {
	b, dev := startDashboard(t, browser, devOptions{})
	for _, subject := range []string{"Ticket one", "Ticket two", "Invoice"} {
		send(t, dev.smtp, sendOptions{from: "ann@sender.example", subject: subject, text: "Hello\n"})
	}
	b.show("/messages")
	b.until(`document.querySelectorAll("#results tbody tr").length == 3 && !document.querySelector("#results").innerText.includes("not read yet")`)
	b.write("#q", "ticket")
	b.until(`document.querySelectorAll("#results tbody tr").length == 2`)
	if query := b.text("new URL(location).searchParams.get('q')"); query != "ticket" {
		t.Errorf("the address is of the search %q", query)
	}
	b.write("#q", " from:nobody@")
	b.untilText("Nothing was found")
	b.do(`document.querySelector("#q").value = ""`)
	b.write("#q", "state:nonsense")
	b.untilText("state: is one of")
	b.show("/messages?q=ticket")
	b.run(chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("k"), chromedp.KeyEvent("j"))
	if subject := b.text("document.activeElement.innerText"); subject != "Ticket one" { // the older one stands below
		t.Errorf("the keys went to %q", subject)
	}
	b.run(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector("h1").innerText == "Ticket one"`)
	b.clean()
}

// testMessagePage: every view of a mail, what happened to it, and sending it again.
func testMessagePage(t *testing.T, browser chrome) {
	var status atomic.Int64
	status.Store(http.StatusServiceUnavailable)
	var got atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Add(1)
		w.WriteHeader(int(status.Load()))
		_, _ = w.Write([]byte("the answer of " + r.Header.Get("letterhook-attempt")))
	}))
	t.Cleanup(receiver.Close)
	b, dev := startDashboard(t, browser, devOptions{forward: receiver.URL})
	id := sendRaw(t, dev.smtp, replyMail)
	b.show("/messages/" + id)
	b.untilText("Attempt 1 at dev: status 503")
	b.untilText("the answer of 1")
	b.untilText("Nobody was asked")
	// The picture of the mail is shown within its frame, and the frame has made no request for it.
	html := b.text(`await (await fetch(document.querySelector("iframe").src)).text()`)
	if !strings.Contains(html, "data:image/png;base64,") || strings.Contains(html, "cid:") {
		t.Errorf("the picture is not in the frame: %s", html)
	}
	for view, want := range map[string]string{
		"text": "On Monday Bob wrote:", "headers": "reply@sender.example", "structure": "its boundary divides it",
		"attachments": "dot.png", "raw": "Content-ID: <dot@sender.example>",
	} {
		b.show("/messages/" + id + "?show=" + view)
		b.untilText(want)
	}
	b.show("/messages/" + id + "?show=text")
	if types := b.text(`[...document.querySelectorAll(".text .seg")].map(s => s.title).join()`); types != "reply,attribution,quote,signature" {
		t.Errorf("the text has the segments %s", types)
	}
	status.Store(http.StatusOK)
	b.click("#happened button") // try it now
	b.untilText("It is being sent again")
	b.untilText("dev: delivered")
	if got.Load() < 2 {
		t.Errorf("the receiver got %d requests", got.Load())
	}
	b.clean()
}

// testPhone: nothing is wider than a phone.
func testPhone(t *testing.T, browser chrome) {
	b, dev := startDashboard(t, browser, devOptions{})
	id := sendRaw(t, dev.smtp, replyMail)
	b.run(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
	for _, path := range append(pagesOf(id), "/nothing") {
		b.show(path)
		if wide := b.text("document.documentElement.scrollWidth"); wide != "360" {
			t.Errorf("%s is %s wide: %s", path, wide, b.text(`[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > 361).map(e => e.outerHTML.slice(0, 90)).slice(0, 3).join("\n")`))
		}
	}
	b.clean("404")
}

// pagesOf are all pages of a server with a message.
func pagesOf(message string) []string {
	list := []string{"/", "/messages", "/messages?q=nothing+fits", "/compose", "/start", "/endpoints", "/domains", "/domains?address=a%40b.example", "/refusals", "/suppressions", "/settings", "/settings?pull=drain-on"}
	for _, view := range []string{"html", "text", "headers", "structure", "attachments", "raw"} {
		list = append(list, "/messages/"+message+"?show="+view)
	}
	return list
}
