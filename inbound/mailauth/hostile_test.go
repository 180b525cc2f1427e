package mailauth_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/mailauth"
	"github.com/letterhook/letterhook/inbound/resolver"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// TestHostile has messages that make careless readers work or allocate more than their size allows. The bound is on octets
// allocated, which does not depend on the machine; a message that costs time beyond reason runs into the test's timeout.
func TestHostile(t *testing.T) {
	server := dnstest.New(t)
	key := newEd25519(t)
	server.AddTXT("s._domainkey.sender.example", key.record)
	signature := func(tags string) string {
		return "DKIM-Signature: v=1; a=ed25519-sha256; d=sender.example; s=s; b=AAAA; " + tags +
			"; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n"
	}
	from := "From: ann@sender.example\r\n"
	var tags strings.Builder
	for i := range 80_000 {
		fmt.Fprintf(&tags, "t%d=x;", i)
	}
	manyTags := tags.String()
	var sets strings.Builder
	someTags := manyTags[:strings.LastIndexByte(manyTags[:30<<10], ';')]
	for i := range 16 {
		fmt.Fprintf(&sets, "ARC-Seal: i=%d; %s\r\nARC-Message-Signature: i=%d; %s\r\nARC-Authentication-Results: i=%d; x\r\n",
			i+1, someTags, i+1, someTags, i+1)
	}
	for name, message := range map[string]string{
		"continuation lines":      from + "X: y\r\n" + strings.Repeat(" x\r\n", 200_000) + "\r\n",
		"names in h":              signature("c=relaxed/relaxed; h=from"+strings.Repeat(":a", 200_000)) + from + strings.Repeat("a:\r\n", 9000) + "\r\n",
		"empty lines, simple":     signature("c=simple/simple; h=from") + from + "\r\n" + strings.Repeat("\r\n", 8<<20) + "x",
		"empty lines, relaxed":    signature("c=relaxed/relaxed; h=from") + from + "\r\n" + strings.Repeat("\r\n", 8<<20) + "x",
		"bare CR":                 signature("c=relaxed/relaxed; h=from") + from + "\r\n" + strings.Repeat("\r", 8<<20),
		"blanks":                  signature("c=relaxed/relaxed; h=from") + from + "\r\n" + strings.Repeat(" \t", 8<<20),
		"signatures":              strings.Repeat(signature("h=from"), 5000) + from + "\r\n",
		"sets of ARC":             strings.Repeat("ARC-Seal: i=1; a=rsa-sha256\r\nARC-Message-Signature: i=1\r\nARC-Authentication-Results: i=1; x\r\n", 3000) + from + "\r\n",
		"tags of every name":      "DKIM-Signature: " + manyTags + "\r\n" + from + "\r\n",
		"tags of ARC":             "ARC-Seal: i=1; " + manyTags + "\r\nARC-Message-Signature: i=1\r\nARC-Authentication-Results: i=1; x\r\n" + from + "\r\n",
		"tags of sets of ARC":     sets.String() + from + "\r\n",
		"tags":                    "DKIM-Signature: " + strings.Repeat("a=b;", 200_000) + "\r\n" + from + "\r\n",
		"a header without an end": strings.Repeat("x", 24<<20),
		"fields":                  strings.Repeat("a:\r\n", 1<<18) + from + "\r\n",
		"From with comments":      "From: " + strings.Repeat("(", 15_000) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := newChecker(t, server)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := check(t, c, "192.0.2.1", "h.example", "a@b.example", message)
			runtime.ReadMemStats(&after)
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 8<<20 {
				t.Errorf("%d MB allocated for %d MB", spent>>20, len(message)>>20)
			}
			if got.Identity.Verified || strings.Contains(words(got.DKIM), "pass") {
				t.Errorf("%+v", got)
			}
		})
	}
}

// countingResolver counts what it is asked.
type countingResolver struct {
	*resolver.Resolver
	asked chan string
}

func (r countingResolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	r.asked <- name
	return r.Resolver.LookupTXT(ctx, name)
}

// TestQuestionsAreBounded lets everything that may ask ask as much as it can.
func TestQuestionsAreBounded(t *testing.T) {
	server := dnstest.New(t)
	includes := ""
	for i := range 10 {
		includes += fmt.Sprintf(" include:s%d.b.example", i)
		server.AddTXT(fmt.Sprintf("s%d.b.example", i), "v=spf1 exists:%{l}.c.example ?all")
	}
	server.AddTXT("b.example", "v=spf1"+includes+" -all")
	message := strings.Builder{}
	for i := range 60 {
		fmt.Fprintf(&message, "DKIM-Signature: v=1; a=rsa-sha256; d=d%d.example; s=s; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n", i)
	}
	message.WriteString("From: a@" + strings.Repeat("x.", 60) + "example\r\n\r\n")
	r, err := resolver.New(resolver.Config{Servers: []string{server.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	counting := countingResolver{r, make(chan string, 10_000)}
	c, err := mailauth.New(mailauth.Config{Resolver: counting})
	if err != nil {
		t.Fatal(err)
	}
	check(t, c, "192.0.2.1", "h.example", "a@b.example", message.String())
	if n := len(counting.asked); n > 40 { // 10 keys, 8 policies, 11 records of SPF
		t.Errorf("%d questions", n)
	}
}

// TestDeadline has a server that never answers: all questions together may take the Timeout.
func TestDeadline(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	r, err := resolver.New(resolver.Config{Servers: []string{silent.LocalAddr().String()}, Timeout: time.Second, Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	c, err := mailauth.New(mailauth.Config{Resolver: r, Timeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	message := newEd25519(t).sign(t, letter, dkim.SignOptions{Domain: "sender.example"})
	got := check(t, c, "192.0.2.1", "h.example", "ann@sender.example", message)
	if got.SPF.Result != inbound.ResultTempError || got.DMARC.Result != inbound.ResultTempError ||
		words(got.DKIM) != "temperror" || got.IPRev.Result != inbound.ResultTempError {
		t.Errorf("%+v", got)
	}
}

// brokenReader fails behind the header, as a disk may.
type brokenReader struct{ header string }

func (r brokenReader) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(r.header)) {
		return 0, io.ErrUnexpectedEOF
	}
	return copy(p, r.header[off:]), nil
}

// TestUnreadable is trouble of ours: no result is made up.
func TestUnreadable(t *testing.T) {
	server := dnstest.New(t)
	head := newEd25519(t).sign(t, letter, dkim.SignOptions{Domain: "sender.example"})
	head = head[:strings.Index(head, "\r\n\r\n")+4]
	env := &inbound.Envelope{RemoteIP: netip.MustParseAddr("192.0.2.1"), ReceivedAt: received}
	if got, err := newChecker(t, server).Check(context.Background(), env, brokenReader{head}, int64(len(head))+100); err == nil {
		t.Errorf("%+v", got)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if got, err := newChecker(t, server).Check(ended, env, strings.NewReader(letter), int64(len(letter))); err == nil {
		t.Errorf("after the end: %+v", got)
	}
}
