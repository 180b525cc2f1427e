package inbound

import "log/slog"

// refuseRecipient is the refusal of a recipient by the routes or by whom they ask.
func refuseRecipient(reply *Reply) *refusal {
	r := &refusal{Reply: reply, reason: reasonRecipient}
	if !reply.Temporary() {
		r.budget = budgetUnknown
	}
	return r
}

// needsTLS refuses a recipient that takes mail over TLS only while the connection is in clear. It is 530 5.7.0, which RFC 3207
// section 4 has for a server that wants STARTTLS, and not one of 550 and its like, from which a sender would conclude that
// the address is bad. While there is no certificate to show, trouble of ours, the sender is to come again. Submission speaks TLS
// always; behind a mail server in front there is nothing to be seen of the connection that counts.
func (c *conn) needsTLS(decision Decision) *refusal {
	switch {
	case !decision.RequireTLS || c.tls != nil || c.listener.Kind != MX:
		return nil
	case c.listener.TLS != TLSNone && !c.srv.cfg.TLSReady():
		return refuseNeedsTLSNow
	}
	return refuseNeedsTLS
}

// limit gives the octets that all recipients take once the one at hand has joined the transaction, or says why it cannot;
// maxSize is its own limit, 0 for none. There is one reply to the data for all recipients, so a message that some of them
// take and others do not must be told apart here: by the size that MAIL declared (RFC 1870), or, where it declared none,
// by keeping recipients with different limits in different transactions.
func (c *conn) limit(maxSize int64) (int64, *refusal) {
	limit := c.srv.cfg.MaxMessageSize
	if maxSize > 0 {
		limit = min(limit, maxSize)
	}
	switch {
	case c.tx.mail.size > limit:
		return 0, refuseTooLargeHere.atMost(limit)
	case len(c.tx.recipients) == 0:
		return limit, nil
	case c.tx.mail.size == 0 && limit != c.tx.limit:
		return 0, refuseOtherLimit
	}
	return min(c.tx.limit, limit), nil
}

// hasRoom says which limit of its account keeps a recipient from getting a message now. Recipients of other accounts are none the worse.
func (c *conn) hasRoom(account string) *refusal {
	over := c.srv.cfg.Exceeds(account, c.tx.mail.size)
	if over == nil {
		return nil
	}
	return rejected(over, account)
}

// rejected is the refusal of a recipient for what its account says.
func rejected(r *Rejection, account string) *refusal {
	return &refusal{Reply: r.Reply, reason: string(r.Reason), found: []slog.Attr{slog.String("account", account)}}
}

// check asks about the recipient at hand. It takes its time in this connection alone.
func (s session) check(decision Decision) *refusal {
	env := s.envelope()
	env.Recipients = []Recipient{{Path: s.rcpt, Decision: decision}}
	ctx, span := s.step("check recipient")
	reply := s.srv.cfg.CheckRecipient(ctx, env)
	endStep(span, nil)
	if reply != nil {
		return refuseRecipient(reply)
	}
	return nil
}
