package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestRoutesAtTheDoor has every form of a route meet addresses at RCPT, over TCP.
func TestRoutesAtTheDoor(t *testing.T) {
	ctx := within(t, time.Minute)
	server, _, _ := startInstallation(ctx, t, &installation{more: `  - name: bücher.example
    account: second
    routes:
      - {match: support, endpoints: [second-hook]}
      - {match: reply+*, endpoints: [second-hook]}
      - {match: news-*, discard: true}
      - {match: '/ticket-(?P<n>[0-9]+)/', endpoints: [second-hook]}
      - {match: abuse, refuse: Nobody}
      - {match: shut, refuse: This address is not in use}
  - name: "*.wild.example"
    account: first
    routes: [{match: "*", endpoints: [first-hook]}]
`})
	c := hello(ctx, t, server.SMTP)
	c.command(250, "MAIL FROM:<a@b> SMTPUTF8")
	for to, want := range map[string]string{
		"support@bücher.example": "250", "SUPPORT@xn--bcher-kva.example": "250", "support@BÜCHER.example": "250", "support+x@bücher.example": "550 5.1.1",
		"reply+x@bücher.example": "250", "reply@bücher.example": "550 5.1.1", "news-42@bücher.example": "250", "news@bücher.example": "550 5.1.1",
		"Ticket-7@bücher.example": "250", "ticket-x@bücher.example": "550 5.1.1", "shut@bücher.example": "550 5.7.1 This address is not in use",
		"postmaster@bücher.example": "250", "abuse@xn--bcher-kva.example": "250", "postmaster@one.example": "250", "abuse@two.example": "250",
		"anyone@a.wild.example": "250", "anyone@a.b.wild.example": "250", "anyone@wild.example": "550 5.7.1", "anyone@one.example": "250",
		"anyone@else.example": "550 5.7.1",
	} {
		c.write("RCPT TO:<" + to + ">\r\n")
		if got := c.reply().String(); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
}

// TestRecipientCheckAtTheDoor asks an application at RCPT and goes on after it died; SIGHUP takes the check away.
func TestRecipientCheckAtTheDoor(t *testing.T) {
	ctx := within(t, time.Minute)
	var asked atomic.Int32
	people := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		fmt.Fprintf(w, `{"accept":%v,"message":"She has left"}`, strings.Contains(string(body), `"ann@asked.example"`))
	}))
	defer people.Close()
	server, _, o := startInstallation(ctx, t, &installation{more: fmt.Sprintf(`  - name: asked.example
    account: first
    recipient_check: people
    routes:
      - {match: "*", endpoints: [first-hook]}
      - {match: open, endpoints: [first-hook], recipient_check: none}
recipient_checks:
  - {name: people, url: %q, secrets: [%s], allow_private: true, keep_refused: 0s}
`, people.URL, secret)})
	c := hello(ctx, t, server.SMTP)
	c.command(250, "MAIL FROM:<a@b>")
	c.command(250, "RCPT TO:<ann@asked.example>")
	if got := c.command(550, "RCPT TO:<eve@asked.example>"); !got.is(550, "5.1.1 She has left") {
		t.Errorf("refused: %s", got)
	}
	for _, to := range []string{"open@asked.example", "postmaster@asked.example", "ann@one.example"} {
		c.command(250, "RCPT TO:<"+to+">")
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("%d questions", n)
	}
	people.Close()
	c.command(250, "RSET")
	c.command(250, "MAIL FROM:<a@b>")
	c.command(250, "RCPT TO:<ann@asked.example>") // remembered
	if got := c.command(451, "RCPT TO:<eve@asked.example>"); !got.is(451, "4.3.0 The recipient cannot be checked now") {
		t.Errorf("deferred: %s", got)
	}
	text, err := os.ReadFile(o.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Config, []byte(strings.Replace(string(text), "    recipient_check: people\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(server.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the check is gone", func() bool {
		c.write("RCPT TO:<eve@asked.example>\r\n")
		return c.reply().code == 250
	})
}
