package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const emptyConfig = `hostname: mx.example.com
data_dir: DATA
smtp:
  listeners: [{name: mx, address: "127.0.0.1:0", tls: none}]
http:
  public: {address: "127.0.0.1:0"}
  private: {address: "127.0.0.1:0"}
public_url: http://127.0.0.1
accounts: [{name: main}]
`

// testFirstSteps: from nothing to the first webhook, by the pages alone but for the mail itself.
func testFirstSteps(t *testing.T, browser chrome) {
	h := startHook(t, http.StatusOK)
	s := serveFile(t, emptyConfig)
	b := openTab(t, browser, "http://"+s.public.Addr().String())
	b.show("/")
	b.click(`main a[href="/start"]`)
	b.fill("#name", "app")
	b.fill("#url", "ftp://app.example.com/hook")
	b.click("#steps form button.primary")
	b.untilText("That cannot be done")
	b.click("main a.button")
	b.fill("#name", "app")
	b.fill("#url", h.URL)
	b.run(chromedp.Click(chromedp.CSS(`input[name="private"]`)))
	b.click("#steps form button.primary")
	secret := b.text(`document.querySelector("#made code").innerText`)
	b.click(`form[action$="/test"] button`)
	b.untilText("Test event: delivered 200")
	b.show("/start")
	b.fill("#domain", "In.Example.com")
	b.click(`form[action="/domains"] button`)
	b.untilText("The domain is there")
	b.untilText("in.example.com. IN MX 10 mx.example.com.")
	id := sendRaw(t, s.smtpListeners[0].Addr().String(), replyMail)
	b.show("/start")
	b.until(`document.querySelectorAll(".steps li.done").length == 4`)
	b.show("/messages/" + id)
	b.untilText("app: delivered")
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	last := len(h.got) - 1
	if err := wh.Verify([]byte(h.bodies[last]), h.got[last].Header); err != nil || !strings.Contains(h.bodies[last], id) {
		t.Errorf("the webhook does not verify: %v", err)
	}
	b.clean("422")
}

// testSettings: a key that is made here lets in until it is revoked, and a lever is pulled after a question.
func testSettings(t *testing.T, browser chrome) {
	s, base := serveGuarded(t)
	b := openTab(t, browser, base)
	b.show("/settings")
	logIn(b, makeKey(t, s, "laptop", keyOptions{scopes: scopeNames()}))
	b.run(openDetails(`details:has(form[action$="/settings/keys"])`))
	b.fill("#keyname", "phone")
	b.click(`form[action$="/settings/keys"] button`)
	token := b.text(`document.querySelector("#token code").innerText`)
	other := openTab(t, browser, base)
	other.show("/")
	logIn(other, token)
	other.untilText("All well")
	b.show("/settings")
	if b.text(`document.body.innerHTML.includes("`+token+`")`) != "false" {
		t.Error("the key is shown again")
	}
	b.do(`[...document.querySelectorAll("tr")].find(r => r.innerText.startsWith("phone")).querySelector("button").id = "end"`)
	b.click("#end")
	b.untilText("The key is worth nothing any more")
	other.show("/")
	other.untilText("With a key of the API")

	b.show("/settings")
	b.click(`a[href$="?pull=defer-on"]`)
	b.untilText("Every mail is put off with 4xx")
	if s.smtp.Levers().Defer.On {
		t.Error("it was pulled before it was confirmed")
	}
	b.click("#pull button")
	if !s.smtp.Levers().Defer.On {
		t.Error("it was not pulled")
	}
	b.show("/")
	b.untilText("all mail is deferred by a lever")
	b.show("/settings?pull=defer-off")
	b.click("#pull button")
	b.untilText("levers.pull")
	b.clean()
}

// TestDashboardKeepsAccountsApart: with the key of one account there is nothing of another's on any page, and no form works on it.
func TestDashboardKeepsAccountsApart(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	t.Cleanup(hook.Close)
	s := serveFile(t, strings.Replace(emptyConfig, "accounts: [{name: main}]", "accounts: [{name: acme}, {name: umbrella}]", 1)+`
endpoints:
  - {name: secretive, account: acme, url: "`+hook.URL+`/acme", allow_private: true, stored_secrets: true}
  - {name: other, account: umbrella, url: "`+hook.URL+`/umbrella", allow_private: true, stored_secrets: true}
domains:
  - {name: in.example.com, account: acme, routes: [{match: "*", endpoints: [secretive]}]}
  - {name: umbrella.example, account: umbrella, routes: [{match: "*", endpoints: [other]}]}
`)
	id := sendRaw(t, s.smtpListeners[0].Addr().String(), replyMail)
	mine, theirs := endpointID(t, s.server, "other"), endpointID(t, s.server, "secretive")
	key := makeKey(t, s, "umbrella's", keyOptions{account: "umbrella", scopes: scopeNames()})
	ask := func(method, path, form string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.public.Addr().String()+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	secretive := regexp.MustCompile(`secretive|acme|support@in|` + id + `|` + theirs + `|Ticket 42`)
	for _, path := range []string{"/", "/messages", "/messages?q=ticket", "/messages?q=" + id, "/endpoints", "/endpoints/" + mine, "/domains", "/start", "/refusals", "/suppressions", "/settings"} {
		status, text := ask(http.MethodGet, path, "")
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		text = strings.ReplaceAll(text, url.QueryEscape(id), "") // what was asked stands in the box
		text = strings.ReplaceAll(text, `placeholder="support@in.example.com"`, "")
		text = strings.ReplaceAll(text, `placeholder="in.example.com"`, "")
		if found := secretive.FindString(strings.ReplaceAll(text, `value="`+id+`"`, "")); found != "" {
			t.Errorf("%s shows %s", path, found)
		}
	}
	if _, text := ask(http.MethodGet, "/domains?address=a@in.example.com", ""); !strings.Contains(text, "not one of yours") || strings.Contains(text, "secretive") {
		t.Error("the routes of another account are explained")
	}
	for _, path := range []string{
		"/messages/" + id, "/messages/" + id + "?show=raw", "/messages/" + id + "/html", "/messages/" + id + "/raw", "/messages/" + id + "/attachments/2",
		"/endpoints/" + theirs, "/domains/in.example.com", "/compose",
	} {
		if status, _ := ask(http.MethodGet, path, ""); status != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, status)
		}
	}
	for path, form := range map[string]string{
		"/messages/" + id + "/again": "delivery=dlv_x", "/endpoints/" + theirs + "/state": "state=paused", "/endpoints/" + theirs + "/test": "",
		"/endpoints/" + theirs + "/secret": "overlap=0", "/endpoints/" + theirs + "/replay": "state=any&since=all&confirmed=yes",
		"/endpoints/" + theirs + "/delete": "", "/endpoints/" + theirs + "/url": "url=https://evil.example", "/domains/in.example.com/delete": "",
		"/domains/in.example.com/verify": "", "/settings/levers": "lever=drain&to=on", "/settings/accounts": "name=x",
	} {
		if status, _ := ask(http.MethodPost, path, form); status != http.StatusNotFound && status != http.StatusForbidden {
			t.Errorf("POST %s: %d", path, status)
		}
	}
	if e := s.directory.Load().Endpoints[theirs]; e == nil || e.URL != hook.URL+"/acme" {
		t.Error("the endpoint was changed")
	}
	if s.smtp.Levers().Drain.On {
		t.Error("a lever was pulled")
	}
}
