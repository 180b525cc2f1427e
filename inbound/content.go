package inbound

import (
	"bytes"
	"errors"
	"syscall"
)

// content takes the octets of one message, dot-unstuffed, checks the limits and fills the body. After the first
// refusal it keeps nothing more but goes on counting: the rest has to be read anyway, lest it be taken for commands.
type content struct {
	cfg    *Config
	body   *body
	binary bool // it has no lines to speak of (RFC 3030 section 3)

	limit int64 // octets that the recipients take

	size     int64
	line     int  // octets of the current line so far
	cr       bool // the last octet was a CR
	inHeader bool
	match    int // octets of receivedName that the current line began with; -1: it is another field
	received int

	overAll bool     // it is larger than any recipient's may be
	refusal *refusal // first reason to refuse; nil: none so far
	err     error    // what was wrong with the temporary file, for the log
}

const receivedName = "received:"

func newContent(cfg *Config, space space, tx *transaction) *content {
	return &content{cfg: cfg, limit: tx.limit, body: newBody(cfg, space, tx.mail.size), binary: tx.mail.binary, inHeader: true}
}

// write takes some octets of one line: an LF stands at the end of p or not at all.
func (c *content) write(p []byte) {
	if len(p) == 0 {
		return
	}
	ends := p[len(p)-1] == '\n'
	if c.inHeader {
		c.header(p)
	}
	if c.cfg.RefuseBareLineEnds && !c.binary && c.hasBareLineEnd(p, ends) {
		c.refuse(refuseLineEnds)
	}
	c.line += len(p)
	if c.line > c.cfg.MaxLineLength && !c.binary {
		c.refuse(refuseLongLine)
	}
	if ends {
		if c.line == 1 || c.line == 2 && (c.cr || p[0] == '\r') {
			c.inHeader = false
		}
		c.line, c.match = 0, 0
	}
	c.cr = p[len(p)-1] == '\r'
	c.size += int64(len(p))
	switch {
	case c.overAll: // it is said, once for all lines that follow
	case c.size > c.cfg.MaxMessageSize:
		c.overAll = true
		c.refuse(refuseTooLarge.atMost(c.cfg.MaxMessageSize))
	case c.size > c.limit && (c.refusal == nil || c.refusal.reason != reasonSize):
		c.refuse(refuseTooLargeHere.atMost(c.limit))
	}
	if c.refusal != nil {
		return
	}
	if _, err := c.body.Write(p); err != nil {
		c.fail(err)
	}
}

// header counts Received fields (RFC 5321 section 6.3).
func (c *content) header(p []byte) {
	for i := 0; i < len(p) && c.match >= 0; i++ {
		octet := p[i]
		if octet >= 'A' && octet <= 'Z' {
			octet += 'a' - 'A'
		}
		if octet != receivedName[c.match] {
			c.match = -1
			return
		}
		if c.match++; c.match < len(receivedName) {
			continue
		}
		c.match = -1
		if c.received++; c.received > c.cfg.MaxReceived {
			c.refuse(refuseLoop)
		}
	}
}

func (c *content) hasBareLineEnd(p []byte, ends bool) bool {
	if c.cr && p[0] != '\n' {
		return true
	}
	if crlf := len(p) >= 2 && p[len(p)-2] == '\r' || len(p) == 1 && c.cr; ends && !crlf {
		return true
	}
	if bytes.IndexByte(p, 0) >= 0 {
		return true
	}
	i := bytes.IndexByte(p, '\r')
	return i >= 0 && i < len(p)-1 && p[i+1] != '\n'
}

// finish ends the content. The reply to give is refusal, nil when all is well.
func (c *content) finish() {
	if c.cr && c.cfg.RefuseBareLineEnds && !c.binary {
		c.refuse(refuseLineEnds)
	}
	if c.refusal == nil {
		if err := c.body.finish(); err != nil {
			c.fail(err)
		}
	}
}

// fail refuses for trouble of ours.
func (c *content) fail(err error) {
	if c.refusal == nil {
		c.err = err
	}
	switch {
	case errors.Is(err, errNoSpace):
		c.err = nil // no trouble: a cap
		c.refuse(refuseFlight)
	case errors.Is(err, syscall.ENOSPC):
		c.refuse(refuseFull)
	default:
		c.refuse(refuseTrouble)
	}
}

// refuse keeps the first reason, except that a message over the size limit is told so whatever else is wrong, and
// frees the body.
func (c *content) refuse(r *refusal) {
	if c.refusal == nil || r.reason == reasonSize {
		c.refusal = r
	}
	c.body.release()
}

func (c *content) release() { c.body.release() }
