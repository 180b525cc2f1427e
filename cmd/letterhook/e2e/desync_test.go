package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// smuggled is a second mail, as a peer would hide it behind something that looks like the end of the first.
const smuggled = "MAIL FROM:<smuggler@client.example>\r\nRCPT TO:<smuggled@one.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nboo\r\n"

// limit is the message size that the servers of these tests accept, the least that the configuration allows.
const limit = 64 << 10

// lookAlikes are not the end of data: that is CR LF . CR LF alone (RFC 5321 section 4.1.1.4).
func lookAlikes() []string {
	return []string{
		"\n.\n", "\n.\r\n", "\n.\r", "\r.\r", "\r.\r\n", "\r.\n", "\r\n.\n", "\r\n.\r", "\r\n.\r\r\n", "\r\n.\n\r\n",
		"\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\n.\r\x00\n", "\r\x00\n.\r\n", "\r\n \r\n. \r\n", "\r\n..\r\n", "\n\n.\n\n", "\r\n.\x1a\r\n",
		"\n\r.\r\n", "\r\n.\x85\r\n", "\r\n\xe2\x80\xa8.\xe2\x80\xa8",
	}
}

// A trial is one dialogue of the matrix, on a connection of its own. Its mail goes to a recipient of its own.
type trial struct {
	name string
	run  func(c *client, to string)
	end  end
}

// end is how a trial ends: with one message to its recipient, with none, or with none after a timeout.
type end string

const (
	accepts end = "accepts"
	refuses end = "refuses"
	silence end = "silence"
)

// TestDesync runs every trial in clear and over STARTTLS against one server, and counts in the end what arrived.
func TestDesync(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "clear", true: "starttls"}[secure], func(t *testing.T) {
			t.Parallel()
			ctx := within(t, 2*time.Minute)
			i := &installation{starttls: true, smtp: fmt.Sprintf("  data_idle_timeout: 3s\n  max_message_size: %d\n  max_connections_per_ip: 200", limit)}
			server, in, o := startInstallation(ctx, t, i)
			dialogue := func() *client {
				c := hello(ctx, t, server.SMTP)
				if secure {
					c.startTLS(i.roots)
				}
				return c
			}
			want := try(t, trials(), dialogue)
			in.await(ctx, t, len(want))
			stopAndCheck(t, server, o)
			in.exactly(t, want...)
		})
	}
}

// try runs the trials one after the other, and then waits for the timeouts of the silent ones, which run at the same
// time. It returns the recipients whose mail was accepted.
func try(t *testing.T, trials []trial, dialogue func() *client) []string {
	var want []string
	silent := map[string]*client{}
	for n, trial := range trials {
		to := fmt.Sprintf("trial%02d@one.example", n)
		if trial.end == accepts {
			want = append(want, to)
		}
		c := dialogue()
		begun := t.Run(trial.name, func(t *testing.T) {
			c.t = t
			trial.run(c, to)
		})
		if begun && trial.end == silence {
			silent[trial.name] = c
		}
	}
	for name, c := range silent {
		t.Run(name+" for long", func(t *testing.T) {
			c.t = t
			c.stalled()
		})
	}
	return want
}

func trials() []trial {
	all := []trial{
		{"the true end after CR CR LF", func(c *client, to string) {
			c.begin(to)
			c.write("Subject: x\r\n\r\nx\r\r\n.\r\n")
			c.expect(250)
			c.inStep()
		}, accepts},
		{"an end in pieces", func(c *client, to string) {
			c.begin(to)
			c.write("Subject: x\r\n\r\nx")
			for _, octet := range "\r\n.\r\n" {
				c.write(string(octet))
			}
			c.expect(250)
			c.inStep()
		}, accepts},
		{"an empty message", func(c *client, to string) {
			c.begin(to)
			c.write(".\r\n")
			c.expect(250)
			c.inStep()
		}, accepts},
	}
	for _, look := range lookAlikes() {
		all = append(all,
			trial{fmt.Sprintf("data goes on after %q", look), func(c *client, to string) { goesOn(c, to, look) }, accepts},
			trial{fmt.Sprintf("silence after %q", look), func(c *client, to string) {
				c.begin(to)
				c.write("Subject: x\r\n\r\nx" + look + strings.TrimSuffix(smuggled, "\r\n"))
			}, silence})
	}
	all = append(all, sizeTrials()...)
	all = append(all, chunkTrials()...)
	return append(all, stateTrials()...)
}

// goesOn sends a mail with a look-alike and hidden commands in it. Its end is the first CR LF . CR LF after them; there
// is one reply, and the server is in step.
func goesOn(c *client, to, look string) {
	c.t.Helper()
	c.begin(to)
	c.write("Subject: x\r\n\r\nx" + look + smuggled + ".\r\n")
	c.expect(250)
	c.inStep()
}

// inStep shows that the server waits for a command and that its answers are to ours: VRFY gets another code than any that
// the hidden commands or their body could get.
func (c *client) inStep() {
	c.t.Helper()
	c.command(250, "NOOP")
	c.command(252, "VRFY x")
	c.quit()
}

// stalled stays silent: the server says 421 4.4.2 once and closes, and what is written then is not run.
func (c *client) stalled() {
	c.t.Helper()
	if r := c.reply(); !r.is(421, "4.4.2 ") {
		c.t.Errorf("silence is answered %q, want 421 4.4.2", r)
	}
	_, _ = io.WriteString(c.conn, "\r\n.\r\n"+smuggled+".\r\n")
	c.gone()
}

// gone is closed for a peer that wrote after the end: a reset is as good as an end.
func (c *client) gone() {
	c.t.Helper()
	rest, err := io.ReadAll(c.r)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Errorf("the connection stays open")
	}
	if len(rest) > 0 {
		c.t.Errorf("the server goes on: %q", rest)
	}
}

// filled is a mail of exactly n octets.
func filled(n int) string {
	const head = "Subject: x\r\n\r\n"
	line := strings.Repeat("x", 98) + "\r\n"
	body := strings.Repeat(line, n/len(line)+1)[:n-len(head)-2]
	if strings.HasSuffix(body, "\r") {
		body = body[:len(body)-1] + "x"
	}
	return head + body + "\r\n"
}

func sizeTrials() []trial {
	return []trial{
		{"exactly the limit", func(c *client, to string) {
			c.begin(to)
			c.write(filled(limit) + ".\r\n")
			c.expect(250)
			c.inStep()
		}, accepts},
		{"one octet more", func(c *client, to string) {
			c.begin(to)
			c.write(filled(limit+1) + ".\r\n")
			c.expect(552)
			c.inStep()
		}, refuses},
		{"far more, with commands in it", func(c *client, to string) {
			c.begin(to)
			c.write(filled(limit) + strings.Repeat("x\n.\r\n"+smuggled+"\r.\r\n", 100) + filled(limit) + ".\r\n")
			c.expect(552)
			c.inStep()
		}, refuses},
		{"silence after far more", func(c *client, to string) {
			c.begin(to)
			c.write(filled(2*limit) + "x\n.\n" + smuggled)
		}, silence},
		{"a declared size beyond the limit", func(c *client, _ string) {
			c.command(552, fmt.Sprintf("MAIL FROM:<sender@client.example> SIZE=%d", limit+1))
			c.inStep()
		}, refuses},
		{"a line beyond its limit", func(c *client, to string) {
			c.begin(to)
			c.write("Subject: x\r\n\r\n" + strings.Repeat("x", 65<<10) + "\r\n" + smuggled + ".\r\n")
			if r := c.reply(); r.code/100 != 5 {
				c.t.Errorf("a line of 65 KiB: %s, want 5xx", r)
			}
			c.inStep()
		}, refuses},
	}
}

// chunkTrials send by BDAT (RFC 3030): the octets are counted, and what they look like means nothing.
func chunkTrials() []trial {
	chunk := func(s, last string) string { return fmt.Sprintf("BDAT %d%s\r\n%s", len(s), last, s) }
	return []trial{
		{"commands in chunks", func(c *client, to string) {
			c.envelope(to)
			c.write(chunk("Subject: x\r\n\r\nx\r\n.\r\n"+smuggled, ""))
			c.expect(250)
			c.write(chunk("\r\n.\r\n"+smuggled+".\r\nQUIT\r\n", " LAST"))
			c.expect(250)
			c.inStep()
		}, accepts},
		{"a chunk without a transaction", func(c *client, _ string) {
			c.write(chunk(smuggled+".\r\n", " LAST"))
			c.expect(503)
			c.inStep()
		}, refuses},
		{"a chunk without a recipient", func(c *client, _ string) {
			c.command(250, "MAIL FROM:<sender@client.example>")
			c.write(chunk(smuggled+".\r\n", " LAST"))
			if r := c.reply(); r.code != 503 && r.code != 554 {
				c.t.Errorf("BDAT without a recipient: %s, want 503 or 554", r)
			}
			c.inStep()
		}, refuses},
		{"chunks beyond the limit", func(c *client, to string) {
			c.envelope(to)
			c.write(chunk(filled(limit), ""))
			c.expect(250)
			c.write(chunk(smuggled+".\r\n", " LAST"))
			c.expect(552)
			c.inStep()
		}, refuses},
		{"a size that is none", func(c *client, to string) {
			c.envelope(to)
			c.write("BDAT 99999999999999999999 LAST\r\n" + smuggled + ".\r\n")
			c.refusedAndClosed()
		}, refuses},
		{"a size below nothing", func(c *client, to string) {
			c.envelope(to)
			c.write("BDAT -1 LAST\r\n" + smuggled + ".\r\n")
			c.refusedAndClosed()
		}, refuses},
		{"silence within a chunk", func(c *client, to string) {
			c.envelope(to)
			c.write("BDAT 1000 LAST\r\nSubject: x\r\n\r\nx\r\n.\r\n" + strings.TrimSuffix(smuggled, "\r\n"))
		}, silence},
		{"silence within the second chunk", func(c *client, to string) {
			c.envelope(to)
			c.write(chunk("Subject: x\r\n\r\nx\r\n", ""))
			c.expect(250)
			c.write("BDAT 1000 LAST\r\n" + smuggled)
		}, silence},
		{"DATA after a chunk", func(c *client, to string) {
			c.envelope(to)
			c.write(chunk("Subject: x\r\n\r\nx\r\n", ""))
			c.expect(250)
			c.command(503, "DATA")
			c.inStep()
		}, refuses},
	}
}

// refusedAndClosed is right where the length of what follows cannot be known: it must not be run.
func (c *client) refusedAndClosed() {
	c.t.Helper()
	if r := c.reply(); r.code/100 != 5 && r.code != 421 {
		c.t.Errorf("got %s, want a refusal", r)
	}
	c.gone()
}

func stateTrials() []trial {
	return []trial{
		{"MAIL within a transaction", func(c *client, to string) {
			c.envelope(to)
			c.command(503, "MAIL FROM:<other@client.example>")
			c.command(354, "DATA")
			c.write("Subject: x\r\n\r\nx\r\n.\r\n")
			c.expect(250)
			c.inStep()
		}, accepts},
		{"DATA that is refused takes no data", func(c *client, _ string) {
			c.command(503, "DATA")
			c.inStep()
		}, refuses},
		{"the peer goes away in the data", func(c *client, to string) {
			c.begin(to)
			c.write("Subject: x\r\n\r\nwhole lines, but no end\r\n")
			_ = c.conn.Close()
		}, refuses},
		{"the peer goes away in a chunk", func(c *client, to string) {
			c.envelope(to)
			c.write("BDAT 100 LAST\r\nSubject: x\r\n\r\n")
			_ = c.conn.Close()
		}, refuses},
	}
}

// TestNothingBehindStartTLS pipelines commands behind STARTTLS in clear. They are not run under TLS, where they would look
// as if they had been protected (RFC 3207 section 6).
func TestNothingBehindStartTLS(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	i := &installation{starttls: true}
	server, in, o := startInstallation(ctx, t, i)
	for _, behind := range []string{
		"MAIL FROM:<smuggler@client.example>\r\nRCPT TO:<smuggled@one.example>\r\nDATA\r\nSubject: x\r\n\r\nboo\r\n.\r\n",
		"RSET\r\n", "EHLO x\r\n", "x",
	} {
		t.Run(strings.Fields(behind)[0], func(t *testing.T) { behindStartTLS(ctx, t, server, behind) })
	}
	c := hello(ctx, t, server.SMTP)
	c.command(250, "MAIL FROM:<sender@client.example>")
	if r := c.send([]byte(greeting), "smuggled@one.example"); r.code != 503 {
		t.Errorf("MAIL within a transaction: %s", r)
	}
	c.command(250, "RSET")
	c.startTLS(i.roots)
	if r := c.send([]byte(greeting), "secure@one.example"); r.code != 250 {
		t.Errorf("mail over TLS: %s", r)
	}
	c.quit()
	e := in.awaitFor(ctx, t, "secure@one.example")
	if e.Data.Envelope.TLS == nil || !strings.HasPrefix(e.Data.Envelope.TLS.Version, "TLS 1.") {
		t.Errorf("the event does not tell of TLS: %+v", e.Data.Envelope)
	}
	stopAndCheck(t, server, o)
	in.exactly(t, "secure@one.example")
}

// behindStartTLS wants one refusal and a close, and nothing else.
func behindStartTLS(ctx context.Context, t *testing.T, server *bench.Server, behind string) {
	c := hello(ctx, t, server.SMTP)
	c.write("STARTTLS\r\n" + behind)
	if r := c.reply(); r.code/100 != 5 && r.code != 421 {
		t.Errorf("STARTTLS with %q behind it: %s, want a refusal", behind, r)
	}
	c.gone()
}
