package inbound

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"

	"github.com/letterhook/letterhook/inbound/guard"
)

// auth answers AUTH (RFC 4954). go-smtp's own would need its own TLS, and takes a response that is no base64 for trouble
// of ours.
func (c *conn) auth(arg string) *refusal {
	mechanism, initial, given := strings.Cut(arg, " ")
	switch {
	case c.listener.Kind != Submission:
		return refuseNotImplemented
	case arg == "":
		return refuseNoArgument
	case !c.greeted || !c.esmtp:
		return refuseNoHello
	case c.tls == nil:
		return refuseAuthInClear // whatever the mechanism: both send the password as it is
	case c.user != "":
		return refuseAuthTwice
	case c.tx != nil:
		return refuseNestedMail
	}
	x := exchange{conn: c, initial: strings.TrimLeft(initial, " "), given: given}
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		c.authPlain(&x)
	case "LOGIN":
		c.authLogin(&x)
	default:
		return refuseMechanism
	}
	return nil
}

// offersAuth says whether AUTH may be used now, which is when the reply to EHLO names it.
func (c *conn) offersAuth() bool {
	return c.listener.Kind == Submission && c.tls != nil && c.user == ""
}

// authPlain reads the one message of PLAIN (RFC 4616 section 2): authzid, NUL, authcid, NUL, password. To act for
// somebody else is granted to nobody.
func (c *conn) authPlain(x *exchange) {
	message, ok := x.response("")
	if !ok {
		return
	}
	parts := strings.Split(message, "\x00")
	switch {
	case len(parts) != 3 || parts[1] == "":
		c.refuse(refuseCredentials)
	case parts[0] != "" && parts[0] != parts[1]:
		c.refuse(refuseLogin)
	default:
		c.login(parts[1], parts[2])
	}
}

// authLogin asks for the two words of LOGIN, which no RFC describes and many devices speak. A response in the command
// itself is the user name.
func (c *conn) authLogin(x *exchange) {
	user, ok := x.response("Username:")
	if !ok {
		return
	}
	password, ok := x.response("Password:")
	if !ok {
		return
	}
	c.login(user, password)
}

// login decides, within the budgets of failures that the source and the user have.
func (c *conn) login(user, password string) {
	if !c.srv.budgets.Take(c.remote, guard.Logins) {
		c.refuse(refuseLogins)
		return
	}
	try, ok := c.srv.users.Try(user, c.remote)
	if !ok { // it costs the source a failure all the same
		c.refuse(refuseUserLogins)
		return
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.srv.cfg.CommandTimeout)
	defer cancel()
	right, err := c.srv.cfg.Authenticate(ctx, user, password)
	switch {
	case err != nil:
		c.srv.budgets.Give(c.remote, guard.Logins)
		try.Undo()
		c.refuse(refuseLoginTrouble, err)
	case !right:
		c.refuse(refuseLogin)
	default:
		c.srv.budgets.Give(c.remote, guard.Logins)
		try.Succeeded()
		c.user = user
		c.out = append(c.out, "235 2.7.0 Welcome\r\n"...)
		c.srv.cfg.Log.LogAttrs(context.Background(), slog.LevelInfo, "logged in", c.attrs(slog.String("auth_user", user))...)
	}
}

// exchange is the dialogue of one AUTH command.
type exchange struct {
	*conn

	initial string // the response that came with the command
	given   bool   // there is one that was not used yet
}

// response gives the peer's answer to a challenge, decoded. It has answered the peer itself when it says false.
func (x *exchange) response(challenge string) (string, bool) {
	text := x.initial
	switch {
	case !x.given:
		var ok bool
		if text, ok = x.ask(challenge); !ok {
			return "", false
		}
	case text == "=": // RFC 4954 section 4: an initial response of no octets
		text = ""
	}
	x.given = false
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		x.refuse(refuseBase64)
		return "", false
	}
	return string(decoded), true
}

// ask sends a challenge and reads the line that answers it.
func (x *exchange) ask(challenge string) (string, bool) {
	x.out = fmt.Appendf(x.out, "334 %s\r\n", base64.StdEncoding.EncodeToString([]byte(challenge)))
	line, refusal, err := x.readCommand()
	switch {
	case err != nil:
		x.readFailed(err)
	case refusal == refuseLongCommand:
		x.refuse(refuseLongResponse)
	case refusal != nil:
		x.refuse(refusal)
	case line == "*":
		x.refuse(refuseCancelled)
	default:
		return line, true
	}
	return "", false
}
