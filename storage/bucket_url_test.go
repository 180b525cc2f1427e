package storage

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// get fetches a URL as a receiver would, without any credentials.
func get(t *testing.T, link string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// testBucketPresigned needs a server that checks signatures.
func testBucketPresigned(t *testing.T, server testS3) {
	b := server.open(t, nil)
	key := AttachmentKey("acc_1", "msg_1", "ff")
	putBlob(t, b, key, []byte("content"))
	link := Link{Filename: "Größe & mehr.pdf", ContentType: "application/pdf", Expires: time.Now().Add(time.Hour)}
	good, expires, err := b.URL(t.Context(), key, link)
	if err != nil {
		t.Fatal(err)
	}
	if expires.After(link.Expires) || link.Expires.Sub(expires) > 2*time.Second {
		t.Errorf("asked for %v, got %v", link.Expires, expires)
	}
	response, body := get(t, good)
	if response.StatusCode != http.StatusOK || body != "content" {
		t.Errorf("%s: %s", response.Status, body)
	}
	if got := response.Header.Get("Content-Disposition"); got != AttachmentDisposition(link.Filename) {
		t.Errorf("Content-Disposition: %s", got)
	}
	if got := response.Header.Get("Content-Type"); got != "application/pdf" {
		t.Errorf("Content-Type: %s", got)
	}
	u, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(good, "hecksum") {
		t.Errorf("the link asks for checksums: %s", good)
	}
	for name, change := range map[string]func(url.Values){
		"longer":      func(q url.Values) { q.Set("X-Amz-Expires", "36000") },
		"another day": func(q url.Values) { q.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z")+"x") },
		"other type":  func(q url.Values) { q.Set("response-content-type", "text/html") },
		"inline":      func(q url.Values) { q.Set("response-content-disposition", "inline") },
		"no signer":   func(q url.Values) { q.Del("X-Amz-Signature") },
	} {
		changed := *u
		q := changed.Query()
		change(q)
		changed.RawQuery = q.Encode()
		if response, body := get(t, changed.String()); response.StatusCode < 400 || strings.Contains(body, "content\n") || body == "content" {
			t.Errorf("%s: %s %s", name, response.Status, body)
		}
	}
	other := *u
	other.Path += "0"
	if response, _ := get(t, other.String()); response.StatusCode != http.StatusForbidden {
		t.Errorf("another object: %s", response.Status)
	}
	b.now = func() time.Time { return time.Now().Add(-2 * time.Hour) }
	past, _, err := b.URL(t.Context(), key, Link{Expires: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if response, body := get(t, past); response.StatusCode != http.StatusForbidden || body == "content" {
		t.Errorf("an expired link: %s", response.Status)
	}
}

// shortLived gives credentials that end.
type shortLived struct{ ends time.Time }

func (s shortLived) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "k", SecretAccessKey: "s", SessionToken: "t", CanExpire: true, Expires: s.ends}, nil
}

func TestBucketURLExpiry(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 900_000_000, time.UTC)
	second := now.Truncate(time.Second)
	tests := []struct {
		name        string
		credentials time.Time // zero: they do not end
		asked, want time.Time // want zero: refused
	}{
		{"as asked", time.Time{}, second.Add(time.Hour), second.Add(time.Hour)},
		{"never later than asked", time.Time{}, second.Add(time.Hour + 700*time.Millisecond), second.Add(time.Hour)},
		{"seven days at most", time.Time{}, now.Add(30 * 24 * time.Hour), second.Add(maxPresign)},
		{"credentials end sooner", second.Add(20*time.Minute + 10), now.Add(time.Hour), second.Add(20 * time.Minute)},
		{"credentials end later", now.Add(2 * time.Hour), second.Add(time.Hour), second.Add(time.Hour)},
		{"credentials ended", now.Add(-time.Minute), now.Add(time.Hour), time.Time{}},
		{"already over", time.Time{}, now.Add(-time.Minute), time.Time{}},
		{"zero", time.Time{}, time.Time{}, time.Time{}},
	}
	server := newFakeS3(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := server.open(t, nil)
			b.now = func() time.Time { return now }
			if !tt.credentials.IsZero() {
				options := b.client.Options()
				options.Credentials = shortLived{tt.credentials}
				b.client = s3.New(options)
			}
			link, expires, err := b.URL(t.Context(), AttachmentKey("a", "m", "h"), Link{Expires: tt.asked})
			if tt.want.IsZero() {
				if err == nil {
					t.Errorf("a link that ends at %v", expires)
				}
				return
			}
			if err != nil || !expires.Equal(tt.want) {
				t.Fatalf("ends at %v, want %v; %v", expires, tt.want, err)
			}
			u, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := time.Parse("20060102T150405Z", u.Query().Get("X-Amz-Date"))
			if err != nil {
				t.Fatal(err)
			}
			life, err := time.ParseDuration(u.Query().Get("X-Amz-Expires") + "s")
			if err != nil || !signed.Add(life).Equal(expires) {
				t.Errorf("the URL ends at %v, we say %v", signed.Add(life), expires)
			}
		})
	}
}

func TestBucketURLOtherWays(t *testing.T) {
	server := newFakeS3(t, nil)
	key := AttachmentKey("a", "m", "h")
	link := Link{Expires: time.Now().Add(time.Hour)}
	outside := server.open(t, func(cfg *BucketConfig) { cfg.LinkEndpoint = "https://files.example" })
	got, _, err := outside.URL(t.Context(), key, link)
	if err != nil || !strings.HasPrefix(got, "https://files.example/"+testBucketName+"/p") {
		t.Errorf("link endpoint: %s, %v", got, err)
	}
	virtual := server.open(t, func(cfg *BucketConfig) { cfg.Endpoint, cfg.PathStyle = "https://files.example", false })
	if got, _, err := virtual.URL(t.Context(), key, link); err != nil || !strings.HasPrefix(got, "https://"+testBucketName+".files.example/p") {
		t.Errorf("virtual host: %s, %v", got, err)
	}
	ours := server.open(t, func(cfg *BucketConfig) { cfg.Links = newTestLinks(t) })
	if got, _, err := ours.URL(t.Context(), key, link); err != nil || !strings.HasPrefix(got, "https://mail.example/hook/v1/blobs/att/a/m/h?") {
		t.Errorf("our own links: %s, %v", got, err)
	}
	for _, b := range []*Bucket{outside, ours} {
		if got, _, err := b.URL(t.Context(), "pack/x", link); err == nil {
			t.Errorf("a link to a pack, which holds the mail of others: %s", got)
		}
	}
}
