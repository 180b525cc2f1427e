package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
	"github.com/letterhook/letterhook/storage/replyaddr"
)

// replyKey mints the reply addresses of the test.
const replyKey = "replykey_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// mailbox is the mail server of a customer: it keeps what it gets.
type mailbox struct {
	addr string
	got  chan []byte
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mailbox{addr: l.Addr().String(), got: make(chan []byte, 10)}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return m, nil }))
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return m
}

// Mail, Rcpt, Data, Reset and Logout implement [smtp.Session].
func (*mailbox) Mail(string, *smtp.MailOptions) error { return nil }

func (*mailbox) Rcpt(string, *smtp.RcptOptions) error { return nil }

func (m *mailbox) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	m.got <- content
	return err
}

func (*mailbox) Reset() {}

func (*mailbox) Logout() error { return nil }

// next waits for a mail.
func (m *mailbox) next(ctx context.Context, t *testing.T) *mail.Message {
	t.Helper()
	select {
	case content := <-m.got:
		message, err := mail.ReadMessage(strings.NewReader(string(content)))
		if err != nil {
			t.Fatal(err)
		}
		return message
	case <-ctx.Done():
		t.Fatal("no mail came")
	}
	return nil
}

// startTickets runs examples/tickets as its README says and gives its URL.
func startTickets(ctx context.Context, t *testing.T, relay string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "tickets")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/letterhook/letterhook/examples/tickets").CombinedOutput(); err != nil {
		t.Fatalf("building examples/tickets: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append(os.Environ(), "LISTEN=127.0.0.1:0", "SMTP_RELAY="+relay, "REPLY_KEY="+replyKey, "WEBHOOK_SECRET="+secret)
	cmd.Stderr = logFile(t)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for lines.Scan() {
			t.Log(lines.Text())
		}
		_ = cmd.Wait()
	})
	if !lines.Scan() {
		t.Fatal("examples/tickets ended before it listened")
	}
	return strings.TrimPrefix(lines.Text(), "listening on ")
}

// replyConfiguration takes the address of public HTTP, the data folder, that of SMTP, the URL of the application and its
// secret, the key.
const replyConfiguration = `hostname: mx.example.com
public_url: http://%[1]s
data_dir: %[2]s
http: {public: {address: %[1]q}, private: {address: %[1]q}}
smtp: {listeners: [{name: mx, address: %[3]q}]}
storage: {min_free: 0}
endpoints: [{name: tickets, url: "%[4]s/hooks/mail", secrets: [%[5]q], allow_private: true}]
domains:
  - name: in.example.com
    reply_keys: [%[6]q]
    routes: [{match: reply+*, token: required, endpoints: [tickets]}]
`

// serveReplies starts the server that the answers go to.
func serveReplies(ctx context.Context, t *testing.T, app string) (*bench.Server, bench.ServerOptions) {
	t.Helper()
	o := bench.ServerOptions{Program: program(t), Config: filepath.Join(t.TempDir(), "letterhook.yaml")}
	var err error
	if o.SMTP, err = bench.FreeAddr(); err != nil {
		t.Fatal(err)
	}
	if o.HTTP, err = bench.FreeAddr(); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(replyConfiguration, o.HTTP, t.TempDir(), o.SMTP, app, secret, replyKey)
	if err := os.WriteFile(o.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(ctx, t, o), o
}

// ticket is what examples/tickets shows.
type ticket struct {
	ID      string
	Entries []struct{ From, Text string }
}

func ask(ctx context.Context, t *testing.T, method, url, body string) (status int, seen ticket) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode < 300 {
		if err := json.NewDecoder(response.Body).Decode(&seen); err != nil {
			t.Fatal(err)
		}
	}
	return response.StatusCode, seen
}

// swaksTo answers an address with the file of a corpus, through swaks, and gives what it printed.
func swaksTo(ctx context.Context, t *testing.T, server, to, text string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mail.eml")
	content := "From: Ann <ann@sender.example>\nTo: <" + to + ">\nSubject: Re: Printer\nMIME-Version: 1.0\n" +
		"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + text
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(ctx, needTool(t, "swaks"), "--server", server, "--ehlo", "swaks.example",
		"--from", "ann@sender.example", "--to", to, "--data", "@"+file).CombinedOutput()
	return string(out), err
}

// replies are mails whose answers the server and their collectors cut out alike.
var replies = []string{
	"embedded_email_15", "embedded_email_2", "embedded_email_french_2", "embedded_email_german_1", "quote_and_text",
	"retains_spaces_and_formatting",
}

// TestTickets is reply by email end to end: the example application opens a ticket and sends a notice with an address that it
// minted; the customer answers it through swaks; the answer comes back by webhook and stands in the ticket.
func TestTickets(t *testing.T) {
	ctx := within(t, patience)
	needTool(t, "swaks")
	customer := newMailbox(t)
	app := startTickets(ctx, t, customer.addr)
	server, o := serveReplies(ctx, t, app)

	status, opened := ask(ctx, t, http.MethodPost, app+"/tickets", `{"customer": "ann@sender.example", "subject": "Printer", "text": "Is it plugged in?"}`)
	if status != http.StatusCreated {
		t.Fatalf("opening a ticket: %d", status)
	}
	notice := customer.next(ctx, t)
	reply, err := notice.Header.AddressList("Reply-To")
	if err != nil || len(reply) != 1 {
		t.Fatalf("the notice wants answers at %v, %v", reply, err)
	}
	to := reply[0].Address
	for i, name := range replies {
		text := readReply(t, "emails", name)
		if i%2 == 1 {
			to = strings.ToUpper(to) // some software does that
		}
		if out, err := swaksTo(ctx, t, server.SMTP, to, text); err != nil {
			t.Fatalf("swaks: %v\n%s", err, out)
		}
		eventually(ctx, t, name+" stands in the ticket", func() bool {
			_, opened = ask(ctx, t, http.MethodGet, app+"/tickets/"+opened.ID, "")
			return len(opened.Entries) == i+2
		})
		if got, want := opened.Entries[i+1], readReply(t, "trimmed", name); got.From != "ann@sender.example" || got.Text != want {
			t.Errorf("%s: from %s: %q, want %q", name, got.From, got.Text, want)
		}
	}
	refusedReplies(ctx, t, server.SMTP, strings.ToLower(to))
	if _, seen := ask(ctx, t, http.MethodGet, app+"/tickets/"+opened.ID, ""); len(seen.Entries) != len(replies)+1 {
		t.Errorf("%d entries after mails that were refused, want %d", len(seen.Entries), len(replies)+1)
	}
	stopAndCheck(t, server, o)
}

// refusedReplies sends to addresses that must be refused before any of the mail is sent.
func refusedReplies(ctx context.Context, t *testing.T, server, good string) {
	t.Helper()
	key, err := replyaddr.ParseKey(replyKey)
	if err != nil {
		t.Fatal(err)
	}
	box := replyaddr.Mailbox{Local: "reply", Domain: "in.example.com"}
	mint := func(key replyaddr.Key, token replyaddr.Token) string {
		address, err := replyaddr.Mint(key, box, token)
		if err != nil {
			t.Fatal(err)
		}
		return address
	}
	key2 := append(replyaddr.Key{1}, key[1:]...)
	for to, want := range map[string]string{
		mint(key2, replyaddr.Token{Data: "ticket-1"}):                                     "550 5.7.1 This reply address is not valid",
		strings.Replace(good, "@", "a@", 1):                                               "550 5.7.1 This reply address is not valid",
		"reply+k3y@in.example.com":                                                        "550 5.7.1 This reply address is not valid",
		mint(key, replyaddr.Token{Data: "ticket-1", Expires: time.Now().Add(-time.Hour)}): "550 5.7.1 This reply address has expired",
		"reply@in.example.com":                                                            "550 5.1.1",
	} {
		out, err := swaksTo(ctx, t, server, to, "I was never sent.\n")
		if err == nil || !strings.Contains(out, want) || strings.Contains(out, " -> DATA") {
			t.Errorf("%s: %v, want %q\n%s", to, err, want, out)
		}
	}
}

// readReply reads a file of the reply corpus, without the white space around it.
func readReply(t *testing.T, folder, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../parser/testdata/corpus/replies/discourse", folder, name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n"))
}
