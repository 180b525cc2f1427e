package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/dispatch"
)

const testSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"

// post sends a signed body, signed by the delivery's own code, to a receiver.
func post(t *testing.T, url, body, secret string) int {
	t.Helper()
	key, err := dispatch.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	req.Header.Set("Webhook-Id", "msg_1")
	req.Header.Set("Webhook-Timestamp", itoa(now.Unix()))
	req.Header.Set("Webhook-Signature", dispatch.Sign("msg_1", now, []byte(body), [][]byte{key}))
	req.Header.Set("Letterhook-Attempt", "3")
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

const shownEvent = `{"type":"email.received","data":{"size":12,"kind":"human","subject":"Hi \u001b[31mred",
"envelope":{"mail_from":"a@b.example","rcpt_to":["c@d.example"],"remote_ip":"192.0.2.1"},
"from":[{"name":"Ann","address":"ann@b.example"}],"text":"one\r\ntwo\u001b[2J\n",
"attachments":[{"filename":"x.pdf","content_type":"application/pdf","size":3,"url":"http://host/x","omitted":null}],
"raw":{"url":"http://host/raw"},"parse":{"defects":[{"code":"bare-lf"}],"limits_hit":["parts"]}}}`

const shownText12 = `
email.received  msg_1  signature verified
  attempt      3, answered 204
  envelope     <a@b.example> to c@d.example, from 192.0.2.1
  from         Ann <ann@b.example>
  subject      Hi �[31mred
  kind         human, 12 octets
  attachment   x.pdf (application/pdf, 3 octets) http://host/x
  defect       bare-lf
  limit hit    parts
  raw          http://host/raw
  | one
  | two�[2J
`

func TestReceiverPrintsVerifiedEvents(t *testing.T) {
	var out bytes.Buffer
	r, err := newReceiver(&out, testSecret)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	defer server.Close()
	if status := post(t, server.URL, shownEvent, testSecret); status != http.StatusNoContent {
		t.Errorf("answered %d", status)
	}
	if diff := cmp.Diff(shownText12, out.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

func TestReceiverRefusesForgeries(t *testing.T) {
	var out bytes.Buffer
	r, err := newReceiver(&out, testSecret)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	defer server.Close()
	if status := post(t, server.URL, shownEvent, "whsec_c29tZWJvZHkgZWxzZSdzIGtleSwgMzIgb2N0ZXRz"); status != http.StatusUnauthorized {
		t.Errorf("answered %d", status)
	}
	if !strings.Contains(out.String(), "SIGNATURE NOT VERIFIED") || !strings.Contains(out.String(), "mistake      secret-wrong: ") || strings.Contains(out.String(), "Ann") {
		t.Errorf("printed:\n%s", out.String())
	}
	response, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET answered %d", response.StatusCode)
	}
}

func TestReceiverFails(t *testing.T) {
	for flag, want := range map[string][]int{
		"":      {204, 204, 204},
		"2":     {503, 503, 204},
		"1:410": {410, 204, 204},
		"500":   {500, 500, 500},
		"0":     {204, 204, 204},
	} {
		t.Run(flag, func(t *testing.T) {
			r, err := newReceiver(&bytes.Buffer{}, testSecret)
			if err != nil {
				t.Fatal(err)
			}
			if r.failure, err = parseFailure(flag); err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(r)
			defer server.Close()
			var got []int
			for range want {
				got = append(got, post(t, server.URL, shownEvent, testSecret))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, flag := range []string{"x", "-1", "1:", "1:99", "1:1000", ":500"} {
		if f, err := parseFailure(flag); err == nil {
			t.Errorf("--fail %q is taken as %+v", flag, f)
		}
	}
}

func TestPrintable(t *testing.T) {
	if got := printable("a\x1b[0m\u202eb\nc\r\nd\te\x00", false); got != "a�[0m�b�c��d\te�" {
		t.Errorf("one line: %q", got)
	}
	if got := printable("a\r\nb\x07", true); got != "a\nb�" {
		t.Errorf("lines: %q", got)
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
