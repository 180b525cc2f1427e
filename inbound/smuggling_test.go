package inbound_test

import (
	"strings"
	"testing"
)

// smuggled is what an attacker would like to have run as commands.
const smuggled = "MAIL FROM:<evil@sender.example>\r\nRCPT TO:<victim@in.example.com>\r\nDATA\r\nsmuggled\r\n"

// lookAlikes resemble the end of the data.
var lookAlikes = []string{
	"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r.\n", "\n.\r",
	"\n\n.\n\n", "\n\n.\r\n", "\r\r.\r\r", "\r\r.\r\n", "\r\n.\r\r\n", "\r\n\x00.\r\n", "\r\n.\x00\r\n",
	"\r\n.\r\x00\n", "\r\x00\n.\r\n", "\r\n. \r\n", "\r\n .\r\n", "\r\n.\t\r\n", "\r\n\x0b.\r\n", "\x85.\x85",
	"\r\n.\n\r\n", "\r\n.\n.\r\n..\n", "\r\n\xff.\r\n",
}

// TestSmuggling holds every look-alike of the end of the data against the one true end: it is content, kept octet by
// octet, and what follows it is content too. That in every way to speak to
// the server, by DATA.
func TestSmuggling(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			e := serve(t, nil)
			p := way.connect(t, e)
			for i, lookAlike := range lookAlikes {
				sent := "Subject: x\r\n\r\nbefore" + lookAlike + smuggled + "after\r\n"
				p.begin()
				p.send(sent + ".\r\n")
				p.expect("250 2.0.0 OK queued as msg_")
				mails := e.spool.all()
				if len(mails) != i+1 {
					t.Fatalf("%q: %d messages, want %d", lookAlike, len(mails), i+1)
				}
				// The reference: a dot goes where a line begins with it, a line being what follows CR LF.
				want := strings.ReplaceAll(sent, "\r\n.", "\r\n")
				if got := mails[i].body; got != want {
					t.Errorf("%q: body\n%q, want\n%q", lookAlike, got, want)
				}
			}
			p.do("QUIT", "221 ")
			p.closed()
		})
	}
}

// TestTrueEnds are odd contents that do hold a true end.
func TestTrueEnds(t *testing.T) {
	tests := []struct{ name, sent, want string }{
		{"empty", ".\r\n", ""},
		{"one line", "a\r\n.\r\n", "a\r\n"},
		{"CR CR LF before", "a\r\r\n.\r\n", "a\r\r\n"},
		{"CR LF CR CR LF before", "a\r\n\r\r\n.\r\n", "a\r\n\r\r\n"},
		{"LF CR LF before", "a\n\r\n.\r\n", "a\n\r\n"},
		{"dots", "..\r\n...\r\n.a\r\n.\r\n", ".\r\n..\r\na\r\n"},
		{"dot CR X keeps the CR", ".\rX\r\n.\r\n", "\rX\r\n"},
		{"dot CR CR LF", ".\r\r\n.\r\n", "\r\r\n"},
		{"dot LF", ".\n.\r\n\r\n.\r\n", "\n.\r\n\r\n"},
		{"NUL", "\x00\r\n\x00\r\n.\r\n", "\x00\r\n\x00\r\n"},
		{"bare dots in a long line", strings.Repeat(".", 40000) + "\r\n.\r\n", strings.Repeat(".", 39999) + "\r\n"},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			e := serve(t, nil)
			p := way.connect(t, e)
			for i, test := range tests {
				p.begin()
				p.send(test.sent + "NOOP\r\n") // behind a true end commands go on
				p.expect("250 2.0.0 OK queued as")
				p.expect("250 2.0.0 I have")
				if got := e.spool.all()[i].body; got != test.want {
					t.Errorf("%s: body %.100q, want %.100q", test.name, got, test.want)
				}
			}
		})
	}
}

// TestOctetByOctet sends each octet in a segment of its own, so that every boundary falls between two reads.
func TestOctetByOctet(t *testing.T) {
	e := serve(t, nil)
	p := ways[0].connect(t, e)
	const sent = "a\r\r\n..b\r.\r\n\n.\r\n.\rx\r\n.\r\n"
	const want = "a\r\r\n.b\r.\r\n\n.\r\n\rx\r\n"
	p.begin()
	for i := range len(sent) {
		p.send(sent[i : i+1])
	}
	p.expect("250 2.0.0 OK queued")
	if got := e.spool.all()[0].body; got != want {
		t.Errorf("body %q, want %q", got, want)
	}
}
