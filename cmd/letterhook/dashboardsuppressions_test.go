package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// testSuppressions: a sender is kept off and let in again by the pages, with a filter as somebody types, and with the keys.
func testSuppressions(t *testing.T, browser chrome) {
	h := newAPIHouse(t)
	zenithHouse(t, h)
	b := openTab(t, browser, strings.TrimSuffix(h.base, "/api/v1"))
	add := func(address, note, done string) {
		t.Helper()
		b.fill("#address", address)
		b.fill("#note", note)
		b.click("#add button")
		b.untilText(done)
	}
	b.show("/")
	b.click(`nav a[href="/suppressions"]`)
	b.untilText("Nothing is suppressed")
	b.fill("#account", h.accounts["zenith"])
	add("@Spam.example", `<img src="/nothing" onerror="alert(1)">`, "It is added")
	if row := b.text(`document.querySelector("#results tbody tr").innerText.replace(/\s+/g, " ")`); !strings.HasPrefix(row, "from @Spam.example refused for good <img src") || !strings.Contains(row, " zenith ") {
		t.Errorf("the row is %q", row)
	}
	if got := heard(t, h, "ann@spam.example", "a@zen.example"); !strings.Contains(got, "550 5.7.1") {
		t.Errorf("an unwanted sender hears %s", got)
	}
	b.fill("#account", h.accounts["acme"])
	b.fill("#side", "to")
	b.fill("#action", "discard")
	b.fill("#until", "2036-01-31")
	add("ann@declared.example.com", "nobody reads it", "It is added")
	if row := b.text(`document.querySelector("#results tbody tr").innerText.replace(/\s+/g, " ")`); !strings.HasPrefix(row, "to ann@declared.example.com thrown away in ") || !strings.Contains(row, " acme ") {
		t.Errorf("the row is %q", row)
	}
	if until := b.text(`document.querySelector("#results tbody time").dateTime`); until != "2036-02-01T00:00:00Z" { // the last day is one of them
		t.Errorf("it ends %s", until)
	}
	add("nonsense", "a slip", "sender is neither a mail address nor @ and a domain")
	b.click("main a.button")

	b.write("#q", "READS")
	b.until(`document.querySelectorAll("#results tbody tr").length == 1 && document.querySelector("#results").innerText.includes("ann@declared")`)
	if query := b.text("new URL(location).searchParams.get('q')"); query != "READS" {
		t.Errorf("the address is of the filter %q", query)
	}
	b.do(`document.querySelector("#whose").value = "` + h.accounts["zenith"] + `"; document.querySelector("#whose").dispatchEvent(new Event("change", {bubbles: true}))`)
	b.untilText("Nothing was found")
	b.show("/suppressions")
	b.run(chromedp.KeyEvent("/"))
	b.until(`document.activeElement.id == "q"`)
	b.do(`document.querySelector("#q").value = ""`) // the protocol types what the page has prevented
	b.write("#q", "spam")
	b.until(`document.querySelectorAll("#results tbody tr").length == 1`)
	b.run(chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent("j"))
	b.do("window.before = true")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.until("!window.before && document.readyState == 'complete'")
	b.untilText("Want mail from @Spam.example again for zenith?")
	b.click("#remove a.button") // no
	b.until(`!document.querySelector("#remove") && document.querySelectorAll("#results tbody tr").length == 1`)
	b.click("#results a[data-row]")
	b.click("#remove button")
	b.untilText("It is removed")
	if query := b.text("document.querySelector('#q').value"); query != "spam" {
		t.Errorf("behind it the filter is %q", query)
	}
	if got := heard(t, h, "ann@spam.example", "a@zen.example"); got != "250" {
		t.Errorf("a sender that is wanted again hears %s", got)
	}
	b.clean("422")
}

// TestSuppressionPages: everybody sees and changes what is his own, and who may not write is shown nothing to press.
func TestSuppressionPages(t *testing.T) {
	h := newAPIHouse(t)
	zenithHouse(t, h)
	zenith, acme := h.key(t, "zenith"), h.key(t, "acme")
	for _, c := range []struct {
		form url.Values
		want int
	}{
		{url.Values{"address": {" <ann@spam.example> "}, "account": {h.accounts["zenith"]}}, http.StatusSeeOther},
		{url.Values{"address": {"ann@spam.example"}}, http.StatusUnprocessableEntity},
		{url.Values{"address": {"b@spam.example"}, "until": {"tomorrow"}}, http.StatusUnprocessableEntity},
	} {
		if status, text := h.page(t, zenith, http.MethodPost, "/suppressions", c.form); status != c.want {
			t.Errorf("%v: %d %s", c.form, status, text)
		}
	}
	if got := heard(t, h, "ann@spam.example", "a@zen.example"); !strings.Contains(got, "550 ") {
		t.Fatal(got)
	}
	one := h.do(t, zenith, "GET", "/suppressions", nil)["items"].([]any)[0].(map[string]any)
	if one["sender"] != "ann@spam.example" || one["created_by"] != "of zenith" {
		t.Errorf("%v", one)
	}
	remove := "/suppressions/" + one["id"].(string) + "/delete"
	ask := "/suppressions?remove=" + one["id"].(string)
	if _, text := h.page(t, acme, http.MethodGet, ask, nil); strings.Contains(text, "ann@spam") || !strings.Contains(text, "Nothing is suppressed") {
		t.Error("another account sees it")
	}
	reader := h.key(t, "zenith", "read")
	if _, text := h.page(t, reader, http.MethodGet, ask, nil); !strings.Contains(text, "ann@spam.example") || strings.Contains(text, "Remove") || strings.Contains(text, "Add one") {
		t.Error("a reader is shown what he may not press, or does not see it")
	}
	for name, c := range map[string]struct {
		key, path string
		want      int
	}{
		"another account": {acme, remove, http.StatusNotFound}, "a reader": {reader, remove, http.StatusForbidden}, "a reader adds": {reader, "/suppressions", http.StatusForbidden},
		"nobody": {"", remove, http.StatusSeeOther},
	} {
		if status, _ := h.page(t, c.key, http.MethodPost, c.path, url.Values{"address": {"x@y.example"}}); status != c.want {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status, _ := h.page(t, h.key(t, "zenith", "write"), http.MethodGet, "/suppressions", nil); status != http.StatusForbidden {
		t.Errorf("without the scope read: %d", status)
	}
	if got := h.do(t, zenith, "GET", "/suppressions", nil)["items"].([]any); len(got) != 1 {
		t.Errorf("what is left is %v", got)
	}

	// The box that says where an address would go knows of them, and what is thrown away leads nowhere.
	for address, action := range map[string]string{"old@zen.example": "refuse", "void@zen.example": "discard"} {
		form := url.Values{"side": {"to"}, "address": {address}, "action": {action}}
		if status, text := h.page(t, zenith, http.MethodPost, "/suppressions", form); status != http.StatusSeeOther {
			t.Errorf("%d %s", status, text)
		}
		want := map[string]string{"refuse": "It is refused: a suppression", "discard": "It is accepted and thrown away: a suppression"}[action]
		for _, path := range []string{"/domains?address=", "/domains/zen.example?address="} {
			if _, text := h.page(t, zenith, http.MethodGet, path+address, nil); !strings.Contains(text, want) || !strings.Contains(text, `<p><a href="/suppressions">`) {
				t.Errorf("%s%s does not say %q", path, address, want)
			}
		}
	}

	// What it refused leads to it.
	if err := h.store.FlushNotes(t.Context()); err != nil {
		t.Fatal(err)
	}
	refusal := id(h.do(t, zenith, "GET", "/refusals?sender=ann@spam.example", nil)["items"].([]any)[0].(map[string]any))
	if _, text := h.page(t, zenith, http.MethodGet, "/refusals/"+refusal, nil); !strings.Contains(text, `href="/suppressions?q=%40spam.example"`) {
		t.Error("the refusal does not lead to the suppression")
	}
}

// TestSuppressionPagesOfMany: the list goes in pages, the newest first, and keeps what was looked for.
func TestSuppressionPagesOfMany(t *testing.T) {
	h := newAPIHouse(t)
	zenith := h.key(t, "zenith")
	for i := range 52 {
		h.do(t, zenith, "POST", "/suppressions", map[string]any{"sender": fmt.Sprintf("s%02d@spam.example", i)})
	}
	_, first := h.page(t, zenith, http.MethodGet, "/suppressions?q=spam", nil)
	_, link, found := strings.Cut(first, `<a href="?`)
	link, _, _ = strings.Cut(link, `"`)
	link = strings.ReplaceAll(link, "&amp;", "&")
	if !found || !strings.Contains(link, "q=spam") || strings.Count(first, "data-row") != 50 || !strings.Contains(first, "s51@") || strings.Contains(first, "s01@") {
		t.Fatalf("the link is %q and there are %d rows", link, strings.Count(first, "data-row"))
	}
	if _, second := h.page(t, zenith, http.MethodGet, "/suppressions?"+link, nil); strings.Count(second, "data-row") != 2 || !strings.Contains(second, "s00@") || strings.Contains(second, `rel="next"`) {
		t.Errorf("the second page is %s", second)
	}
}
