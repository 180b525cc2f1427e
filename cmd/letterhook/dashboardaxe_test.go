package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// hindered says what axe finds serious or critical on the page that is shown.
func (b *tab) hindered(source, where string) {
	b.t.Helper()
	b.do(source)
	found := b.text(`(await axe.run(document, {iframes: false, resultTypes: ["violations"], runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21aa"]}})).violations
		.filter(v => v.impact == "serious" || v.impact == "critical").map(v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 160) + " " + n.failureSummary).join("; ")).join("\n")`)
	if found != "" {
		b.t.Errorf("%s: %s", where, found)
	}
}

// wear has the pages that follow in a theme.
func (b *tab) wear(theme string) { b.do(`document.cookie = "letterhook_theme=` + theme + `; path=/"`) }

// testHindrances: axe finds nothing serious on any page, in either theme: with something to show, with nothing, after something was done, and
// after something failed.
func testHindrances(t *testing.T, browser chrome) {
	source := axeSource(t)
	h := startHook(t, http.StatusServiceUnavailable)
	b, dev := startDashboard(t, browser, devOptions{forward: h.URL})
	b.show("/")
	empty := []string{"/", "/messages", "/refusals", "/suppressions", "/settings", "/start"}
	for _, theme := range []string{"light", "dark"} {
		b.wear(theme)
		for _, path := range empty {
			b.show(path)
			b.hindered(source, "without mail, "+theme+", "+path)
		}
	}
	id := sendRaw(t, dev.smtp, replyMail)
	b.show("/messages/" + id)
	b.untilText("Attempt 1 at dev: status 503")
	endpoint := b.text(`(await (await fetch("/endpoints")).text()).match(/ep_[0-9a-z]{26}/)[0]`)
	pages := append(pagesOf(id), "/endpoints/"+endpoint, "/nothing", "/messages?q=state%3Anonsense", "/endpoints/"+endpoint+"?range=week")
	for _, theme := range []string{"light", "dark"} {
		b.wear(theme)
		for _, path := range pages {
			b.show(path)
			b.hindered(source, theme+", "+path)
			if got := b.text("document.documentElement.dataset.theme"); got != theme {
				t.Fatalf("the theme is %s", got)
			}
		}
		for form, want := range map[string]string{"/test": "Test event", "/replay": "Nothing would be sent again", "/secret": "whsec_"} {
			b.show("/endpoints/" + endpoint)
			if form == "/secret" {
				b.run(openDetails("details"))
			}
			b.click(`form[action$="` + form + `"] button`)
			b.untilText(want)
			b.hindered(source, theme+", the result of "+form)
		}
	}
	b.clean("404", "422")
}

// testHindrancesOfWork: the same for the pages that need a key, a domain of the API, or a refusal; and on a phone.
func testHindrancesOfWork(t *testing.T, browser chrome) {
	source := axeSource(t)
	h, token, ids := routesHouse(t, "a-*", "b-*", "/o-(?P<n>[0-9]+)/")
	h.do(t, token, "POST", "/domains", map[string]any{"name": "asked.example"})
	minted := replyHouse(t, h, "acme")
	unwanted := id(h.do(t, token, "POST", "/suppressions", map[string]any{"sender": strings.Repeat("long", 15) + "@spam.example", "until": "2036-01-01T00:00:00Z", "note": "Ticket 42"}))
	h.do(t, token, "POST", "/suppressions", map[string]any{"recipient": "void@shop.example", "action": "discard", "until": "2020-01-01T00:00:00Z"})
	if got := recipient(t, h.serving, "nobody@shop.example"); !strings.HasPrefix(got, "550 ") {
		t.Fatal(got)
	}
	out := openTab(t, browser, strings.Replace(strings.TrimSuffix(h.base, "/api/v1"), "127.0.0.1", "mx.localhost", 1)) // from here, and not named so: a key is needed
	for _, theme := range []string{"light", "dark"} {
		out.show("/login")
		out.wear(theme)
		out.show("/login")
		out.hindered(source, theme+", the login")
		out.fill("#key", "lhk_nonsense")
		out.click("main button")
		out.untilText("This is no valid key")
		out.hindered(source, theme+", a wrong key")
	}
	out.clean("401")

	b := openTab(t, browser, strings.TrimSuffix(h.base, "/api/v1"))
	for b.show("/refusals"); b.text(`document.querySelectorAll("a[data-row]").length`) == "0"; {
		b.show("/refusals")
	}
	refusal := b.text(`document.querySelector("a[data-row]").getAttribute("href")`)
	pages := []string{
		refusal, "/refusals", "/refusals?to=nobody%40else.example", "/domains", "/domains?address=b-1%40shop.example", "/domains/shop.example", "/domains/shop.example?address=o-1%40shop.example",
		"/domains/shop.example?address=no+address", "/domains/shop.example?dns=now", "/domains/asked.example", "/domains/declared.example.com", "/domains/shop.example/routes/" + ids["a-*"], "/endpoints", "/settings",
		"/suppressions", "/suppressions?q=nothing", "/suppressions?remove=" + unwanted,
		"/domains/in.example.com", "/domains/in.example.com?address=" + url.QueryEscape(minted),
	}
	for _, theme := range []string{"light", "dark"} {
		b.wear(theme)
		for _, path := range pages {
			b.show(path)
			b.hindered(source, theme+", "+path)
		}
		b.show("/domains/in.example.com")
		b.run(openDetails(`details:has(#mint)`))
		b.click("#mint button")
		b.untilText("The address is made.")
		b.hindered(source, theme+", a reply address")
		b.show("/domains/shop.example/routes/" + ids["a-*"])
		b.do(`document.querySelectorAll("input[name=endpoint]").forEach(box => box.checked = false)`)
		b.click("main form button.primary")
		b.untilText("Choose at least one endpoint")
		b.hindered(source, theme+", a form that was refused")
		b.run(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
		for _, path := range pages {
			b.show(path)
			b.hindered(source, theme+", on a phone, "+path)
			if wide := b.text("document.documentElement.scrollWidth"); wide != "360" {
				t.Errorf("%s is %s wide: %s", path, wide, b.text(`[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > 361).map(e => e.outerHTML.slice(0, 90)).slice(0, 3).join("\n")`))
			}
		}
		b.run(chromedp.EmulateViewport(1280, 860))
	}
	b.clean("404", "422")
}
