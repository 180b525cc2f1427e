package main

import (
	"crypto/tls"
	"net"
	"net/smtp"
	"path/filepath"
	"strings"
	"testing"
)

// TestRequireTLS follows a domain that takes mail over TLS only from its configuration to the event, and loses the setting by a
// reload.
func TestRequireTLS(t *testing.T) {
	url, events := eventsOf(t)
	identity := filepath.Join(t.TempDir(), "identity.pem")
	writeIdentity(t, identity, 1)
	loose := strings.NewReplacer("URL", url, `"127.0.0.1:0"}]}`, `"127.0.0.1:0", tls: starttls}]}`).Replace(served) +
		"tls: {certificates: [{cert_file: " + identity + ", key_file: " + identity + "}]}\n"
	strict := strings.Replace(loose, "{name: in.example.com, ", "{name: in.example.com, require_tls: true, ", 1)
	s := serveFile(t, strict)
	if got := recipient(t, s, "ann@in.example.com"); !strings.HasPrefix(got, "530 5.7.0") {
		t.Errorf("in clear the recipient is answered %q", got)
	}
	if got := recipient(t, s, "bob@in.example.com"); !strings.HasPrefix(got, "550 5.1.1") {
		t.Errorf("in clear an unknown recipient is answered %q", got)
	}
	conn, err := net.Dial("tcp", s.smtpListeners[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true, ServerName: "mx.example.com"}); err != nil { //nolint:gosec // it signs itself
		t.Fatal(err)
	}
	if err := c.Mail("a@sender.example"); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt("ann@in.example.com"); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(letter)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Envelope.TLS == nil || e.Envelope.TLS.Version != "TLS 1.3" || e.Envelope.TLS.CipherSuite == "" {
		t.Errorf("envelope %+v", e.Envelope.TLS)
	}

	s.write(t, loose)
	s.reload(t.Context(), s.path)
	if got := recipient(t, s, "ann@in.example.com"); !strings.HasPrefix(got, "250") {
		t.Errorf("without the setting the recipient is answered %q", got)
	}
}
