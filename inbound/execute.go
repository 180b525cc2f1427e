package inbound

import (
	"bytes"
	"fmt"
)

// execute answers a command, or hands it on to go-smtp in a form that leaves nothing to interpret.
func (c *conn) execute(line string) {
	if ids := c.unproven.take(); ids != nil {
		c.srv.cfg.Spool.Acknowledged(ids)
	}
	if hasControl(line) {
		c.said.command("", line)
		c.doubtChunk(line)
		c.refuse(refuseControl)
		return
	}
	cmd := parseCommand(line)
	c.said.command(cmd.verb, line)
	if cmd.verb != "BDAT" { // counts its small chunks itself
		c.commands++
	}
	if over(c.commands, c.srv.cfg.MaxCommands) {
		c.refuse(refuseCommands)
		return
	}
	if refusal := c.perform(cmd); refusal != nil {
		c.refuse(refusal)
	}
}

// perform is one line for each verb.
func (c *conn) perform(cmd command) *refusal {
	switch cmd.verb {
	case "EHLO", "HELO", "LHLO":
		return c.hello(cmd)
	case "MAIL":
		return c.mailFrom(cmd.arg)
	case "RCPT":
		return c.rcptTo(cmd.arg)
	case "DATA":
		return c.data(cmd.arg)
	case "BDAT":
		return c.bdat(cmd.arg)
	case "STARTTLS":
		return c.startTLSCommand(cmd.arg)
	case "RSET", "QUIT":
		if cmd.arg != "" {
			return refuseArgument
		}
		c.pass(cmd.verb, "")
	case "NOOP": // its argument is ignored (RFC 5321 section 4.1.1.9)
		c.pass(cmd.verb, "")
	case "VRFY":
		if cmd.arg == "" {
			return refuseNoArgument
		}
		c.pass(cmd.verb, "") // go-smtp says 252 whatever the argument
	case "AUTH":
		return c.auth(cmd.arg)
	case "EXPN", "HELP", "ETRN", "SEND", "SOML", "SAML", "TURN":
		return refuseNotImplemented
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PRI":
		return refuseHTTP // a web page may make a browser send it; in its body may be SMTP
	default:
		return refuseUnknownCommand
	}
	return nil
}

// hello answers HELO and EHLO, or LHLO, which is EHLO by another name: go-smtp never hears of LMTP. It resets the
// transaction.
func (c *conn) hello(cmd command) *refusal {
	switch {
	case (cmd.verb == "LHLO") != (c.listener.Kind == LMTP):
		return refuseHello // RFC 2033 section 4.1
	case cmd.arg == "":
		return refuseNoArgument
	}
	c.helo, c.esmtp = sanitiseHelo(cmd.arg), cmd.verb != "HELO"
	if cmd.verb == "LHLO" {
		cmd.verb = "EHLO"
	}
	c.pass(cmd.verb, c.helo)
	return nil
}

// What go-smtp is told in place of the addresses. Its reading of an address differs from ours in many places, and where
// two readings of one line exist, somebody finds a use for the difference.
const (
	standInReverse = "FROM:<>"
	standInForward = "TO:<a@b>"
)

func (c *conn) mailFrom(arg string) *refusal {
	switch {
	case !c.greeted:
		return refuseNoHello
	case c.tx != nil:
		return refuseNestedMail // RFC 5321 section 4.1.4
	case over(c.messages+1, c.srv.cfg.MaxMessages):
		return refuseMessages
	case c.listener.Kind == Submission && c.user == "":
		return refuseNotLoggedIn
	}
	mail, refusal := parseMail(arg, c.listener.Kind == Submission)
	if refusal != nil {
		return refusal
	}
	c.mail = mail // before it is refused, so that it is told whose mail was
	switch {
	case mail.size > c.srv.cfg.MaxMessageSize:
		return refuseTooLarge.atMost(c.srv.cfg.MaxMessageSize) // RFC 1870 section 6.1
	case c.srv.levers.Deferring():
		return refuseDeferring
	case c.srv.levers.BlocksSender(mail.path.LocalPart, mail.path.Domain):
		return refuseSender
	case c.srv.cfg.DiskFull():
		return refuseFull
	}
	c.pass("MAIL", standInReverse)
	return nil
}

func (c *conn) rcptTo(arg string) *refusal {
	switch {
	case c.tx == nil:
		return refuseNoMail
	case c.tx.content != nil:
		return refuseInsideChunks
	}
	path, refusal := parseRcpt(arg, c.tx.mail.smtputf8, c.srv.cfg.Hostname)
	if refusal != nil {
		return refusal
	}
	if i := c.tx.index(path); i >= 0 { // accepted again, kept once
		c.tx.commands = append(c.tx.commands, i)
		c.out = append(c.out, replyRecipientOK...)
		return nil
	}
	c.rcpt = path
	if len(c.tx.recipients) >= c.srv.cfg.MaxRecipients {
		return refuseRecipients
	}
	if c.harvests(path) {
		return refuseHarvest
	}
	c.pass("RCPT", standInForward)
	return nil
}

// ready says why no content may come now.
func (c *conn) ready() *refusal {
	switch {
	case c.tx == nil:
		return refuseNoMail
	case len(c.tx.recipients) == 0 && c.listener.Kind == LMTP:
		return refuseNoRcpt
	case len(c.tx.recipients) == 0:
		return refuseNoRecipients // RFC 5321 section 3.3
	case c.tx.content == nil && c.srv.cfg.DiskFull():
		return refuseFull
	}
	return nil
}

func (c *conn) data(arg string) *refusal {
	if arg != "" {
		return refuseArgument
	}
	if refusal := c.ready(); refusal != nil {
		return refusal
	}
	if c.tx.content != nil {
		return refuseInsideChunks // RFC 3030 section 2
	}
	if c.tx.mail.binary {
		return refuseBinaryData
	}
	c.pass("DATA", "")
	return nil
}

const replyRecipientOK = "250 2.1.5 Recipient OK\r\n"

// edit turns a reply line of go-smtp into ours.
func (c *conn) edit(out, line []byte) []byte {
	success := bytes.HasPrefix(line, []byte("250"))
	switch {
	case c.verb == "" && bytes.HasPrefix(line, []byte("220")):
		return c.editGreeting(out, line)
	case c.verb == "EHLO" && success:
		return c.editHello(out, line)
	case c.verb == "HELO" && success:
		c.greeted = true
		return append(append(append(out, "250 "...), c.srv.cfg.Hostname...), "\r\n"...)
	case c.verb == "MAIL" && success:
		return append(out, "250 2.1.0 Sender OK\r\n"...)
	case c.verb == "RCPT" && success:
		c.rcpt = Path{}
		return append(out, replyRecipientOK...)
	case c.verb == "BDAT" && bytes.HasPrefix(line, []byte("354")):
		return out // go-smtp was given DATA in place of the last chunk
	case (c.verb == "DATA" || c.verb == "BDAT") && !bytes.HasPrefix(line, []byte("354")):
		return c.editVerdict(out, line)
	}
	return append(out, line...)
}

// editGreeting names the protocol.
func (c *conn) editGreeting(out, line []byte) []byte {
	if c.listener.Kind != LMTP {
		return append(out, line...)
	}
	return fmt.Appendf(out, "220 %s LMTP Service Ready\r\n", c.srv.cfg.Hostname)
}

// editVerdict makes one reply for each successful RCPT of the one reply to the data where LMTP is spoken (RFC 2033
// sections 4.2 and 4.3). A 421 is about the connection and stands alone.
func (c *conn) editVerdict(out, line []byte) []byte {
	if c.listener.Kind != LMTP || c.tx == nil || bytes.HasPrefix(line, []byte("421")) {
		return append(out, line...)
	}
	for _, i := range c.tx.commands {
		if verdict := c.tx.verdicts[c.tx.recipients[i].Account]; verdict != nil {
			out = verdict.appendTo(out, c.smtputf8())
		} else {
			out = append(out, line...)
		}
	}
	return out
}

// editHello puts our name where RFC 5321 section 4.1.1.1 wants it, and the offer of STARTTLS before the last line.
func (c *conn) editHello(out, line []byte) []byte {
	if bytes.HasPrefix(line, []byte("250-Hello ")) {
		return append(append(append(out, "250-"...), c.srv.cfg.Hostname...), "\r\n"...)
	}
	if line[3] == ' ' {
		c.greeted = true
		if c.listener.TLS == TLSStartTLS && c.tls == nil && c.srv.cfg.TLSReady() {
			out = append(out, "250-STARTTLS\r\n"...)
		}
		if c.offersAuth() {
			out = append(out, "250-AUTH PLAIN LOGIN\r\n"...)
		}
		if limits, ok := bytes.CutSuffix(line, []byte("\r\n")); ok && c.srv.cfg.MaxMessages > 0 && bytes.HasPrefix(line, []byte("250 LIMITS ")) {
			return fmt.Appendf(out, "%s MAILMAX=%d\r\n", limits, c.srv.cfg.MaxMessages) // RFC 9422 section 4.1
		}
	}
	return append(out, line...)
}
