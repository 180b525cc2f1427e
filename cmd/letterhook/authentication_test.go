package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/miekg/dns"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// eventsOf runs an endpoint that hands on the events it is sent.
func eventsOf(t *testing.T) (url string, events <-chan *dispatch.EventData) {
	t.Helper()
	got := make(chan *dispatch.EventData, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e dispatch.Event
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &e)
		}
		if err != nil {
			t.Errorf("event: %v", err)
		}
		got <- e.Data
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

// author signs letters of sender.example, which asks for the rejection of all that fails DMARC.
type author struct{ key ed25519.PrivateKey }

func newAuthor(t *testing.T, server *dnstest.Server) author {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	server.AddTXT("s1._domainkey.sender.example", "v=DKIM1; k=ed25519; p="+base64.StdEncoding.EncodeToString(public))
	server.AddTXT("_dmarc.sender.example", "v=DMARC1; p=reject")
	return author{private}
}

func (a author) sign(t *testing.T, message string) string {
	t.Helper()
	var signed bytes.Buffer
	o := &dkim.SignOptions{Domain: "sender.example", Selector: "s1", Signer: a.key}
	if err := dkim.Sign(&signed, strings.NewReader(message), o); err != nil {
		t.Fatal(err)
	}
	return signed.String()
}

const letter = "From: Ann <ann@sender.example>\r\nTo: hook@in.example.com\r\nSubject: Hello\r\n\r\nHello\r\n"

// TestAuthentication follows mail from the socket to the webhook: who sent it is asked of a DNS server and told in the event.
func TestAuthentication(t *testing.T) {
	server := dnstest.New(t, "1.0.0.127.in-addr.arpa. PTR mail.sender.example.", "mail.sender.example. A 127.0.0.1")
	server.AddTXT("sender.example", "v=spf1 ip4:127.0.0.1 -all")
	server.AddTXT("other.example", "v=spf1 -all")
	ann := newAuthor(t, server)
	url, events := eventsOf(t)
	text := strings.ReplaceAll(served, "URL", url) + `authentication: {dns_servers: ["` + server.Addr + `"], skip_networks: []}` + "\n"
	text = strings.Replace(text, "{name: in.example.com, ", "{name: strict.example.com, dmarc: reject, routes: [{match: ann, endpoints: [app]}]}, {name: in.example.com, dmarc: quarantine, ", 1)
	s := serveFile(t, text)
	send := func(from, to, message string) error {
		return smtp.SendMail(s.smtpListeners[0].Addr().String(), nil, from, []string{to}, []byte(message))
	}

	if err := send("bounce@sender.example", "ann@in.example.com", ann.sign(t, letter)); err != nil {
		t.Fatal(err)
	}
	e := <-events
	a := e.Authentication
	if a == nil || a.SPF.Result != "pass" || len(a.DKIM) != 1 || a.DKIM[0].Result != "pass" || a.DKIM[0].Selector != "s1" || !a.DKIM[0].Aligned ||
		a.DMARC.Result != "pass" || a.DMARC.Policy != "reject" || !a.DMARC.SPFAligned || !a.DMARC.DKIMAligned || a.DMARC.Disposition != "none" ||
		a.ARC.Result != "none" || a.IPRev.Result != "pass" || a.IPRev.Host != "mail.sender.example" {
		t.Errorf("authentication %+v", a)
	}
	if i := e.Identity; i == nil || i.Address != "ann@sender.example" || !i.DomainVerified || i.Method != "dmarc" {
		t.Errorf("identity %+v", i)
	}
	if h := e.Envelope.RemoteHost; h == nil || *h != "mail.sender.example" {
		t.Errorf("remote_host %v", h)
	}

	// A forgery is marked where the recipient's domain quarantines, and refused where it rejects.
	if err := send("eve@other.example", "ann@in.example.com", letter); err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Authentication.DMARC.Result != "fail" || e.Authentication.DMARC.Disposition != "quarantine" || e.Identity.DomainVerified {
		t.Errorf("%+v %+v", e.Authentication, e.Identity)
	}
	if err := send("eve@other.example", "ann@strict.example.com", letter); err == nil || !strings.Contains(err.Error(), "5.7.1 Refused by the DMARC policy of sender.example") {
		t.Errorf("a forgery is answered %v", err)
	}

	// Trouble with DNS is no failure: the mail is taken.
	server.Fail("_dmarc.elsewhere.example", dns.RcodeServerFailure)
	if err := send("eve@other.example", "ann@strict.example.com", strings.Replace(letter, "sender.example", "elsewhere.example", 1)); err != nil {
		t.Errorf("trouble with DNS is answered %v", err)
	}
	if e := <-events; e.Authentication.DMARC.Result != "temperror" || e.Authentication.DMARC.Disposition != "none" {
		t.Errorf("%+v", e.Authentication.DMARC)
	}
	metrics := get(t, "http://"+s.private.Addr().String()+"/metrics")
	for _, line := range []string{
		`letterhook_authentication_results_total{method="dmarc",result="fail"} 2`, `letterhook_smtp_refused_total{reason="dmarc"} 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s in the metrics", line)
		}
	}
}

// TestAuthenticationSkipped is the default for mail from this machine: null in the event, and DNS is not asked.
func TestAuthenticationSkipped(t *testing.T) {
	url, events := eventsOf(t)
	s := serveFile(t, strings.ReplaceAll(served, "URL", url)+`authentication: {dns_servers: ["127.0.0.1:1"]}`+"\n")
	if err := smtp.SendMail(s.smtpListeners[0].Addr().String(), nil, "a@b.example", []string{"ann@in.example.com"}, []byte(letter)); err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.Authentication != nil || e.Identity != nil {
		t.Errorf("%+v, %+v", e.Authentication, e.Identity)
	}
}
