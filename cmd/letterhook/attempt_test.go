package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// TestShowExplainsAttempts fails a delivery with secrets in its URL and headers, shows why, and makes the attempt again by hand.
func TestShowExplainsAttempts(t *testing.T) {
	webhook, err := standardwebhooks.NewWebhook(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	var works atomic.Bool
	verified := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := webhook.Verify(body, r.Header); err != nil {
			t.Error(err)
		}
		if works.Load() {
			verified <- r.Header.Get("X-Api-Key") + " " + r.RequestURI + " " + r.Header.Get("Letterhook-Attempt")
			return
		}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "it's short\nand \x1b[31mstout")
	}))
	defer receiver.Close()
	text := strings.ReplaceAll(served, "URL", receiver.URL+"/in?token=s3cret-1")
	text = strings.ReplaceAll(text, "{name: app,", "{name: app, schedule: [1h], headers: {X-Api-Key: s3cret-2},")
	s := serveFile(t, text)
	send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"ann@in.example.com"}, text: "it's here"})
	s.log.await(t, "outcome=status")
	out, err := command(t, "deliveries", "list", "-c", s.path)
	id := regexp.MustCompile(`dlv_\w+`).FindString(out)
	if err != nil || id == "" {
		t.Fatalf("%v\n%s", err, out)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for out = ""; err == nil && !strings.Contains(out, "Attempt 1"); <-tick.C { // it is recorded after it is logged
		out, err = command(t, "deliveries", "show", id, "-c", s.path)
	}
	for _, want := range []string{
		"Attempt 1: status, 418, answered 418 I'm a teapot", "address   127.0.0.1:", "first byte after ", ", total ",
		"POST " + receiver.URL + "/in?token=***, ", "X-Api-Key: ***", "Webhook-Signature: v1,", "| it's short\n", "| and \uFFFD[31mstout\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in it", want)
		}
	}
	if err != nil || strings.Contains(out, "s3cret") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = command(t, "deliveries", "show", id, "--json", "-c", s.path); err != nil || !strings.Contains(out, `"request":{"url":"`) ||
		!strings.Contains(out, `"first_byte_us":`) || strings.Contains(out, "s3cret") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = command(t, "deliveries", "show", id, "--curl", "-c", s.path); err != nil || strings.Contains(out, "s3cret") || !strings.Contains(out, "token=***") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = command(t, "deliveries", "show", id, "--curl", "--reveal", "-c", s.path); err != nil || !strings.Contains(out, "curl -sS") {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not there")
	}
	works.Store(true)
	if answer, err := exec.CommandContext(t.Context(), "sh", "-c", out).CombinedOutput(); err != nil || !strings.Contains(string(answer), "200 OK") {
		t.Errorf("%v\n%s\n%s", err, answer, out)
	} else if got := <-verified; got != "s3cret-2 /in?token=s3cret-1 2" {
		t.Errorf("the receiver got %q", got)
	}
}

// A body that is no text goes through the shell too, and so do quotes.
func TestQuote(t *testing.T) {
	for _, s := range []string{"", "it's", `a"$b`, "a\nb", `\`} {
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+quote(s)).Output(); err != nil || string(out) != s {
			t.Errorf("%q became %q, %v", s, out, err)
		}
	}
}
