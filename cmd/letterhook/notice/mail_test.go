package notice

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// session is a smarthost's side of a dialogue.
type session struct {
	mails chan string
	from  string
	login bool
}

func (s *session) Reset()                                      {}
func (s *session) Logout() error                               { return nil }
func (s *session) Mail(from string, _ *smtp.MailOptions) error { s.from = "<" + from + ">"; return nil }
func (s *session) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (s *session) AuthMechanisms() []string                    { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.login = user == "me" && password == "hunter2"; !s.login {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if !s.login {
		return smtp.ErrAuthRequired
	}
	s.mails <- s.from + "\n" + string(text)
	return err
}

// TestMailOverTLS logs in at a smarthost over STARTTLS whose certificate it verifies, and sends nothing where it cannot.
func TestMailOverTLS(t *testing.T) {
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	defer certified.Close()
	mails := make(chan string, 1)
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{mails: mails}, nil }))
	server.TLSConfig = &tls.Config{Certificates: certified.TLS.Certificates}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	m := Mail{Smarthost: l.Addr().String(), TLS: StartTLS, TLSConfig: &tls.Config{RootCAs: roots}, Username: "me", Password: "hunter2",
		From: "a@b.example", To: []string{"c@d.example"}, Hostname: "mx.example"}
	now := time.Now()
	text := m.compose([]Notice{{ID: "evt_1", Type: "endpoint.broken", EndpointChange: dispatch.EndpointChange{Name: "app\r\nBcc: x@y.example", At: now}}}, now)
	if err := m.send(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	mail := <-mails
	if !strings.HasPrefix(mail, "<>\n") || strings.Contains(mail, "\nBcc:") || !strings.Contains(mail, "Auto-Submitted: auto-generated") {
		t.Errorf("the smarthost got\n%s", mail)
	}
	m.Password = "wrong"
	if err := m.send(t.Context(), text); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with a wrong password: %v", err)
	}
	m.TLSConfig = nil
	if err := m.send(t.Context(), text); err == nil {
		t.Error("it believes an unknown certificate")
	}
	if len(mails) > 0 {
		t.Error("a mail went out all the same")
	}
}

// slow is a smarthost's side of a dialogue that stops at each recipient.
type slow struct {
	session

	asked chan struct{}
	goOn  chan struct{}
}

func (s *slow) Rcpt(to string, o *smtp.RcptOptions) error {
	s.login = true
	s.asked <- struct{}{}
	<-s.goOn
	return s.session.Rcpt(to, o)
}

// TestOneNodeTells: a node that was stopped in the middle of a mail finds out before its next octet that another may tell now, and one that
// waits for an answer is cut; the notice stays, and the other node's mail is the only one.
func TestOneNodeTells(t *testing.T) {
	store, err := storage.Open(t.Context(), storage.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	mails, asked, goOn := make(chan string, 10), make(chan struct{}), make(chan struct{})
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &slow{session{mails: mails}, asked, goOn}, nil
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	defer server.Close()
	smarthost := func(may func() bool) *Mail {
		return &Mail{Smarthost: l.Addr().String(), TLS: Clear, From: "a@b.example", To: []string{"c@d.example"}, Hostname: "mx.example", MayWrite: may}
	}
	var may atomic.Bool
	may.Store(true)
	flights := make(chan context.CancelFunc, 1)
	first := New(Config{Store: store, Log: slog.New(slog.DiscardHandler), Mail: smarthost(may.Load), Flight: func(ctx context.Context) (context.Context, func()) {
		flight, cut := context.WithCancel(ctx)
		flights <- cut
		return flight, func() {}
	}})
	change := dispatch.EndpointChange{Endpoint: "ep_1", From: storage.EndpointEnabled, To: storage.EndpointBroken, At: time.Now()}
	if _, err := store.SaveLives(t.Context(), []storage.EndpointLife{{Endpoint: "ep_1", State: change.To}}, *first.Notice(change)); err != nil {
		t.Fatal(err)
	}
	round := func(n *Notifier, meanwhile func()) error {
		done := make(chan error, 1)
		go func() {
			_, err := n.round(t.Context(), n.ways[0], 1)
			done <- err
		}()
		<-asked
		meanwhile()
		goOn <- struct{}{}
		return <-done
	}
	if err := round(first, func() { may.Store(false) }); err == nil {
		t.Error("a mail was sent by a node that had slept")
	}
	<-flights
	may.Store(true)
	if err := round(first, func() { (<-flights)() }); err == nil {
		t.Error("a mail was sent by a node that was cut")
	}
	if len(mails) > 0 {
		t.Error("the smarthost has got a mail")
	}
	if err := round(New(Config{Store: store, Log: slog.New(slog.DiscardHandler), Mail: smarthost(nil)}), func() {}); err != nil || len(mails) != 1 {
		t.Errorf("the other node: %v, %d mails", err, len(mails))
	}
	if left, err := store.Notices(t.Context(), storage.NoticeByMail, 10); err != nil || len(left) > 0 {
		t.Errorf("%d notices are left, %v", len(left), err)
	}
}
