package inbound

import (
	"bufio"
	"errors"
	"net"
	"os"
	"time"
)

const (
	readBuffer     = 32 << 10
	maxCommandLine = 4 << 10 // RFC 5321 section 4.5.3.1.4 asks for 512, extensions add to it
)

// errStopping says that the server shuts down and the connection was waiting for a command.
var errStopping = errors.New("server is shutting down")

// socket is conn as reader reads it: the octets of the peer.
type socket conn

func (s *socket) Read(p []byte) (int, error) {
	c := (*conn)(s)
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	return c.receive(p)
}

// metered counts the octets read from a connection, those of TLS records included.
type metered struct {
	net.Conn
	read *int64
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	*m.read += int64(n)
	return n, err
}

// receive reads from the peer. Replies are written first: the peer may be waiting for them (RFC 2920 section 3.2).
func (c *conn) receive(p []byte) (int, error) {
	if err := c.flush(); err != nil {
		return 0, err
	}
	if err := c.arm(); err != nil {
		return 0, err
	}
	before, began := c.read, time.Now()
	n, err := c.wire.Read(p)
	c.pace.waited(time.Since(began))
	if n > 0 {
		c.unproven.noteRead(before, c.read)
		return n, nil
	}
	return 0, err
}

// arm sets the deadline of the next read, under the lock that stop takes, so that no wake-up is lost.
func (c *conn) arm() error {
	due := c.due
	if due.IsZero() {
		due = time.Now().Add(c.srv.cfg.DataIdleTimeout)
	}
	if floor, ok := c.pace.due(c, time.Now()); ok && floor.Before(due) {
		due = floor
	}
	if end := c.opened.Add(c.srv.cfg.SessionTimeout); end.Before(due) {
		due = end
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping && !c.busy || c.evicted {
		return errStopping
	}
	return c.raw.SetReadDeadline(due)
}

// flush writes the pending replies.
func (c *conn) flush() error {
	if len(c.out) == 0 || c.silent {
		c.out = c.out[:0]
		return nil
	}
	if c.implicit {
		if err := c.startTLS(); err != nil {
			return err
		}
	}
	c.said.replies(c.out)
	c.unproven.writing(c)
	c.raw.SetWriteDeadline(time.Now().Add(c.srv.cfg.CommandTimeout))
	_, err := c.wire.Write(c.out)
	c.out = c.out[:0]
	if err != nil {
		c.silent, c.dead = true, true
		return err
	}
	if c.unproven.written() {
		c.srv.cfg.Step("replied")
	}
	return nil
}

// readCommand reads a line and gives it without its line end. A refusal is about the line alone.
func (c *conn) readCommand() (string, *refusal, error) {
	c.due = time.Now().Add(c.srv.cfg.CommandTimeout) // for the whole line: trickling does not prolong it
	c.setAwaiting(true)
	defer c.setAwaiting(false)
	if err := c.await(); err != nil {
		return "", nil, err
	}
	line, err := c.reader.ReadSlice('\n')
	c.due = time.Time{}
	if errors.Is(err, bufio.ErrBufferFull) {
		c.dead, c.linger = true, true // where the next command begins is not worth finding out
		return "", refuseLongCommand, nil
	}
	if err != nil {
		return "", nil, err
	}
	if len(line) > maxCommandLine {
		c.doubtChunk(string(line[:8]))
		return "", refuseLongCommand, nil
	}
	if len(line) < 2 || line[len(line)-2] != '\r' {
		c.doubtChunk(string(line))
		return "", refuseBareLine, nil // RFC 5321 section 2.3.8
	}
	return string(line[:len(line)-2]), nil, nil
}

// await waits for the peer's next octet, without a read buffer while nothing is there.
func (c *conn) await() error {
	if c.reader != nil && c.reader.Buffered() > 0 {
		return nil
	}
	c.releaseReader()
	n, err := c.receive(c.first[:])
	if err != nil {
		return err
	}
	c.ahead = c.first[:n]
	c.reader = c.srv.readers.Get().(*bufio.Reader)
	c.reader.Reset((*socket)(c))
	return nil
}

func (c *conn) releaseReader() {
	if c.reader == nil {
		return
	}
	c.reader.Reset(nil)
	c.srv.readers.Put(c.reader)
	c.reader = nil
}

// readFailed ends the conversation after a read that failed outside a message.
func (c *conn) readFailed(err error) {
	switch {
	case errors.Is(err, errStopping), c.isStopping() && errors.Is(err, os.ErrDeadlineExceeded):
		c.refuse(c.farewell())
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.refuse(refuseIdle)
	default: // the peer left
		c.dead = true
	}
}
