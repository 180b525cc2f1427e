package notice

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/letterhook/letterhook/dispatch"
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
