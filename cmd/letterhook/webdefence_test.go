package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/letterhook/letterhook/storage"
)

// page asks for a page of the dashboard, as a script that follows nothing would.
func (h *apiHouse) page(t *testing.T, token, method, path string, form url.Values) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(h.base, "/api/v1")+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "mx.example.com"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// TestSlowReadersHoldNoTurn: whoever asks for attachments and does not read them keeps nobody else from the pages of mails.
func TestSlowReadersHoldNoTurn(t *testing.T) {
	h := newAPIHouse(t)
	token := h.key(t, "acme")
	h.do(t, h.key(t, ""), "POST", "/endpoints/"+endpointID(t, h.server, "declared")+"/pause", nil)
	big := "Subject: Big\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=big\n\n" +
		strings.Repeat(strings.Repeat("x", 70)+"\n", 200_000) + "--b--\n"
	id := sendRawTo(t, h.smtpListeners[0].Addr().String(), "ann@declared.example.com", big)
	for range 6 {
		conn, err := net.Dial("tcp", h.public.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := fmt.Fprintf(conn, "GET /messages/%s/attachments/1 HTTP/1.1\r\nHost: mx.example.com\r\nAuthorization: Bearer %s\r\n\r\n", id, token); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReaderSize(conn, 16).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("%q %v", line, err)
		}
	}
	if status, text := h.page(t, token, http.MethodGet, "/messages/"+id, nil); status != http.StatusOK || !strings.Contains(text, "Attachments 1") {
		t.Errorf("the page of the mail: %d", status)
	}
}

// TestStreamEndsWithItsKey: a key that was ended reads nothing more, on a stream that it opened before either.
func TestStreamEndsWithItsKey(t *testing.T) {
	h := newAPIHouse(t)
	token := h.key(t, "acme")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.base+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "mx.example.com"
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	self := h.do(t, token, "GET", "/self", nil)
	h.do(t, token, "DELETE", "/keys/"+self["key_id"].(string), nil)
	if _, err := io.Copy(io.Discard, lines); err != nil { // it ends; the time of the test would run out otherwise
		t.Fatal(err)
	}
}

// TestStreamsOfAKey: one key does not take all the memory for streams that it never reads.
func TestStreamsOfAKey(t *testing.T) {
	h := newAPIHouse(t)
	token, other := h.key(t, "acme"), h.key(t, "acme")
	open := func(token string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.base+"/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "mx.example.com"
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		return response
	}
	var last *http.Response
	for range 20 {
		if last = open(token); last.StatusCode != http.StatusOK {
			t.Fatal(last.Status)
		}
	}
	if refused := open(token); refused.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one too many: %s", refused.Status)
	}
	if response := open(other); response.StatusCode != http.StatusOK {
		t.Errorf("another key: %s", response.Status)
	}
	last.Body.Close()
	for deadline := time.Now().Add(time.Minute); open(token).StatusCode != http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("an ended stream counts on")
		}
	}
}

// TestReplayToAURLNeedsWrite: whoever may only have mail sent again does not choose where to.
func TestReplayToAURLNeedsWrite(t *testing.T) {
	h := newAPIHouse(t)
	made := h.do(t, h.key(t, "acme"), "POST", "/endpoints", endpointBody("app"))
	elsewhere := map[string]any{"endpoint_id": id(made), "all": true, "url": "https://thief.example/"}
	h.refused(t, 403, "scope write", h.key(t, "acme", "replay"), "POST", "/replays", elsewhere)
	h.refused(t, 403, "scope write", h.key(t, "acme", "replay"), "POST", "/replay-counts", map[string]any{"endpoint_id": id(made), "url": "https://thief.example/"})
	h.do(t, h.key(t, "acme", "replay"), "POST", "/replays", map[string]any{"endpoint_id": id(made), "all": true})
	h.do(t, h.key(t, "acme", "replay", "write"), "POST", "/replays", elsewhere)
}

// TestNamesOfKeysArePlain: they are printed in terminals and logs.
func TestNamesOfKeysArePlain(t *testing.T) {
	h := newAPIHouse(t)
	for _, name := range []string{"a\x1b]0;x\a", "a\nb", "a\x00b", "a\u009bb"} {
		h.refused(t, 422, "body.name", h.key(t, "acme"), "POST", "/keys", map[string]any{"name": name, "scopes": []string{"read"}})
	}
	h.do(t, h.key(t, "acme"), "POST", "/keys", map[string]any{"name": "Ann's läptop", "scopes": []string{"read"}})
}

// TestCursorAtNothing: a list that was begun goes on or ends, and never begins again.
func TestCursorAtNothing(t *testing.T) {
	h := newAPIHouse(t)
	token := h.key(t, "acme")
	for _, match := range []string{"a", "b", "c"} {
		h.ask(t, h.key(t, ""), "POST", "/domains", map[string]any{"account_id": h.accounts["acme"], "name": "cursor.example"})
		h.do(t, token, "POST", "/routes", map[string]any{"domain": "cursor.example", "match": match, "discard": true})
	}
	first := h.do(t, token, "GET", "/routes?domain=cursor.example&limit=1", nil)
	gone := first["items"].([]any)[0].(map[string]any)
	h.do(t, token, "DELETE", "/routes/"+id(gone), nil)
	h.refused(t, 422, "cursor", token, "GET", "/routes?domain=cursor.example&limit=1&cursor="+first["next_cursor"].(string), nil)
}

// TestFormsThatMakeNoSense are told so, and are no trouble of the server.
func TestFormsThatMakeNoSense(t *testing.T) {
	h := newAPIHouse(t)
	token, endpoint := h.key(t, ""), endpointID(t, h.server, "declared")
	for _, rate := range []string{"NaN", "Inf", "-Inf", "-1", "1e400", "1x", "0x", "100001"} {
		form := url.Values{"state": {"any"}, "since": {"24h"}, "rate": {rate}}
		if status, text := h.page(t, token, http.MethodPost, "/endpoints/"+endpoint+"/replay", form); status != http.StatusUnprocessableEntity || !strings.Contains(text, "The rate is a number") {
			t.Errorf("%s: %d", rate, status)
		}
	}
	if status, _ := h.page(t, "", http.MethodPost, "/login", url.Values{"key": {strings.Repeat("x", 2<<20)}}); status != http.StatusUnprocessableEntity {
		t.Errorf("a form that is too long: %d", status)
	}
}

// TestManyKeysShow: the page has all of them, not the first page of the API's list.
func TestManyKeysShow(t *testing.T) {
	h := newAPIHouse(t)
	token := h.key(t, "acme")
	for n := range 230 {
		k := &storage.APIKey{ID: h.store.NewAPIKeyID(), Account: h.accounts["acme"], Name: fmt.Sprintf("many-%d-", n), Scopes: []string{"read"}, CreatedAt: time.Now()}
		if err := h.store.CreateAPIKey(t.Context(), k, storage.AuditLine{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, text := h.page(t, token, http.MethodGet, "/settings", nil); !strings.Contains(text, "many-0-") || !strings.Contains(text, "many-229-") {
		t.Error("some keys are missing")
	}
}

// TestTestEventsAreAudited: those that the page sends, too.
func TestTestEventsAreAudited(t *testing.T) {
	h := newAPIHouse(t)
	endpoint := endpointID(t, h.server, "declared")
	if status, _ := h.page(t, h.key(t, "acme"), http.MethodPost, "/endpoints/"+endpoint+"/test", url.Values{}); status != http.StatusOK {
		t.Fatal(status)
	}
	if lines := h.do(t, h.key(t, "acme"), "GET", "/audit?object="+endpoint, nil); !strings.Contains(fmt.Sprint(lines), "endpoint.test") {
		t.Errorf("%v", lines)
	}
}

// TestChecksGoToPublicAddressesAlone: an account that names a domain has nothing in the server's own network looked at.
func TestChecksGoToPublicAddressesAlone(t *testing.T) {
	h := newAPIHouse(t)
	inner, err := net.Listen("tcp", "127.0.0.1:443")
	if err != nil {
		t.Skipf("port 443 of this machine is not to be had: %v", err)
	}
	defer inner.Close()
	touched := make(chan struct{}, 1)
	go func() {
		for {
			conn, err := inner.Accept()
			if err != nil {
				return
			}
			conn.Close()
			select {
			case touched <- struct{}{}:
			default:
			}
		}
	}()
	h.dns.Add(&dns.A{Hdr: dns.RR_Header{Name: "mta-sts.probe.example.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(127, 0, 0, 1)})
	token := h.key(t, "acme")
	h.do(t, h.key(t, ""), "POST", "/domains", map[string]any{"account_id": h.accounts["acme"], "name": "probe.example", "mta_sts": map[string]any{"mode": "enforce"}})
	report := h.do(t, token, "GET", "/domains/probe.example/dns", nil)
	select {
	case <-touched:
		t.Errorf("a service within was touched: %v", report)
	default:
	}
	if strings.Contains(fmt.Sprint(report), "connection refused") {
		t.Errorf("the report tells of ports within: %v", report)
	}
}
