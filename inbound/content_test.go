package inbound_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound"
)

// filler makes content of exactly n octets in lines.
func filler(n int) string {
	line := strings.Repeat("x", 98) + "\r\n"
	return (strings.Repeat(line, n/len(line)) + strings.Repeat("y", n%len(line)))[:n]
}

// TestSizeLimit: the limit itself is accepted, one octet more is not, by DATA and by BDAT, and what follows an
// oversize message is still content.
func TestSizeLimit(t *testing.T) {
	const limit = 100_000
	exact := filler(limit-2) + "\r\n"
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			e := serve(t, func(c *inbound.Config) { c.MaxMessageSize = limit })
			p := way.connect(t, e)
			p.begin()
			p.send(exact + ".\r\n")
			p.expect("250 2.0.0 OK queued")
			p.begin()
			p.send("z" + exact + smuggled + "\n.\r\n" + smuggled + ".\r\n")
			p.expect("552 5.3.4")
			p.do("NOOP", "250")

			p.transaction()
			p.send(fmt.Sprintf("BDAT %d LAST\r\n%s", limit, exact))
			p.expect("250 2.0.0 OK queued")
			p.transaction()
			p.send(fmt.Sprintf("BDAT %d\r\n%sBDAT %d LAST\r\n%s", limit, exact, len(smuggled), smuggled))
			p.expect("250 2.0.0 100000 octets")
			p.expect("552 5.3.4")
			p.do("NOOP", "250")
			p.transaction()
			p.send(fmt.Sprintf("BDAT %d\r\n%sBDAT %d LAST\r\n%s", limit+1, exact+"z", len(smuggled), smuggled))
			p.expect("552 5.3.4")
			p.expect("503 5.5.1") // the rest of a message that is refused already
			p.do("NOOP", "250")

			if mails := e.spool.all(); len(mails) != 2 || mails[0].body != exact || mails[1].body != exact {
				t.Errorf("%d messages were stored, want 2 of the exact size", len(mails))
			}
		})
	}
}

func TestContentRefused(t *testing.T) {
	received := func(n int) string { return strings.Repeat("RECEIVED: from a\r\n\tby b\r\n", n) }
	tests := []struct {
		name    string
		content string
		change  func(*inbound.Config)
		reply   string
	}{
		{"line of 64 KiB", strings.Repeat("x", 64<<10-2) + "\r\n", nil, "250 2.0.0"},
		{"line of 64 KiB and one", strings.Repeat("x", 64<<10-1) + "\r\n" + smuggled, nil, "554 5.6.0"},
		{"no line end for long", strings.Repeat("x", 1<<20) + "\r\n", nil, "554 5.6.0"},
		{"50 Received", received(50) + "\r\n", nil, "250 2.0.0"},
		{"51 Received", received(51) + "\r\n", nil, "554 5.4.6"},
		{"51 Received in the body", received(50) + "\r\n" + received(51), nil, "250 2.0.0"},
		{"51 Received with bare LF", strings.ReplaceAll(received(51), "\r", "") + "\r\n", nil, "554 5.4.6"},
		{"51 look-alikes", strings.Repeat("Received-SPF: x\r\nReceive\x1a\r\n", 51) + "\r\n", nil, "250 2.0.0"},
		{"bare CR kept", "a\rb\r\n", nil, "250 2.0.0"},
		{"bare CR", "a\rb\r\n", strict, "550 5.6.0"},
		{"bare LF", "a\nb\r\n", strict, "550 5.6.0"},
		{"LF alone", "\n\r\n", strict, "550 5.6.0"},
		{"NUL", "a\x00b\r\n", strict, "550 5.6.0"},
		{"CR CR LF", "a\r\r\n", strict, "550 5.6.0"},
		{"clean", "a\r\n\r\nb\r\n", strict, "250 2.0.0"},
		{"no temporary file", filler(2<<20) + "\r\n", func(c *inbound.Config) { c.TempDir = "/nonexistent" }, "451 4.3.0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := serve(t, test.change)
			p := ways[0].connect(t, e)
			p.begin()
			p.send(test.content + ".\r\n")
			p.expect(test.reply)
			p.do("NOOP", "250")
			p.transaction()
			p.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(test.content), test.content))
			p.expect(test.reply)
			p.do("NOOP", "250")
			want := 0
			if strings.HasPrefix(test.reply, "250") {
				want = 2
			}
			mails := e.spool.all()
			if len(mails) != want {
				t.Fatalf("%d messages, want %d", len(mails), want)
			}
			for _, mail := range mails {
				if mail.body != test.content {
					t.Errorf("stored %d octets that differ from the %d sent", len(mail.body), len(test.content))
				}
			}
		})
	}
}

func strict(c *inbound.Config) { c.RefuseBareLineEnds = true }

// TestBodyPlaces: bodies lie in memory up to a bound, then in a file; the file has no name and is gone in every case.
func TestBodyPlaces(t *testing.T) {
	dir := t.TempDir()
	var refused bool
	e := serve(t, func(c *inbound.Config) {
		c.TempDir = dir
		c.MemoryPerMessage = 100_000
		c.MemoryTotal = 300_000
		c.Spool.(*spool).accept = func(_ context.Context, _ *inbound.Envelope, _ inbound.Body) error {
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
				t.Errorf("a temporary file has a name: %v %v", entries, err)
			}
			if refused {
				return errors.New("refused")
			}
			return nil
		}
	})
	p := ways[0].connect(t, e)
	for _, test := range []struct {
		size int
		file bool
	}{{0, false}, {1, false}, {16 << 10, false}, {16<<10 + 1, false}, {100_000, false}, {100_001, true}, {1_000_000, true}} {
		for _, declared := range []string{"", fmt.Sprintf(" SIZE=%d", test.size)} {
			p.do("MAIL FROM:<>"+declared, "250")
			p.do("RCPT TO:<bob@in.example.com>", "250")
			content := filler(test.size)
			p.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(content), content))
			p.expect("250 2.0.0 OK")
			mails := e.spool.all()
			last := mails[len(mails)-1]
			if last.body != content || last.file != test.file {
				t.Errorf("%d octets%s: file %v, want %v; %d stored", test.size, declared, last.file, test.file, len(last.body))
			}
		}
	}
	refused = true
	p.begin()
	p.send(filler(200_000) + "\r\n.\r\n")
	p.expect("451 4.3.0")
	p.do("NOOP", "250")
}

// TestMemoryTotal: when the messages of all connections fill the memory set aside, the next one goes to a file, and
// memory is given back when a message is done.
func TestMemoryTotal(t *testing.T) {
	e := serve(t, func(c *inbound.Config) { c.MemoryTotal = 400_000 }) // one source may hold half
	holder, other := ways[0].connect(t, e), ways[0].connect(t, e)
	holder.transaction()
	content := filler(120_000)
	holder.send(fmt.Sprintf("BDAT %d\r\n%s", len(content), content))
	holder.expect("250 2.0.0 120000") // held in memory between two chunks
	accepted := func(p *peer, file bool) {
		t.Helper()
		p.begin()
		p.send(content + "\r\n.\r\n")
		p.expect("250 2.0.0 OK")
		mails := e.spool.all()
		if got := mails[len(mails)-1]; got.file != file || got.body != content+"\r\n" {
			t.Errorf("in a file: %v, want %v", got.file, file)
		}
	}
	accepted(other, true)
	holder.do("RSET", "250")
	accepted(other, false)
	accepted(other, false)
}

// TestDiskFull: the watermark is told before any octet of data comes.
func TestDiskFull(t *testing.T) {
	full := false
	e := serve(t, func(c *inbound.Config) { c.DiskFull = func() bool { return full } })
	p := ways[0].connect(t, e)
	full = true
	p.do("MAIL FROM:<a@b>", "452 4.3.1")
	full = false
	p.transaction()
	full = true
	p.do("DATA", "452 4.3.1")
	full = false
	p.do("DATA", "354")
	p.send(".\r\n")
	p.expect("250 2.0.0 OK queued as msg_1")
}

// TestDiskFullAtAChunk: room that is found between two pipelined chunks makes no message without its beginning.
func TestDiskFullAtAChunk(t *testing.T) {
	checks := 0
	e := serve(t, func(c *inbound.Config) {
		c.DiskFull = func() bool {
			checks++
			return checks == 2 // MAIL, then the first chunk
		}
	})
	p := ways[0].connect(t, e)
	p.transaction()
	p.send("BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n")
	p.expect("452 4.3.1")
	p.expect("503 5.5.1")
	p.transaction()
	p.send("BDAT 5 LAST\r\nwhole")
	p.expect("250 2.0.0 OK queued as msg_1")
}

// TestSpoolTrouble: what the peer hears is a Reply or nothing of the cause.
func TestSpoolTrouble(t *testing.T) {
	var trouble error
	e := serve(t, func(c *inbound.Config) {
		c.Spool.(*spool).accept = func(context.Context, *inbound.Envelope, inbound.Body) error { return trouble }
	})
	p := ways[0].connect(t, e)
	full := &inbound.Reply{Code: 452, Status: [3]int{4, 3, 1}, Text: "Full"}
	ugly := &inbound.Reply{Code: 554, Status: [3]int{5, 7, 1}, Text: "No\r\n250 2.0.0 yes\xff" + strings.Repeat("x", 1000)}
	for _, test := range []struct {
		err  error
		want string
	}{
		{errors.New("/var/lib/secret: input/output error"), "451 4.3.0 Local trouble, please try again later"},
		{full, "452 4.3.1 Full"},
		{fmt.Errorf("committing: %w", full), "452 4.3.1 Full"},
		{ugly, "554 5.7.1 No??250 2.0.0 yes?xxx"},
	} {
		trouble = test.err
		p.begin()
		p.send("x\r\n.\r\n")
		if reply := p.expect(test.want); strings.Contains(reply, "secret") || len(reply) > 510 {
			t.Errorf("reply %q", reply)
		}
	}
	trouble = &inbound.Reply{Code: 421, Status: [3]int{4, 3, 2}, Text: "Leaving"}
	p.begin()
	p.send("x\r\n.\r\nNOOP\r\n")
	p.expect("421 4.3.2 Leaving")
	p.closed()
	if n := len(e.spool.all()); n != 0 {
		t.Errorf("%d messages", n)
	}
}
