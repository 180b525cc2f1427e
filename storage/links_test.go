package storage

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

func newTestLinks(t *testing.T) *Links {
	t.Helper()
	l, err := NewLinks("https://mail.example/hook/", [][]byte{noise(KeySize, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// parseLink takes a link apart as a server would.
func parseLink(t *testing.T, link string) (path string, query url.Values) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path, u.Query()
}

func TestLinksVerifyWhatTheySign(t *testing.T) {
	l := newTestLinks(t)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	links := []Link{
		{Expires: now.Add(time.Hour)},
		{Expires: now.Add(1500 * time.Millisecond), Filename: "report.pdf", ContentType: "application/pdf"},
		{Expires: now.Add(time.Hour), Filename: "Häßlich & \"böse\" +%2F?#.pdf\r\n", ContentType: "text/plain; charset=utf-8"},
	}
	for _, want := range links {
		path, q := parseLink(t, l.Blob("att/acc_1/msg_1/ff", want))
		if path != "/hook/v1/blobs/att/acc_1/msg_1/ff" {
			t.Errorf("path %s", path)
		}
		got, err := l.Verify(LinkBlob, "att/acc_1/msg_1/ff", q, now)
		if err != nil || got.Filename != want.Filename || got.ContentType != want.ContentType || !got.Expires.Equal(want.Expires.Truncate(time.Second)) {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
	}
	path, q := parseLink(t, l.Raw("msg_1", now.Add(time.Hour)))
	if _, err := l.Verify(LinkRaw, "msg_1", q, now); err != nil || path != "/hook/v1/raw/msg_1" {
		t.Errorf("raw: %s, %v", path, err)
	}
}

func TestLinksExpire(t *testing.T) {
	l := newTestLinks(t)
	end := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	_, q := parseLink(t, l.Raw("msg_1", end))
	for _, tt := range []struct {
		now  time.Time
		want error
	}{
		{end.Add(-time.Nanosecond), nil}, {end, ErrLinkExpired}, {end.Add(time.Hour), ErrLinkExpired},
	} {
		if _, err := l.Verify(LinkRaw, "msg_1", q, tt.now); !errors.Is(err, tt.want) {
			t.Errorf("at %v: %v", tt.now, err)
		}
	}
	q.Set("expires", "99999999999")
	if _, err := l.Verify(LinkRaw, "msg_1", q, end); !errors.Is(err, ErrLinkForged) {
		t.Errorf("prolonged: %v", err)
	}
}

func TestLinksRefuseForgeries(t *testing.T) {
	l := newTestLinks(t)
	now := time.Now()
	_, good := parseLink(t, l.Blob("att/a/m/h", Link{Filename: "ab", ContentType: "cd", Expires: now.Add(time.Hour)}))
	expired := now.Add(2 * time.Hour)
	tests := []struct {
		name       string
		kind, blob string
		change     func(url.Values)
	}{
		{"another key", LinkBlob, "att/a/m/i", nil},
		{"another kind", LinkRaw, "att/a/m/h", nil},
		{"key and name move together", LinkBlob, "att/a/m/ha", func(q url.Values) { q.Set("name", "b") }},
		{"name and type change places", LinkBlob, "att/a/m/h", func(q url.Values) { q.Set("name", "cd"); q.Set("type", "ab") }},
		{"name and type move together", LinkBlob, "att/a/m/h", func(q url.Values) { q.Set("name", "abc"); q.Set("type", "d") }},
		{"no name", LinkBlob, "att/a/m/h", func(q url.Values) { q.Del("name") }},
		{"no signature", LinkBlob, "att/a/m/h", func(q url.Values) { q.Del("signature") }},
		{"short signature", LinkBlob, "att/a/m/h", func(q url.Values) { q.Set("signature", q.Get("signature")[:20]) }},
		{"no base64", LinkBlob, "att/a/m/h", func(q url.Values) { q.Set("signature", "!") }},
		{"no expiry", LinkBlob, "att/a/m/h", func(q url.Values) { q.Del("expires") }},
		{"odd expiry", LinkBlob, "att/a/m/h", func(q url.Values) { q.Set("expires", "soon") }},
		{"later expiry", LinkBlob, "att/a/m/h", func(q url.Values) { q.Set("expires", "9999999999") }},
		{"nothing", LinkBlob, "att/a/m/h", func(q url.Values) { clear(q) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := url.Values{}
			for k, v := range good {
				q[k] = append([]string(nil), v...)
			}
			if tt.change != nil {
				tt.change(q)
			}
			for _, at := range []time.Time{now, expired} { // a forged link is forged, expired or not
				if _, err := l.Verify(tt.kind, tt.blob, q, at); !errors.Is(err, ErrLinkForged) {
					t.Errorf("Verify = %v", err)
				}
			}
		})
	}
}

func TestLinksRotateKeys(t *testing.T) {
	older, newer := noise(KeySize, 1), noise(KeySize, 2)
	with := func(keys ...[]byte) *Links {
		l, err := NewLinks("http://127.0.0.1:8080", keys)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	now := time.Now()
	_, q := parseLink(t, with(older).Raw("msg_1", now.Add(time.Hour)))
	if _, err := with(newer, older).Verify(LinkRaw, "msg_1", q, now); err != nil {
		t.Errorf("a link of the older key: %v", err)
	}
	if _, err := with(newer).Verify(LinkRaw, "msg_1", q, now); !errors.Is(err, ErrLinkForged) {
		t.Errorf("after the older key went: %v", err)
	}
	_, q = parseLink(t, with(newer, older).Raw("msg_1", now.Add(time.Hour)))
	if _, err := with(newer).Verify(LinkRaw, "msg_1", q, now); err != nil {
		t.Errorf("the first key does not sign: %v", err)
	}
}

func TestNewLinks(t *testing.T) {
	key := noise(KeySize, 1)
	for _, base := range []string{"", "mail.example", "/path", "ftp://mail.example", "https://", "https://user:pw@mail.example", "https://mail.example/?a=b", "https://mail.example/#a", "https://mail.example:port"} {
		if _, err := NewLinks(base, [][]byte{key}); err == nil {
			t.Errorf("%q was taken as public URL", base)
		} else if strings.Contains(err.Error(), "pw") {
			t.Errorf("the error shows a password: %v", err)
		}
	}
	for _, keys := range [][][]byte{nil, {nil}, {key, key[1:]}} {
		if _, err := NewLinks("https://mail.example", keys); err == nil {
			t.Errorf("%d keys were taken", len(keys))
		}
	}
	for base, want := range map[string]string{
		"https://mail.example":         "https://mail.example/v1/raw/msg_1?",
		"https://mail.example/":        "https://mail.example/v1/raw/msg_1?",
		"https://mail.example/a/b/":    "https://mail.example/a/b/v1/raw/msg_1?",
		"http://[2001:db8::1]:8080/a":  "http://[2001:db8::1]:8080/a/v1/raw/msg_1?",
		"https://mail.example/a%2Fb/c": "https://mail.example/a%2Fb/c/v1/raw/msg_1?",
	} {
		l, err := NewLinks(base, [][]byte{key})
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Raw("msg_1", time.Now()); !strings.HasPrefix(got, want) {
			t.Errorf("below %s: %s", base, got)
		}
	}
}

func FuzzLinksVerify(f *testing.F) {
	l, err := NewLinks("https://mail.example", [][]byte{noise(KeySize, 1)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("att/a/m/h", "expires=1&signature=AAAA&name=x&type=y")
	f.Add("msg_1", "expires=99999999999&signature=")
	f.Fuzz(func(t *testing.T, name, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if _, err := l.Verify(LinkBlob, name, q, time.Unix(0, 0)); !errors.Is(err, ErrLinkForged) {
			t.Errorf("a link nobody signed: %v", err)
		}
	})
}
