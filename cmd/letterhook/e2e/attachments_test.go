package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// file is something to attach.
type file struct {
	name     string // as it stands in the parameter
	kind     string
	encoding string // base64, 8bit or quoted-printable
	content  []byte
}

// attached are files of the sorts that servers damage. The octets are the same on every run.
func attached() []file {
	chance := rand.NewChaCha8([32]byte{'e', '2', 'e'})
	noise := func(n int) []byte {
		b := make([]byte, n)
		_, _ = chance.Read(b)
		return b
	}
	return []file{
		{"small.bin", "application/octet-stream", "base64", noise(1)},
		{"odd.bin", "application/octet-stream", "base64", noise(100_003)},
		{"large.bin", "application/zip", "base64", noise(3 << 20)},
		{"=?utf-8?q?gr=C3=BCn=2Epdf?=", "application/pdf", "base64", noise(5000)},
		{"../../../etc/passwd", "text/plain; charset=iso-8859-1", "8bit", []byte("Gr\xfc\xdfe\r\naus dem Norden\r\n")},
		{"table.csv", "text/csv; charset=utf-16le", "base64", []byte("a\x00;\x00\xe4\x00\n\x00")},
		{"lines.txt", "text/plain", "quoted-printable", []byte("trailing blank \r\nequals = sign\r\n\x00nul and \xff\r\n")},
		{"pixel.gif", "image/gif", "base64", noise(43)},
	}
}

// mailWith attaches files to a mail.
func mailWith(files []file) []byte {
	var b bytes.Buffer
	b.WriteString("From: <sender@client.example>\r\nTo: <ann@one.example>\r\nSubject: files\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=\"=_files\"\r\n\r\n--=_files\r\nContent-Type: text/plain\r\n\r\nSee attached.\r\n")
	for _, f := range files {
		fmt.Fprintf(&b, "--=_files\r\nContent-Type: %s\r\nContent-Disposition: attachment; filename=\"%s\"\r\nContent-Transfer-Encoding: %s\r\n\r\n",
			f.kind, f.name, f.encoding)
		switch f.encoding {
		case "base64":
			encoded := base64.StdEncoding.EncodeToString(f.content)
			for line := range slices.Chunk([]byte(encoded), 76) {
				b.Write(line)
				b.WriteString("\r\n")
			}
		case "quoted-printable":
			for _, c := range f.content {
				fmt.Fprintf(&b, "=%02X=\r\n", c)
			}
		default:
			b.Write(f.content)
		}
		b.WriteString("\r\n")
	}
	b.WriteString("--=_files--\r\n")
	return b.Bytes()
}

// exchangeFiles sends the files and returns the event, after comparing what it says and what its links give with what was sent.
func exchangeFiles(ctx context.Context, t *testing.T, server *bench.Server, in *inbox) event {
	t.Helper()
	files := attached()
	if r := deliver(ctx, t, server.SMTP, mailWith(files), "ann@one.example"); r.code != 250 {
		t.Fatal(r)
	}
	e := in.awaitFor(ctx, t, "ann@one.example")
	if len(e.Data.Attachments) != len(files) {
		t.Fatalf("%d attachments, want %d: %+v", len(e.Data.Attachments), len(files), e.Data.Attachments)
	}
	for i, f := range files {
		a := e.Data.Attachments[i]
		if a.SHA256 != sum(f.content) || a.Size != int64(len(f.content)) {
			t.Errorf("%s: the event says %+v, sent were %d octets with SHA-256 %s", f.name, a, len(f.content), sum(f.content))
		}
		if strings.ContainsAny(a.Filename, "/\\") || strings.HasPrefix(a.Filename, ".") {
			t.Errorf("a harmful file name: %q", a.Filename)
		}
		res, got := get(ctx, t, a.URL)
		if res.StatusCode != http.StatusOK || !bytes.Equal(got, f.content) {
			t.Errorf("%s: its link gives %s and other octets than were sent", f.name, res.Status)
		}
		harmless(t, f.name, res)
	}
	return e
}

// harmless looks at what keeps a stranger's file from being run in a browser.
func harmless(t *testing.T, what string, res *http.Response) {
	t.Helper()
	if d := res.Header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment") {
		t.Errorf("%s: Content-Disposition is %q", what, d)
	}
	if res.Header.Get("Server") == "VERSITYGW" {
		return // a presigned link can set no other fields
	}
	if o := res.Header.Get("X-Content-Type-Options"); o != "nosniff" {
		t.Errorf("%s: X-Content-Type-Options is %q", what, o)
	}
	if p := res.Header.Get("Content-Security-Policy"); !strings.Contains(p, "sandbox") {
		t.Errorf("%s: Content-Security-Policy is %q", what, p)
	}
}

// links are the links of an event, by what they lead to.
func links(e event) map[string]string {
	all := map[string]string{"raw": e.Data.Raw.URL}
	for _, a := range e.Data.Attachments {
		all[a.Filename] = a.URL
	}
	return all
}

// guarded fails the test when a link still works after anything of it was changed.
func guarded(ctx context.Context, t *testing.T, e event) {
	t.Helper()
	all := links(e)
	for name, link := range all {
		for what, forged := range forgeries(t, link, slices.Collect(maps.Values(all))) {
			res, body := get(ctx, t, forged)
			if res.Request.URL.Path == "/login" {
				continue // it led to no link, and strangers see no pages
			}
			if res.StatusCode < 400 || res.StatusCode >= 500 {
				t.Errorf("%s, %s: %s\n%s\n%.200s", name, what, res.Status, forged, body)
			}
		}
	}
}

// forgeries changes a link in every way that a stranger would try first.
func forgeries(t *testing.T, link string, others []string) map[string]string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	forged := map[string]string{"no signature at all": strings.TrimSuffix(link, "?"+u.RawQuery)}
	for key := range u.Query() {
		without, changed := *u, *u
		query := u.Query()
		query.Set(key, change(query.Get(key)))
		changed.RawQuery = query.Encode()
		query.Del(key)
		without.RawQuery = query.Encode()
		forged[key+" changed"], forged[key+" left out"] = changed.String(), without.String()
	}
	for _, other := range others {
		o, err := url.Parse(other)
		if err != nil {
			t.Fatal(err)
		}
		if o.Path != u.Path {
			moved := *u
			moved.Path = o.Path
			forged["signature put on "+o.Path] = moved.String()
		}
	}
	return forged
}

// change makes another word of the same form: a number grows, a letter becomes another.
func change(s string) string {
	if s == "" {
		return "x"
	}
	middle := len(s) / 2
	c := byte('a')
	switch s[middle] {
	case 'a':
		c = 'b'
	case '0', '1', '2', '3', '4', '5', '6', '7', '8':
		c = s[middle] + 1
	case '9':
		return s[:middle] + "90" + s[middle+1:]
	}
	return s[:middle] + string(c) + s[middle+1:]
}

// TestAttachmentsInFolder compares attachments in the data folder, and those under their links, with what was sent.
func TestAttachmentsInFolder(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	i := &installation{}
	server, in, o := startInstallation(ctx, t, i)
	e := exchangeFiles(ctx, t, server, in)
	for _, f := range attached() {
		inStore(t, i.data, e, f)
	}
	guarded(ctx, t, e)
	stopAndCheck(t, server, o)
}

// inStore looks for an attachment's octets in the folder where they lie under account, message and hash.
func inStore(t *testing.T, dir string, e event, f file) {
	t.Helper()
	key := filepath.Join("att", e.Data.AccountID, e.Data.ID, sum(f.content))
	for _, path := range stored(t, dir, sum(f.content)) {
		if !strings.HasSuffix(path, key) {
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, f.content) {
			t.Errorf("%s: what is stored is not what was sent", f.name)
		}
		return
	}
	t.Errorf("%s: nothing is stored as %s", f.name, key)
}

// TestLinksExpire waits until links of a second's life are refused.
func TestLinksExpire(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	server, in, o := startInstallation(ctx, t, &installation{storage: "  link_lifetime: 1s"})
	expire(ctx, t, server, in)
	stopAndCheck(t, server, o)
}

// expire sends a mail with a file and waits until neither of its links is served.
func expire(ctx context.Context, t *testing.T, server *bench.Server, in *inbox) {
	t.Helper()
	if r := deliver(ctx, t, server.SMTP, mailWith(attached()[:1]), "expiry@one.example"); r.code != 250 {
		t.Fatal(r)
	}
	e := in.awaitFor(ctx, t, "expiry@one.example")
	if len(e.Data.Attachments) != 1 {
		t.Fatalf("%d attachments", len(e.Data.Attachments))
	}
	for what, link := range links(e) {
		eventually(ctx, t, "the link of "+what+" has expired", func() bool {
			res, _ := get(ctx, t, link)
			if s := res.StatusCode; s != http.StatusOK && s != http.StatusForbidden && s != http.StatusGone {
				t.Fatalf("%s: %s", what, res.Status)
			}
			return res.StatusCode != http.StatusOK
		})
	}
	guarded(ctx, t, e)
}
