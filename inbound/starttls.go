package inbound

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"
)

// TLSMode says when the connections of a listener speak TLS.
type TLSMode int

// The TLS modes of a listener.
const (
	TLSNone     TLSMode = iota // never; STARTTLS is not offered
	TLSStartTLS                // once the peer says STARTTLS (RFC 3207)
	TLSImplicit                // from the first octet (RFC 8314 section 3)
)

// startTLSCommand answers STARTTLS (RFC 3207). Octets that came in clear behind the command are an attempt to smuggle
// commands into the protected session, or a client that is beyond help: the connection ends.
func (c *conn) startTLSCommand(arg string) *refusal {
	switch {
	case c.tls != nil:
		return refuseTLSRunning
	case c.listener.TLS != TLSStartTLS:
		return refuseTLSOff
	case !c.srv.cfg.TLSReady():
		return refuseTLSNotReady
	case arg != "":
		return refuseArgument
	case !c.greeted:
		return refuseNoHello
	case c.reader.Buffered() > 0 || len(c.ahead) > 0:
		c.dead, c.linger = true, true
		return refuseTLSInjection
	}
	c.out = append(c.out, "220 2.0.0 Ready to start TLS\r\n"...)
	if c.flush() != nil {
		return nil
	}
	// Section 4.2: forget all that was said in clear. The budgets stay.
	c.releaseReader()
	c.greeted, c.helo = false, ""
	c.setAwaiting(true) // who stalls here gets nowhere either
	err := c.startTLS()
	c.setAwaiting(false)
	if err != nil {
		return nil
	}
	c.passMuted("RSET")
	return nil
}

// startTLS makes the handshake as the server. When it fails the connection is of no use: nothing in clear may follow
// a 220, and a peer that wants implicit TLS reads nothing in clear. Failures are everyday life with strangers: a metric and a debug line.
func (c *conn) startTLS() error {
	c.implicit, c.silent, c.dead = false, true, true
	c.due = time.Now().Add(c.srv.cfg.CommandTimeout)
	if err := c.arm(); err != nil {
		return err
	}
	c.raw.SetWriteDeadline(c.due)
	conn := tls.Server(metered{c.raw, &c.read}, c.srv.cfg.TLS)
	if err := conn.HandshakeContext(c.ctx); err != nil {
		c.srv.metrics.refused.WithLabelValues(reasonTLS).Inc()
		c.srv.cfg.Log.LogAttrs(context.Background(), slog.LevelDebug, "tls handshake failed", c.attrs(slog.Any("error", err))...)
		return fmt.Errorf("TLS handshake: %w", err)
	}
	c.silent, c.dead = false, false
	c.wire = conn
	c.tls = describeTLS(conn.ConnectionState())
	return nil
}
