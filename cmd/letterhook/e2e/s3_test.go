package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// TestS3 keeps packs and attachments in a real bucket.
func TestS3(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	b := startBucket(ctx, t)
	server, in, o := startInstallation(ctx, t, &installation{storage: b.storageSection(b.addr)})
	e := exchangeFiles(ctx, t, server, in)
	raw := mailWith(attached())
	if got := fetch(ctx, t, e.Data.Raw.URL); !bytes.Equal(got, raw) {
		t.Errorf("the raw octets are not those that were sent")
	}
	for i, f := range attached() {
		inStore(t, b.dir, e, f)
		if link := e.Data.Attachments[i].URL; !strings.HasPrefix(link, "http://"+b.addr+"/") {
			t.Errorf("%s: the link does not lead to the bucket: %s", f.name, link)
		}
	}
	if link := e.Data.Raw.URL; !strings.HasPrefix(link, "http://"+server.HTTP+"/") {
		t.Errorf("the link to the raw octets does not lead to the server: %s", link)
	}
	guarded(ctx, t, e)
	stopAndCheck(t, server, o)
}

// TestS3LinksExpire waits until presigned links of a second's life are refused.
func TestS3LinksExpire(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	b := startBucket(ctx, t)
	server, in, o := startInstallation(ctx, t, &installation{storage: b.storageSection(b.addr) + "\n  link_lifetime: 1s"})
	expire(ctx, t, server, in)
	stopAndCheck(t, server, o)
}

// TestS3Down kills the bucket's server and starts it again. In between mail is refused for now, small and large,
// and nothing of what was refused ever arrives.
func TestS3Down(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	b := startBucket(ctx, t)
	server, in, o := startInstallation(ctx, t, &installation{storage: b.storageSection(b.addr)})
	large := largeMail()
	accepted(ctx, t, server, []byte(greeting), "before@one.example")
	in.awaitFor(ctx, t, "before@one.example")
	b.kill(t)
	deferred(ctx, t, server, []byte(greeting), "down@one.example")
	deferred(ctx, t, server, large, "down-large@one.example")
	b.start(ctx, t)
	accepted(ctx, t, server, []byte(greeting), "after@one.example")
	accepted(ctx, t, server, large, "after-large@one.example")
	for _, to := range []string{"after@one.example", "after-large@one.example"} {
		in.awaitFor(ctx, t, to)
	}
	stopAndCheck(t, server, o)
	in.exactly(t, "before@one.example", "after@one.example", "after-large@one.example")
}

// TestS3WrongSecret: a server whose secret the bucket does not know takes no mail, and says so before there is any; when the bucket knows it
// the server is ready by itself, and so it is after an outage in which a mail came.
func TestS3WrongSecret(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	b := startBucket(ctx, t)
	const secret = "another-secret"
	server, in, o := startInstallation(ctx, t, &installation{storage: strings.ReplaceAll(b.storageSection(b.addr), accessSecret, secret)})
	if state := readiness(ctx, t, server); !strings.HasPrefix(state, `503 {"ready":false,"reasons":["the blobs cannot be used: `) ||
		!strings.Contains(state, "SignatureDoesNotMatch") {
		t.Errorf("with a wrong secret: %s", state)
	}
	ready := func() bool { return strings.HasPrefix(readiness(ctx, t, server), `200 {"ready":true,`) }
	b.kill(t)
	b.secret = secret
	b.start(ctx, t)
	eventually(ctx, t, "the server is ready with the right secret", ready)

	b.kill(t)
	deferred(ctx, t, server, []byte(greeting), "down@one.example")
	if ready() {
		t.Error("it is ready while its bucket is away")
	}
	b.start(ctx, t)
	eventually(ctx, t, "the server is ready with its bucket", ready)
	accepted(ctx, t, server, []byte(greeting), "after@one.example")
	in.awaitFor(ctx, t, "after@one.example")
	stopAndCheck(t, server, o)
	in.exactly(t, "after@one.example")
}

// readiness is the status and the body of /readyz.
func readiness(ctx context.Context, t *testing.T, server *bench.Server) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+server.HTTP+"/readyz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, text)
}

// TestS3Slow delays every piece between server and bucket; then stops them in the middle of a message and lets them go
// on; then stops them and breaks the connections, as an overloaded network does. Slow is accepted, broken is refused for
// now, and then all is well again.
func TestS3Slow(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	b := startBucket(ctx, t)
	v := newValve(t, b.addr)
	server, in, o := startInstallation(ctx, t, &installation{storage: b.storageSection(v.addr)})
	v.slow(30 * time.Millisecond)
	for n := range 3 {
		accepted(ctx, t, server, mailWith(attached()[:2]), fmt.Sprintf("slow%d@one.example", n))
	}
	in.await(ctx, t, 3)
	v.slow(0)

	answer := heldBack(ctx, t, v, server, "late@one.example")
	v.flow()
	if r := <-answer; r.code != 250 {
		t.Errorf("after a halt: %s, want 250", r)
	}
	in.awaitFor(ctx, t, "late@one.example")

	answer = heldBack(ctx, t, v, server, "broken@one.example")
	var r reply
	eventually(ctx, t, "the server gives up", func() bool {
		v.cut() // and what it tries again
		select {
		case r = <-answer:
			return true
		default:
			return false
		}
	})
	if !r.is(451, "4.3.0 ") {
		t.Errorf("every connection to the bucket breaks: %s, want 451 4.3.0", r)
	}
	v.flow()
	accepted(ctx, t, server, []byte(greeting), "after@one.example")
	in.awaitFor(ctx, t, "after@one.example")
	stopAndCheck(t, server, o)
	in.exactly(t, "slow0@one.example", "slow1@one.example", "slow2@one.example", "late@one.example", "after@one.example")
}

// heldBack stops the valve, sends a mail, and returns when the valve holds back what the server says to the bucket. The channel
// gives the peer's answer.
func heldBack(ctx context.Context, t *testing.T, v *valve, server *bench.Server, to string) <-chan reply {
	t.Helper()
	v.stop()
	c := hello(ctx, t, server.SMTP)
	c.begin(to)
	c.write(greeting + ".\r\n")
	answer := make(chan reply, 1)
	go func() {
		r, err := c.read()
		if err != nil {
			r.text = err.Error()
		}
		_ = c.conn.Close()
		answer <- r
	}()
	eventually(ctx, t, "the valve holds something back", v.holds)
	return answer
}

// TestAttachmentsWaitForS3 keeps raw messages in the folder and attachments in a bucket that is down: mail is accepted all the
// same, and its event comes when the bucket is back, with every link.
func TestAttachmentsWaitForS3(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	b := startBucket(ctx, t)
	server, in, o := startInstallation(ctx, t, &installation{storage: b.storageSection(b.addr) + "\n  packs_in_blobs: false"})
	b.kill(t)
	accepted(ctx, t, server, mailWith(attached()[:2]), "waiting@one.example")
	accepted(ctx, t, server, []byte(greeting), "plain@one.example")
	in.awaitFor(ctx, t, "plain@one.example")
	b.start(ctx, t)
	e := in.awaitFor(ctx, t, "waiting@one.example")
	if len(e.Data.Attachments) != 2 {
		t.Fatalf("%d attachments, want 2", len(e.Data.Attachments))
	}
	for i, f := range attached()[:2] {
		if got := fetch(ctx, t, e.Data.Attachments[i].URL); !bytes.Equal(got, f.content) {
			t.Errorf("%s: its link gives other octets than were sent", f.name)
		}
	}
	stopAndCheck(t, server, o)
	in.exactly(t, "plain@one.example", "waiting@one.example")
}
