package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
)

const guardedConfig = `hostname: mx.example.com
data_dir: DATA
smtp:
  listeners: [{name: mx, address: "127.0.0.1:0", tls: none}]
http:
  public: {address: "127.0.0.1:0"}
  private: {address: "127.0.0.1:0"}
public_url: http://127.0.0.1/mail
endpoints:
  - {name: app, url: "https://app.example.com/hook", secrets: [whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}
domains:
  - name: in.example.com
    routes: [{match: "*", endpoints: [app]}]
`

// serveGuarded runs a server that nobody gets into without a key, and gives the address of its dashboard.
func serveGuarded(t *testing.T) (s *serving, base string) {
	t.Helper()
	s = serveGuardedFile(t, guardedConfig)
	return s, "http://" + s.public.Addr().String() + "/mail"
}

func serveGuardedFile(t *testing.T, text string) *serving {
	t.Helper()
	s := &serving{path: filepath.Join(t.TempDir(), "letterhook.yaml"), log: &lockedBuffer{}, done: make(chan error, 1)}
	s.write(t, text)
	c, err := config.Load(s.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	level := new(slog.LevelVar)
	ctx, cancel := context.WithCancel(t.Context())
	if s.server, err = openServer(ctx, serverOptions{config: c, declare: declare, log: newLogger(s.log, "text", level), level: level}); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-s.done; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	return s
}

// makeKey makes a key as letterhook keys create does.
func makeKey(t *testing.T, s *serving, name string, o keyOptions) string {
	t.Helper()
	var out bytes.Buffer
	if err := o.create(t.Context(), &out, s.store, name); err != nil {
		t.Fatal(err)
	}
	for word := range strings.FieldsSeq(out.String()) {
		if strings.HasPrefix(word, "lhk_") {
			return word
		}
	}
	t.Fatalf("no key in %q", out.String())
	return ""
}

func logIn(b *tab, key string) {
	b.t.Helper()
	b.fill("#key", key)
	b.click("main button")
}

// testLogin: nobody sees anything without a key; with one a session lasts until its end is asked for.
func testLogin(t *testing.T, browser chrome) {
	s, base := serveGuarded(t)
	key := makeKey(t, s, "laptop", keyOptions{scopes: scopeNames()})
	b := openTab(t, browser, base)
	b.show("/messages")
	b.untilText("With a key of the API")
	logIn(b, "lhk_nonsense")
	b.untilText("This is no valid key")
	logIn(b, key)
	if at := b.text("location.pathname"); at != "/mail/messages" {
		t.Errorf("after the login it shows %s", at)
	}
	b.untilText("laptop")
	kept, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		t.Fatal(err)
	}
	cookies := kept.Cookies
	if len(cookies) != 1 || !cookies[0].HTTPOnly || cookies[0].SameSite != network.CookieSameSiteLax {
		t.Errorf("the cookies are %+v", cookies)
	}
	b.click(`form[action$="/logout"] button`)
	b.untilText("With a key of the API")
	// The cookie that there was is worth nothing any more.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: cookies[0].Name, Value: cookies[0].Value})
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusSeeOther || !strings.HasPrefix(response.Header.Get("Location"), "/mail/login") {
		t.Errorf("with the old cookie: %s to %s", response.Status, response.Header.Get("Location"))
	}
	b.clean("401")
}

// testNoAccess: what a key may not do is said, and not done.
func testNoAccess(t *testing.T, browser chrome) {
	s, base := serveGuarded(t)
	b := openTab(t, browser, base)
	b.show("/")
	logIn(b, makeKey(t, s, "reader", keyOptions{scopes: []string{"read"}}))
	endpoint := endpointID(t, s.server, "app")
	b.show("/endpoints/" + endpoint)
	b.untilText("Your key lacks the scope replay")
	if b.text(`document.body.innerText.includes("Pause")`) != "false" {
		t.Error("the button is there")
	}
	// Somebody who knows the form gets no further.
	b.do(`document.body.insertAdjacentHTML("beforeend", '<form id="f" method="post" action="` + endpoint + `/state"><input name="state" value="paused"><button>x</button></form>')`)
	b.click("#f button")
	b.untilText("You may not do that")
	b.clean("403")
}

// endpointID gives the id of an endpoint by its name.
func endpointID(t *testing.T, s *server, name string) string {
	t.Helper()
	for id, e := range s.directory.Load().Endpoints {
		if e.Name == name {
			return id
		}
	}
	t.Fatalf("there is no endpoint %s", name)
	return ""
}
