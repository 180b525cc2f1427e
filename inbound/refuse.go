package inbound

import (
	"fmt"
	"runtime/debug"

	"github.com/letterhook/letterhook/inbound/guard"
)

// refuse answers a command that does not reach go-smtp. cause is what the log shall know of it beyond the reply.
func (c *conn) refuse(r *refusal, cause ...error) {
	c.out = c.judge(r, cause).appendTo(c.out, c.smtputf8())
}

// answer is refuse for a command that go-smtp executes: the error makes it write the reply.
func (c *conn) answer(r *refusal, cause error) error {
	return c.judge(r, []error{cause}).smtpError(c.smtputf8())
}

// smtputf8 says whether the peer reads UTF-8 in replies.
func (c *conn) smtputf8() bool { return c.tx != nil && c.tx.mail.smtputf8 }

// judge counts a refusal and says what the peer is to hear, which is something else when a budget is used up. A 421
// ends the conversation.
func (c *conn) judge(r *refusal, cause []error) *refusal {
	switch r.budget {
	case budgetErrors:
		if c.errors++; over(c.errors, c.srv.cfg.MaxErrors) || c.stranger && !c.srv.budgets.Take(c.remote, guard.Errors) {
			r = refuseErrors
		}
	case budgetUnknown:
		if c.unknown++; c.listener.Kind != LMTP && over(c.unknown, c.srv.cfg.MaxUnknownRecipients) {
			r = refuseUnknown
		}
		if held := c.noteUnknown(); held != nil {
			r = held
		}
	}
	if r.Code == 421 {
		c.dead = true
		c.linger = r != refuseIdle && r != refuseShutdown // those fall silent peers only
	}
	c.logRefused(r, cause)
	c.mail, c.rcpt = mailCommand{}, Path{}
	return r
}

// contain turns a panic into a 421 and ends the conversation: no message may take the process down.
func (c *conn) contain(where string, err *error) {
	if v := recover(); v != nil {
		c.panicked(where, v)
		*err = error(refusePanic.smtpError(false))
	}
}

func (c *conn) panicked(where string, v any) {
	c.dead, c.linger = true, true
	c.feed = nil
	c.logRefused(refusePanic, []error{fmt.Errorf("panic in %s: %v\n%s", where, v, debug.Stack())})
}
