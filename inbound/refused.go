package inbound

import (
	"log/slog"
	"net/netip"
	"slices"
)

// Refusal is a reply of 4yz or 5yz as [Config.Refused] hears of it. It is good during the call alone.
type Refusal struct {
	Reply       *Reply
	Reason      string // the label of the metric
	Listener    string // its name
	RemoteIP    netip.Addr
	Helo        string
	TLS         string      // version; empty: in clear
	ReversePath Path        // zero: the null one, or there was none yet
	ForwardPath Path        // the one that was refused, else the first that was accepted; zero: there was none yet
	Recipients  []Recipient // that were accepted before

	conn  *conn
	found []slog.Attr
}

// Found is what was found out about client or content, by a name.
func (r *Refusal) Found() map[string]string {
	if len(r.found) == 0 {
		return nil
	}
	found := make(map[string]string, len(r.found))
	for _, a := range r.found {
		found[a.Key] = a.Value.String()
	}
	return found
}

// Session is what was said on the connection up to the reply, see [Envelope].
func (r *Refusal) Session() string {
	return r.conn.said.text(r.Reply.appendTo(slices.Clip(r.conn.out), r.conn.smtputf8()))
}

// reversePath is that of the transaction, or of the MAIL that is being answered.
func (c *conn) reversePath() Path {
	if c.tx != nil {
		return c.tx.mail.path
	}
	return c.mail.path
}

// tell has [Config.Refused] hear of a refusal.
func (c *conn) tell(r *refusal) {
	if c.srv.cfg.Refused == nil {
		return
	}
	told := Refusal{
		Reply: r.Reply, Reason: r.reason, Listener: c.listener.Name, RemoteIP: c.remote, Helo: c.helo,
		ReversePath: c.reversePath(), ForwardPath: c.rcpt, conn: c, found: r.found,
	}
	if c.tls != nil {
		told.TLS = c.tls.Version
	}
	if c.tx != nil {
		told.Recipients = c.tx.recipients
		if told.ForwardPath == (Path{}) && len(c.tx.recipients) > 0 {
			told.ForwardPath = c.tx.recipients[0].Path
		}
	}
	c.srv.cfg.Refused(&told)
}
