// Command tickets is a small help desk that talks by mail: it opens tickets, sends a notice whose answers come back by
// webhook, and appends what was answered. See the README beside it.
package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/mail"
	"os"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/storage/replyaddr"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	n, err := newNotifier()
	if err != nil {
		return err
	}
	webhook, err := standardwebhooks.NewWebhook(os.Getenv("WEBHOOK_SECRET"))
	if err != nil || os.Getenv("WEBHOOK_SECRET") == "" {
		return errors.New("WEBHOOK_SECRET is not set, or not whsec_ and base64")
	}
	policy := setting("IDENTITY", identityOptional)
	if policy != identityOptional && policy != identityRequired {
		return fmt.Errorf("IDENTITY is %s or %s", identityOptional, identityRequired)
	}
	l, err := net.Listen("tcp", setting("LISTEN", "127.0.0.1:8091"))
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", l.Addr())
	d := &desk{tickets: map[string]*ticket{}, seen: map[string]bool{}}
	mux := http.NewServeMux()
	mux.Handle("/tickets", &counter{desk: d, notify: n.send})
	mux.Handle("/tickets/{id}", d)
	mux.Handle("/hooks/mail", &hook{desk: d, verify: webhook.Verify, policy: policy})
	server := &http.Server{Handler: mux, ReadTimeout: 30 * time.Second}
	return server.Serve(l)
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// newNotifier reads how notices are sent and where their answers go.
func newNotifier() (*notifier, error) {
	key, err := replyaddr.ParseKey(os.Getenv("REPLY_KEY"))
	if err != nil {
		return nil, fmt.Errorf("REPLY_KEY: %w", err)
	}
	from, err := mail.ParseAddress(setting("FROM", "Help desk <desk@example.com>"))
	if err != nil {
		return nil, fmt.Errorf("FROM: %w", err)
	}
	life, err := time.ParseDuration(setting("REPLY_LIFE", "720h"))
	if err != nil {
		return nil, fmt.Errorf("REPLY_LIFE: %w", err)
	}
	return &notifier{
		relay: setting("SMTP_RELAY", "127.0.0.1:25"),
		from:  *from,
		key:   key,
		box:   replyaddr.Mailbox{Local: "reply", Domain: setting("REPLY_DOMAIN", "in.example.com")},
		life:  life,
	}, nil
}
