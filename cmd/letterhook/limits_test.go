package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

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
		if got := recipient(t, s, "b@full.example"); !strings.HasPrefix(got, "250") {
			t.Errorf("what fits is not taken: %s", got)
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
