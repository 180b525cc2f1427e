package format

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// testDispatcher does not run: it makes tests at the endpoints.
func testDispatcher(t *testing.T, endpoints ...storage.Endpoint) (d *dispatch.Dispatcher, ids map[string]string) {
	t.Helper()
	links, err := storage.NewLinks("https://letterhook.example", [][]byte{bytes.Repeat([]byte{1}, storage.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	blobs, err := storage.NewDir(dir+"/blobs", links)
	if err != nil {
		t.Fatal(err)
	}
	store, err := storage.Open(t.Context(), storage.Config{Dir: dir, Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	directory, err := store.Apply(t.Context(), storage.Declaration{Accounts: []string{"acme"}, Endpoints: endpoints})
	if err != nil {
		t.Fatal(err)
	}
	d, err = dispatch.New(dispatch.Config{
		Store: store, Blobs: blobs, Links: links, Formats: All(), Hostname: "mx.example.com", AllowLoopback: true,
		Directory: func() *storage.Directory { return directory },
	})
	if err != nil {
		t.Fatal(err)
	}
	ids = map[string]string{}
	for id, e := range directory.Endpoints {
		ids[e.Name] = id
	}
	return d, ids
}

// TestTestEvents tests an endpoint of every format: each gets what its application can read, with the vendor's signature, and a mail that
// is another one each time.
func TestTestEvents(t *testing.T) {
	type request struct {
		header http.Header
		body   string
	}
	requests := make(chan request, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		requests <- request{r.Header, string(body)}
	}))
	defer srv.Close()
	var endpoints []storage.Endpoint
	for _, name := range Names() {
		endpoints = append(endpoints, storage.Endpoint{Account: "acme", Name: name, URL: srv.URL, Format: name, FormatKey: keyOf(name)})
	}
	d, ids := testDispatcher(t, endpoints...)
	types := map[string]string{
		dispatch.FormatNative: "application/json", Postmark: "application/json", SendGrid: "multipart/form-data", SendGridRaw: "multipart/form-data",
		Mailgun: urlFormType, MailgunMIME: urlFormType, Mandrill: urlFormType, CloudMailin: "application/json",
		CloudMailinMultipart: "multipart/form-data", Raw: "message/rfc822",
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			made, err := d.Test(t.Context(), ids[name])
			if err != nil || made.Outcome != dispatch.OutcomeDelivered {
				t.Fatalf("%+v, error %v", made, err)
			}
			got := <-requests
			if media := got.header.Get("Content-Type"); !strings.HasPrefix(media, types[name]) || types[name] == "" {
				t.Errorf("it comes as %s", media)
			}
			if strings.HasPrefix(got.header.Get("Content-Type"), urlFormType) {
				if got.body, err = url.QueryUnescape(got.body); err != nil {
					t.Fatal(err)
				}
			}
			if name == dispatch.FormatNative {
				if !strings.Contains(got.body, `"webhook.test"`) {
					t.Errorf("the body is %s", got.body)
				}
				return
			}
			for _, want := range []string{"Letterhook test", made.ID + "@mx.example.com", "test@mx.example.com", "There is nothing to do."} {
				if !strings.Contains(got.body, want) {
					t.Errorf("%q is not in the body:\n%s", want, got.body)
				}
			}
			signed := map[string]string{SendGrid: "X-Twilio-Email-Event-Webhook-Signature", Mandrill: "X-Mandrill-Signature"}[name]
			if signed != "" && got.header.Get(signed) == "" {
				t.Error("it is not signed")
			}
			if name == Mailgun && !strings.Contains(got.body, "&signature=") {
				t.Error("it is not signed")
			}
		})
	}
}
