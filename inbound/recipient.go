package inbound

// refuseRecipient is the refusal of a recipient by the routes or by whom they ask.
func refuseRecipient(reply *Reply) *refusal {
	r := &refusal{Reply: reply, reason: reasonRecipient}
	if !reply.Temporary() {
		r.budget = budgetUnknown
	}
	return r
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
		return 0, refuseTooLargeHere
	case len(c.tx.recipients) == 0:
		return limit, nil
	case c.tx.mail.size == 0 && limit != c.tx.limit:
		return 0, refuseOtherLimit
	}
	return min(c.tx.limit, limit), nil
}

// check asks about the recipient at hand. It takes its time in this connection alone.
func (s session) check(decision Decision) *refusal {
	env := s.envelope()
	env.Recipients = []Recipient{{Path: s.rcpt, Decision: decision}}
	if reply := s.srv.cfg.CheckRecipient(s.ctx, env); reply != nil {
		return refuseRecipient(reply)
	}
	return nil
}
