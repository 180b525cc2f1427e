package e2e

import (
	"fmt"
	"testing"
	"time"
)

const greeting = "From: <sender@client.example>\r\nSubject: hello\r\n\r\nHow are you?\r\n"

// TestIdenticalMailsAreTwo sends the same octets with the same envelope again, after the 250 of the first was read: on
// the same connection, on another, and on a third after QUIT. The peer meant each.
func TestIdenticalMailsAreTwo(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	server, in, o := dev(ctx, t)
	c := hello(ctx, t, server.SMTP)
	for range 2 {
		if r := c.send([]byte(greeting), "ann@one.example"); r.code != 250 {
			t.Fatal(r)
		}
	}
	c.command(250, "NOOP")
	other := hello(ctx, t, server.SMTP)
	if r := other.send([]byte(greeting), "ann@one.example"); r.code != 250 {
		t.Fatal(r)
	}
	other.quit()
	if r := deliver(ctx, t, server.SMTP, []byte(greeting), "ann@one.example"); r.code != 250 {
		t.Fatal(r)
	}
	c.quit()
	events := in.await(ctx, t, 4)
	stopAndCheck(t, server, o)
	ids := map[string]bool{}
	for _, e := range in.all() {
		ids[e.Data.ID] = true
	}
	if len(events) != 4 || len(ids) != 4 {
		t.Errorf("four mails are %d events of %d messages", len(events), len(ids))
	}
}

// TestPipelinedTwinsAreTwo sends two identical mails by BDAT in one write, as RFC 3030 wants it: the second is here before
// the 250 of the first is.
func TestPipelinedTwinsAreTwo(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	server, in, o := dev(ctx, t)
	c := hello(ctx, t, server.SMTP)
	twin := fmt.Sprintf("MAIL FROM:<sender@client.example>\r\nRCPT TO:<ann@one.example>\r\nBDAT %d LAST\r\n%s", len(greeting), greeting)
	c.write(twin + twin)
	for range 6 {
		c.expect(250)
	}
	c.quit()
	in.await(ctx, t, 2)
	stopAndCheck(t, server, o)
	in.exactly(t, "ann@one.example", "ann@one.example")
}

// TestResendIsOne cuts the connection before the peer reads its 250. It sends again, as it must, and that is the same message.
func TestResendIsOne(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	server, in, o := dev(ctx, t)
	c := hello(ctx, t, server.SMTP)
	c.begin("ann@one.example")
	c.write(greeting + ".\r\n")
	in.await(ctx, t, 1) // it was accepted
	_ = c.conn.Close()
	if r := deliver(ctx, t, server.SMTP, []byte(greeting), "ann@one.example"); r.code != 250 {
		t.Fatal(r)
	}
	if r := deliver(ctx, t, server.SMTP, []byte(greeting), "marker@one.example"); r.code != 250 {
		t.Fatal(r)
	}
	in.awaitFor(ctx, t, "marker@one.example")
	stopAndCheck(t, server, o)
	in.exactly(t, "ann@one.example", "marker@one.example")
}

// TestTwoAccountsAreTwoMessages sends one mail to recipients of two accounts. Each account gets a message of its own, and nothing of the
// other's.
func TestTwoAccountsAreTwoMessages(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	server, in, o := startInstallation(ctx, t, &installation{})
	to := []string{"ann@one.example", "bob@two.example", "cid@one.example"}
	if r := deliver(ctx, t, server.SMTP, []byte(greeting), to...); r.code != 250 {
		t.Fatal(r)
	}
	in.await(ctx, t, 2)
	stopAndCheck(t, server, o)
	in.exactly(t, "ann@one.example,cid@one.example", "bob@two.example")
	events := in.all()
	if len(events) != 2 {
		t.Fatalf("%d events", len(events))
	}
	a, b := events[0], events[1]
	if a.WebhookID == b.WebhookID || a.Data.ID == b.Data.ID || a.Data.AccountID == b.Data.AccountID || a.Data.Raw.URL == b.Data.Raw.URL {
		t.Errorf("the accounts share something: %+v and %+v", a, b)
	}
	if a.Data.Raw.SHA256 != b.Data.Raw.SHA256 {
		t.Errorf("the accounts got different octets")
	}
}
