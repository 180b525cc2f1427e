package inbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/letterhook/letterhook/inbound/guard"
)

// conn is the connection as go-smtp sees it: a net.Conn that yields one clean command line at a time and takes replies.
// Between the two it is the edge itself. It owns TLS (STARTTLS is answered here), the content of DATA and of BDAT, all
// limits and deadlines, and the order of commands. go-smtp never holds an octet of a message, so there is nothing of
// one that it could take for a command.
//
// go-smtp runs a connection in one goroutine, which calls Read, Write, Close and the methods of [session]. That
// goroutine owns every field but those under mu.
type conn struct {
	srv      *Server
	listener *Listener
	raw      net.Conn      // the TCP connection, or that of a unix socket
	addr     net.Addr      // of the client: of raw, or what the proxy said
	remote   netip.Addr    // its IP address; the zero Addr for a unix socket
	counted  []guard.Scope // the networks that it is counted for; none for a unix socket
	met      bool          // the greeting may go out
	stranger bool          // the budgets of sources hold for it
	opened   time.Time
	ctx      context.Context // of the Server: go-smtp hands none to a session

	wire        net.Conn // raw, or TLS over it, metered
	read        int64    // octets read from raw
	behindProxy bool     // the PROXY header is still to be read
	tls         *TLS     // nil while in clear
	implicit    bool     // the TLS handshake is still to be made

	reader *bufio.Reader // nil while the peer is idle, to give the memory back
	ahead  []byte        // octets in first that reader has not got yet
	first  [512]byte     // where the first octets after idleness arrive
	due    time.Time     // when the next octet must have come; zero: DataIdleTimeout after the read begins

	said transcript
	feed []byte // what go-smtp reads next
	line []byte // where feed lies
	out  []byte // replies not yet written
	verb string // command that go-smtp is answering
	mute bool   // its reply is not for the peer

	helo    string            // argument of the last HELO or EHLO
	esmtp   bool              // it was EHLO
	greeted bool              // HELO or EHLO succeeded since the connection or TLS began
	user    string            // who logged in; empty: nobody
	known   *Reputation       // what the lists say of the client; nil: nobody was asked
	asked   bool              // they were
	traced  trace.SpanContext // of the first message that is traced; the zero value: none yet
	mail    mailCommand       // that is being answered
	rcpt    Path
	tx      *transaction // nil: none

	errors, unknown, commands, messages int // what counts against the budgets; TLS does not reset them

	pace     pace    // of the content of a message
	unproven receipt // messages whose 250 the peer may not have read

	silent bool // nothing may be written any more
	dead   bool // nothing more is read; the next Read writes the replies and ends the conversation
	linger bool // the peer may still be sending: give it time to read the last reply
	closed bool

	mu       sync.Mutex
	stopping bool      // the server shuts down: no new transaction
	busy     bool      // a transaction is under way
	awaiting bool      // a command is awaited
	evicted  bool      // the place was given to another
	progress time.Time // when the connection began or had a message accepted

	leaving bool // it was evicted and does not count any more; under the mutex of the Server
}

// Read gives go-smtp its next command line.
func (c *conn) Read(p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			c.panicked("read", v)
			c.out = refusePanic.appendTo(c.out, false)
			c.flush()
			n, err = 0, io.EOF
		}
	}()
	if c.closed {
		return 0, net.ErrClosed
	}
	if len(c.feed) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n = copy(p, c.feed)
	c.feed = c.feed[n:]
	return n, nil
}

// next reads commands until one is to be executed by go-smtp.
func (c *conn) next() error {
	c.verb, c.mute = "", false
	if c.behindProxy {
		c.meetClient()
	}
	if !c.met {
		c.met = true
		c.greetLate()
	}
	for !c.dead {
		if c.isStopping() {
			c.refuse(c.farewell())
			break
		}
		line, refusal, err := c.readCommand()
		switch {
		case err != nil:
			c.readFailed(err)
		case refusal != nil:
			c.refuse(refusal)
		default:
			c.execute(line)
		}
		if len(c.feed) > 0 {
			return nil
		}
	}
	c.flush()
	return io.EOF
}

// pass hands a command to go-smtp, which answers it.
func (c *conn) pass(verb, arg string) {
	c.verb = verb
	c.line = append(c.line[:0], verb...)
	if arg != "" {
		c.line = append(c.line, ' ')
		c.line = append(c.line, arg...)
	}
	c.line = append(c.line, "\r\n"...)
	c.feed = c.line
}

// passMuted has go-smtp execute a command that the peer did not send, and drops its reply.
func (c *conn) passMuted(verb string) {
	c.pass(verb, "")
	c.mute = true
}

// Write takes a reply line of go-smtp.
func (c *conn) Write(p []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	if !c.mute {
		c.out = c.edit(c.out, p)
	}
	if len(c.out) >= maxPendingReplies {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Close writes what is left to write and ends the connection.
func (c *conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	if c.tx != nil {
		c.tx.release()
	}
	c.flush()
	c.releaseReader()
	if c.linger {
		c.lingerOn()
	}
	c.srv.forget(c) // before the peer can see the end and come again
	return c.wire.Close()
}

// lingerOn lets the peer read our last reply. Closing at once while it is still sending would reset the connection,
// and the reply would be lost with it.
func (c *conn) lingerOn() {
	type halfCloser interface{ CloseWrite() error }
	if half, ok := c.wire.(halfCloser); ok { // TLS alone is one
		_ = half.CloseWrite() // the alert of TLS
	}
	half, ok := c.raw.(halfCloser)
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.raw.SetReadDeadline(time.Now().Add(lingerTimeout))
	_, _ = io.CopyN(io.Discard, c.raw, lingerOctets) // until the peer or the time ends it
}

const (
	maxPendingReplies = 4 << 10
	lingerTimeout     = time.Second
	lingerOctets      = 1 << 20
)

// LocalAddr implements [net.Conn].
func (c *conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr implements [net.Conn].
func (c *conn) RemoteAddr() net.Addr { return c.addr }

// SetDeadline does nothing: the deadlines are ours, not go-smtp's.
func (c *conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, see SetDeadline.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, see SetDeadline.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// client is the address of the client, for goroutines other than the connection's own.
func (c *conn) client() netip.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remote
}

// farewell says why the connection is to end.
func (c *conn) farewell() *refusal {
	switch {
	case c.isEvicted():
		return refuseEvicted
	case c.srv.levers.BlocksClient(c.remote):
		return refuseBlocked
	case c.srv.levers.Draining():
		return refuseDraining
	}
	return refuseShutdown
}

// newContent begins the content of a message.
func (c *conn) newContent() *content {
	_, c.tx.data = c.step("smtp data")
	return newContent(&c.srv.cfg, space{c.srv.memory, c.srv.files, guard.Source(c.remote), &c.srv.writing}, c.tx)
}

// isStopping says whether the connection is to end because the server shuts down and no transaction is under way.
func (c *conn) isStopping() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopping && !c.busy || c.evicted
}

// stop asks the connection to end: now if it is idle, else after its transaction.
func (c *conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	if !c.busy {
		c.raw.SetReadDeadline(time.Unix(1, 0)) // wakes a waiting read
	}
}

// cut ends the connection whatever it does.
func (c *conn) cut() { c.raw.Close() }

func (c *conn) setBusy(busy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = busy
}

// describeTLS fills in [TLS] after a handshake.
func describeTLS(state tls.ConnectionState) *TLS {
	return &TLS{
		Version:     tls.VersionName(state.Version),
		CipherSuite: tls.CipherSuiteName(state.CipherSuite),
		ServerName:  printable(state.ServerName, maxDomain),
	}
}
