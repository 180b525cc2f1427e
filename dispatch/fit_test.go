package dispatch

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/letterhook/letterhook/storage"
)

// attached is a mail with attachments of these sizes.
func attached(sizes ...int) string {
	var b strings.Builder
	b.WriteString("From: a@b.example\r\nSubject: files\r\nX-One: 1\r\nx-two: 2\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n")
	for _, n := range sizes {
		b.WriteString("--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment\r\n\r\n" + strings.Repeat("x", n) + "\r\n")
	}
	return b.String() + "--b--\r\n"
}

// fitted is the event that an endpoint gets of a mail, and the length of its body.
func fitted(t *testing.T, e storage.Endpoint, raw string) (*EventData, int) {
	t.Helper()
	type got struct {
		event Event
		size  int
	}
	hits := make(chan got, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				t.Error(err)
				return
			}
			b, err = io.ReadAll(z)
			if err != nil {
				t.Error(err)
			}
		}
		checkSchema(t, b)
		wh, _ := standardwebhooks.NewWebhookRaw(testSecret)
		if err := wh.Verify(b, r.Header); err != nil {
			t.Errorf("what the receiver reads does not verify: %v", err)
		}
		var ev Event
		if err = json.Unmarshal(b, &ev); err != nil {
			t.Error(err)
		}
		hits <- got{ev, int(r.ContentLength)}
	}))
	defer srv.Close()
	e.Name, e.URL = "one", srv.URL
	h := build(t, e)
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	defer stop()
	h.accept(raw, "one")
	hit := <-hits
	return hit.event.Data, hit.size
}

func TestAttachmentsInline(t *testing.T) {
	d, _ := fitted(t, storage.Endpoint{Attachments: storage.AttachmentsInline, InlineSize: 100, MaxBody: 1 << 20}, attached(100, 101))
	want := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), 100))
	if a := d.Attachments[0]; a.Content == nil || *a.Content != want || a.URL == nil {
		t.Errorf("%+v", a)
	}
	if a := d.Attachments[1]; a.Content != nil || a.URL == nil || len(d.Parse.Truncated) != 0 {
		t.Errorf("%+v", a)
	}

	// What does not fit into the body is the first to go, and is named.
	_, bare := fitted(t, storage.Endpoint{}, attached(100, 3000, 200))
	for _, limit := range []int{bare + 5000, bare + 500, bare + 40} {
		d, size := fitted(t, storage.Endpoint{Attachments: storage.AttachmentsInline, MaxBody: limit}, attached(100, 3000, 200))
		has := []bool{d.Attachments[0].Content != nil, d.Attachments[1].Content != nil, d.Attachments[2].Content != nil}
		if size > limit || d.Text == nil || *d.Text == "" {
			t.Errorf("%d octets where %d are allowed, text %v", size, limit, d.Text)
		}
		if want := []bool{limit > bare+400, limit > bare+4400, limit > bare+400}; !slices.Equal(has, want) {
			t.Errorf("%d octets more: contents %v, want %v", limit-bare, has, want)
		}
		if cut := slices.Contains(d.Parse.Truncated, cutContents); cut == !slices.Contains(has, false) {
			t.Errorf("limit %d: contents %v, truncated %v", limit, has, d.Parse.Truncated)
		}
	}
}

func TestAttachmentsNone(t *testing.T) {
	d, _ := fitted(t, storage.Endpoint{Attachments: storage.AttachmentsNone}, attached(100))
	if a := d.Attachments[0]; a.URL != nil || a.Content != nil || a.Omitted == nil || a.Size != 100 || len(a.SHA256) != 64 {
		t.Errorf("%+v", a)
	}
}

func TestHeaderFields(t *testing.T) {
	for _, tt := range []struct{ choose, want []string }{
		{nil, []string{"From", "Subject", "X-One", "x-two", "Content-Type"}},
		{[]string{}, []string{}},
		{[]string{"X-Two", "x-one"}, []string{"X-One", "x-two"}},
	} {
		d, _ := fitted(t, storage.Endpoint{HeaderFields: tt.choose}, attached())
		got := []string{}
		for _, h := range d.Headers {
			got = append(got, h.Name)
		}
		if !slices.Equal(got, tt.want) || d.Subject != "files" {
			t.Errorf("%q: %q", tt.choose, got)
		}
	}
}

func TestGzip(t *testing.T) {
	raw := attached() + strings.Repeat("a line like the others\r\n", 1000)
	_, plain := fitted(t, storage.Endpoint{}, raw)
	d, compressed := fitted(t, storage.Endpoint{Gzip: true}, raw)
	if compressed >= plain || d.Subject != "files" {
		t.Errorf("%d octets instead of %d", compressed, plain)
	}
}

// What a shadow endpoint does not take is no dead letter, and holds nothing up.
func TestShadow(t *testing.T) {
	url, hits := receiver(t, nil)
	refusing, _ := receiver(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) })
	h := build(t, storage.Endpoint{Name: "one", URL: url},
		storage.Endpoint{Name: "two", URL: refusing, Shadow: true, Schedule: []time.Duration{time.Millisecond}})
	defer h.close()
	stop := h.start(h.dispatcher(nil))
	defer stop()
	id := h.accept(mail("shadow"), "all")
	<-hits
	waitFor(t, func() bool { return len(h.owed("two")) == 0 && len(h.owed("one")) == 0 })
	states := map[string]string{}
	rows, err := h.store.Deliveries(t.Context(), storage.DeliveryFilter{Message: id})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		states[r.Endpoint] = r.State
	}
	if len(rows) != 2 || states[h.ids["one"]] != storage.StateDelivered || states[h.ids["two"]] != storage.StateMissed {
		t.Errorf("%+v", rows)
	}
	if err := h.store.Check(t.Context(), func(f storage.Fault) { t.Errorf("%v", f) }); err != nil {
		t.Error(err)
	}
}

// A shadow endpoint that nothing is sent to, because it is paused, holds no mail for longer than its maximum age.
func TestPausedShadowHoldsNothing(t *testing.T) {
	h := build(t, storage.Endpoint{Name: "one", URL: "http://127.0.0.1:1"},
		storage.Endpoint{Name: "two", URL: "http://127.0.0.1:1", Shadow: true, MaxAge: time.Millisecond})
	defer h.close()
	h.accept(mail("old"), "all")
	waitFor(t, func() bool { return time.Since(h.owed("two")[0].DueAt) > 10*time.Millisecond })
	d := h.dispatcher(nil)
	heads, err := h.store.Lanes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.missShadows(t.Context(), heads); err != nil {
		t.Fatal(err)
	}
	if len(h.owed("two")) != 0 || len(h.owed("one")) != 1 {
		t.Errorf("owed %v and %v", h.owed("two"), h.owed("one"))
	}
}
