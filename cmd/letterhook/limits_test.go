package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage/throwaway"
)

const limitsFile = `hostname: mx.example.com
public_url: http://127.0.0.1:1/
data_dir: DATA
smtp: {listeners: [{name: mx, address: "127.0.0.1:0"}]}
http: {public: {address: "127.0.0.1:0"}, private: {address: "localhost:0"}}
storage: {min_free: 0DATABASE}
accounts:
  - {name: free}
  - {name: full, limits: {stored: 10kB}}
  - {name: slow, limits: {backlog: 1}}
  - {name: busy, limits: {messages_per_hour: 2}}
endpoints:
  - {name: app, account: free, url: "URL", allow_private: true, secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz]}
  - {name: app, account: full, url: "URL", allow_private: true, secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz]}
  - {name: app, account: slow, url: "http://127.0.0.1:1/", allow_private: true, secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz]}
  - {name: app, account: busy, url: "URL", allow_private: true, secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz]}
domains:
  - {name: free.example, account: free, routes: [{match: "*", endpoints: [app]}]}
  - {name: full.example, account: full, routes: [{match: "*", endpoints: [app]}]}
  - {name: slow.example, account: slow, routes: [{match: "*", endpoints: [app]}]}
  - {name: busy.example, account: busy, routes: [{match: "*", endpoints: [app]}]}
`

// onBothEngines runs a test with the configuration of each database.
func onBothEngines(t *testing.T, test func(t *testing.T, text string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, strings.ReplaceAll(limitsFile, "DATABASE", "")) })
	t.Run("postgres", func(t *testing.T) {
		url := throwaway.StartPostgres(t).Database(t)
		test(t, strings.ReplaceAll(limitsFile, "DATABASE", fmt.Sprintf(", database: %q", url)))
	})
}

// TestAccountLimits: beyond a limit of its account a recipient hears 452, and nobody else in the same session; a restart changes
// nothing of that, and every refusal is counted, logged and shown with its reason.
func TestAccountLimits(t *testing.T) {
	onBothEngines(t, func(t *testing.T, text string) {
		url, verified := endpointOf(t, testSecret, func() int { return http.StatusOK })
		text = strings.ReplaceAll(text, "URL", url)
		s := serveFile(t, text)
		mail := func(to string, size int) {
			t.Helper()
			send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{to}, text: strings.Repeat("x", size)})
		}
		mail("a@full.example", 3000)
		mail("a@slow.example", 10)
		mail("a@busy.example", 10)
		mail("a@busy.example", 10)
		for range 3 {
			<-verified
		}
		const full, slow, busy = "452 4.2.2 Mailbox full", "452 4.2.1 Too much waits", "452 4.2.1 This recipient is receiving mail too quickly"
		for round := range 2 {
			c, err := dialSMTP(t.Context(), s.smtpListeners[0].Addr().String(), "localhost", tlsNever)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.command(250, "MAIL FROM:<b@sender.example> SIZE=6000"); err != nil {
				t.Fatal(err)
			}
			for _, rcpt := range []struct{ to, want string }{
				{"b@full.example", full}, {"b@free.example", "250"}, {"b@slow.example", slow}, {"b@busy.example", busy}, {"c@free.example", "250"},
			} {
				r, err := c.command(25, "RCPT TO:<%s>", rcpt.to)
				var got string
				if err != nil {
					got = err.Error()
				} else {
					got = r.Error()
				}
				if !strings.Contains(got, rcpt.want) {
					t.Errorf("round %d: %s: %s, want %s", round, rcpt.to, got, rcpt.want)
				}
			}
			// The rest of the session is not the worse for it.
			if _, err := c.command(354, "DATA"); err != nil {
				t.Fatal(err)
			}
			if err := c.text.PrintfLine("Subject: %d\r\n\r\nb\r\n.", round); err != nil {
				t.Fatal(err)
			}
			if _, err := c.expect(250); err != nil {
				t.Fatal(err)
			}
			<-verified
			c.conn.Close()
			if round == 0 {
				s.stop()
				err := <-s.done
				s.done <- err // the end of the test reads it too
				if err != nil {
					t.Fatal(err)
				}
				s = serveAt(t, s.path)
			}
		}
		scraped := get(t, "http://"+s.private.Addr().String()+"/metrics")
		for reason, want := range map[string]string{"quota": "1", "backlog": "1", "account_rate": "1"} {
			if line := fmt.Sprintf("letterhook_smtp_refused_total{reason=%q} %s\n", reason, want); !strings.Contains(scraped, line) {
				t.Errorf("the metrics do not say %s", line)
			}
			if !strings.Contains(s.log.String(), "reason="+reason+" code=452") || !strings.Contains(s.log.String(), "account=acc_") {
				t.Errorf("the log does not say %s:\n%s", reason, s.log)
			}
		}
		// What fits is taken, and the limit keeps nobody else out of the transaction.
		c, err := dialSMTP(t.Context(), s.smtpListeners[0].Addr().String(), "localhost", tlsNever)
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		for _, line := range []string{"MAIL FROM:<>", "RCPT TO:<b@full.example>", "RCPT TO:<b@free.example>"} {
			if _, err := c.command(250, "%s", line); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
		// More room by a reload.
		s.write(t, strings.ReplaceAll(text, "stored: 10kB", "stored: 1kB"))
		s.reload(t.Context(), s.path)
		if got := recipient(t, s, "b@full.example"); !strings.Contains(got, full) {
			t.Errorf("with less room: %s", got)
		}
		s.write(t, strings.ReplaceAll(text, "backlog: 1", "backlog: 5"))
		s.reload(t.Context(), s.path)
		for _, to := range []string{"b@full.example", "b@slow.example"} {
			if got := recipient(t, s, to); !strings.HasPrefix(got, "250") {
				t.Errorf("with more room: %s: %s", to, got)
			}
		}
	})
}

// TestAccountLimitsByAPI: the operator gives an account of the database limits and a retention, which hold at once; nobody else does.
func TestAccountLimitsByAPI(t *testing.T) {
	h := newAPIHouse(t)
	operator := h.key(t, "")
	h.refused(t, 422, "limits.backlog", operator, "POST", "/accounts", map[string]any{"name": "bound", "limits": map[string]any{"backlog": -1}})
	h.refused(t, 422, "retention.messages", operator, "POST", "/accounts", map[string]any{"name": "bound", "retention": map[string]any{"messages": "soon"}})
	made := h.do(t, operator, "POST", "/accounts", map[string]any{
		"name": "bound", "limits": map[string]any{"backlog": 1, "stored": 1 << 30}, "retention": map[string]any{"messages": "7d"},
	})
	h.accounts["bound"] = id(made)
	if got := fmt.Sprint(made["limits"], made["retention"]); got != "map[backlog:1 stored:1.073741824e+09] map[messages:7d]" {
		t.Errorf("it has %s", got)
	}
	if kept := h.directory.Load().Retention[id(made)]; kept.Messages != 7*24*time.Hour {
		t.Errorf("it is kept for %v", kept)
	}
	e := h.do(t, operator, "POST", "/endpoints", map[string]any{"account_id": id(made), "name": "app", "url": "https://app.example/hook"})
	h.do(t, operator, "POST", "/endpoints/"+id(e)+"/pause", nil)
	h.do(t, operator, "POST", "/domains", map[string]any{"account_id": id(made), "name": "bound.example"})
	h.do(t, operator, "POST", "/routes", map[string]any{"domain": "bound.example", "match": "*", "endpoints": []string{"app"}})
	message := send(t, h.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"a@bound.example"}, text: "hello"})
	const busy = "452 4.2.1"
	if got := recipient(t, h.serving, "b@bound.example"); !strings.HasPrefix(got, busy) {
		t.Errorf("with one that waits: %s", got)
	}
	m, err := h.store.Mail(t.Context(), message)
	if err != nil {
		t.Fatal(err)
	}
	own := h.key(t, "bound")
	now := func(key string) string { return string(h.ask(t, key, "GET", "/usage/now", nil).text) }
	want := fmt.Sprintf(`{"account_id":%q,"messages":1,"octets":%d,"backlog":1,"limits":{"stored":1073741824,"backlog":1},"reached":"backlog"}`, id(made), m.Size)
	for _, key := range []string{own, operator} {
		if got := now(key); !strings.Contains(got, want) {
			t.Errorf("usage: %s, want %s", got, want)
		}
	}
	if got := now(h.key(t, "acme")); strings.Contains(got, id(made)) {
		t.Errorf("another account sees %s", got)
	}
	if page := get(t, "http://"+h.private.Addr().String()+"/metrics"); !strings.Contains(page, `letterhook_account_limit_used_ratio{account="bound",limit="backlog"} 1`+"\n") {
		t.Error("the metrics do not tell that the limit is reached")
	}
	h.refused(t, 403, "", own, "PATCH", "/accounts/"+id(made), map[string]any{"limits": nil})
	h.refused(t, 409, "operator's file", operator, "PATCH", "/accounts/"+h.accounts["acme"], map[string]any{"limits": nil})
	h.refused(t, 412, "", operator, "PATCH", "/accounts/"+id(made), map[string]any{"limits": nil}, "If-Match", `"other"`)
	if got := h.do(t, operator, "PATCH", "/accounts/"+id(made), map[string]any{"limits": map[string]any{"backlog": 0}}); got["limits"].(map[string]any)["stored"] == nil || got["retention"] == nil {
		t.Errorf("what the patch does not name has gone: %v", got)
	}
	if got := recipient(t, h.serving, "b@bound.example"); !strings.HasPrefix(got, "250") {
		t.Errorf("with the limit lifted: %s", got)
	}
	lines := h.do(t, operator, "GET", "/audit?object="+id(made), nil)["items"].([]any)
	if text := fmt.Sprint(lines); len(lines) != 2 || !strings.Contains(text, "account.update") || !strings.Contains(text, "backlog:1") {
		t.Errorf("the audit log has %s", text)
	}
}

// TestEraseByAPI: a message is destroyed by whom it belongs to, by its id or by an address, and the audit log tells of it without the address.
func TestEraseByAPI(t *testing.T) {
	f := newFixture(t)
	zenith, acme, operator := f.key(t, "zenith"), f.key(t, "acme"), f.key(t, "")
	message := f.values["message"]
	f.refused(t, 404, "", acme, "POST", "/erasures", map[string]any{"message_id": message})
	f.refused(t, 404, "", acme, "POST", "/erasures", map[string]any{"message_id": message, "account_id": f.accounts["zenith"]})
	f.refused(t, 403, "", f.key(t, "zenith", "read", "write", "replay"), "POST", "/erasures", map[string]any{"message_id": message})
	f.refused(t, 422, "one of", zenith, "POST", "/erasures", map[string]any{"message_id": message, "address": "a@b.example"})
	f.refused(t, 422, "not a mail address", zenith, "POST", "/erasures", map[string]any{"address": "b.example"})
	if got := f.do(t, acme, "POST", "/erasures", map[string]any{"address": "zensender@sender.example"}); got["messages"] != 0.0 {
		t.Errorf("another account erases: %v", got)
	}
	raw := "/messages/" + message + "/raw"
	if a := f.ask(t, zenith, "GET", raw, nil); a.status != 200 {
		t.Fatalf("before: %d %s", a.status, a.text)
	}
	if got := f.do(t, zenith, "POST", "/erasures", map[string]any{"message_id": message}); got["messages"] != 1.0 || got["deliveries"] != 1.0 {
		t.Errorf("%v", got)
	}
	if a := f.ask(t, zenith, "GET", raw, nil); a.status/100 == 2 {
		t.Errorf("after: %d", a.status)
	}
	if m := f.do(t, zenith, "GET", "/messages/"+message, nil); m["erased"] != true {
		t.Errorf("it is told as %v", m)
	}
	for path, count := range map[string]int{"/messages": 3, "/messages/" + message: 3} { // sender, recipient and subject; title, heading and sender
		status, text := f.page(t, operator, "GET", path, nil)
		if status != 200 || strings.Count(text, "(erased)") < count || strings.Contains(text, "&lt;&gt;") || strings.Contains(text, "cannot be read") || strings.Contains(text, "A local client") {
			t.Errorf("the page %s: %d %s", path, status, text)
		}
	}
	f.receive(t)
	got := f.do(t, operator, "POST", "/erasures", map[string]any{"address": "ZenSender@sender.example"})
	if got["messages"] != 1.0 {
		t.Errorf("by its address: %v", got)
	}
	if a := f.ask(t, zenith, "GET", "/messages/"+f.values["message"]+"/raw", nil); a.status/100 == 2 {
		t.Errorf("by its address: %d", a.status)
	}
	log := string(f.ask(t, operator, "GET", "/audit", nil).text)
	for _, want := range []string{`"message.erase","object":"` + message, `"address.erase","object":"sha256:`} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log lacks %s", want)
		}
	}
	if strings.Contains(strings.ToLower(log), "zensender") {
		t.Error("the audit log keeps the address")
	}
}
