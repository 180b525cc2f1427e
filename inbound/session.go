package inbound

import (
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
	"go.opentelemetry.io/otel/trace"

	"github.com/letterhook/letterhook/inbound/guard"
)

// transaction is a mail transaction (RFC 5321 section 3.3): from MAIL to the end of the data or to what aborts it.
type transaction struct {
	mail       mailCommand
	recipients []Recipient
	limit      int64             // octets that every recipient takes; 0 while there is none
	commands   []int             // for each successful RCPT its recipient: LMTP answers each
	scanned    time.Duration     // how long the scanners took
	verdicts   map[string]*Reply // LMTP: how the recipients of an account fared; an account without one as all
	content    *content          // of BDAT, from the first chunk on

	span   trace.Span // nil: it is not traced
	data   trace.Span // of its content
	stored bool       // something of it was accepted; kept where it is traced
}

// index finds a forward-path among the recipients; -1: it is none.
func (t *transaction) index(path Path) int {
	return slices.IndexFunc(t.recipients, func(r Recipient) bool { return r.Path.same(path) })
}

// suits says whether a recipient may join the transaction: those of one transaction have the same [Envelope.Decider], so that
// one answer, and one reply, is about all of them. An endpoint that wants an event for each recipient has one recipient.
func (t *transaction) suits(d *Decision) bool {
	if len(t.recipients) == 0 {
		return true
	}
	endpoint := d.Decider()
	return t.recipients[0].Decider() == endpoint && (endpoint == "" || !slices.Contains(d.Apart, endpoint))
}

func (t *transaction) release() {
	if t.content != nil {
		t.content.release()
	}
	t.endSpan()
}

// session is what go-smtp calls for the commands it executes. All calls come from the goroutine of the connection.
// The arguments go-smtp has parsed are not used: conn has parsed them strictly before.
type session struct{ *conn }

var _ smtp.Session = session{}

// Mail begins a transaction.
func (s session) Mail(string, *smtp.MailOptions) error {
	s.tx = &transaction{mail: s.mail, span: s.beginSpan()}
	s.mail = mailCommand{}
	s.setBusy(true)
	return nil
}

// Rcpt asks the routes.
func (s session) Rcpt(string, *smtp.RcptOptions) (err error) {
	defer s.contain("rcpt", &err)
	decision := s.srv.cfg.Recipients(s.rcpt)
	if decision.Refuse != nil {
		return s.answer(refuseRecipient(decision.Refuse), nil)
	}
	if unwanted := s.srv.cfg.Suppress(s.tx.mail.path, s.rcpt, &decision); unwanted != nil {
		return s.answer(rejected(unwanted, decision.Account), nil)
	}
	if refusal := s.needsTLS(decision); refusal != nil {
		return s.answer(refusal, nil)
	}
	if refusal := s.welcome(decision); refusal != nil {
		return s.answer(refusal, nil)
	}
	limit, refusal := s.limit(decision.MaxSize)
	if refusal == nil && !s.tx.suits(&decision) {
		refusal = refuseOtherDecider
	}
	if refusal == nil {
		refusal = s.hasRoom(decision.Account)
	}
	if refusal == nil && decision.Check != "" {
		refusal = s.check(decision)
	}
	if refusal != nil {
		return s.answer(refusal, nil)
	}
	s.tx.limit = limit
	s.tx.commands = append(s.tx.commands, len(s.tx.recipients))
	s.tx.recipients = append(s.tx.recipients, Recipient{Path: s.rcpt, Decision: decision})
	s.srv.cfg.Step("rcpt")
	return nil
}

// Data reads the content, unless it came in chunks, and gives it to the Spool.
func (s session) Data(io.Reader) (err error) {
	message := s.tx.content
	if message == nil {
		message = s.newContent()
	}
	defer message.release()
	defer s.contain("data", &err)
	if s.tx.content == nil {
		if failure := s.readData(message); failure != nil {
			return s.answer(failure, nil)
		}
	}
	s.feed = endOfData
	message.finish()
	endStep(s.tx.data, message.err)
	if message.refusal != nil {
		return s.answer(message.refusal, message.err)
	}
	return s.accept(message)
}

// endOfData is all that go-smtp ever reads of a message.
var endOfData = []byte(".\r\n")

// readData reads the content behind DATA.
func (c *conn) readData(message *content) *refusal {
	c.pace.begin(c.read)
	defer c.pace.end()
	data := dataReader{r: c.reader}
	for {
		octets, err := data.next()
		switch {
		case err == nil:
			message.write(octets)
		case errors.Is(err, io.EOF):
			return nil
		default:
			return c.contentFailed(err)
		}
	}
}

// contentFailed names what ends a connection that stalled or broke inside a message. It is a 421 in any case: nothing
// that comes later can be told from content.
func (c *conn) contentFailed(err error) *refusal {
	if c.isEvicted() {
		return refuseEvicted
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuseIdle
	}
	return refuseAborted
}

// accept gives a message to the Spool and makes the reply of it.
func (s session) accept(message *content) error {
	s.said.content(message.size)
	env := s.envelope()
	env.Session = s.said.text(s.out)
	s.srv.cfg.Step("data-read")
	if ids := s.unproven.take(); ids != nil {
		s.srv.cfg.Spool.Acknowledged(ids) // the content came in answer to a 354 behind that 250
	}
	if refusal, err := s.verifySender(env, message); refusal != nil {
		return s.answer(refusal, err)
	}
	if refusal, err := s.scan(env, message); refusal != nil {
		return s.answer(refusal, err)
	}
	if s.listener.Kind == LMTP {
		return s.acceptEach(env, message)
	}
	reply, refusal, err := s.spool(env, message)
	if refusal != nil {
		return s.answer(refusal, err)
	}
	s.accepted()
	return reply.smtpError(false)
}

// acceptEach is accept for LMTP, where the recipients of each account fare as their account does: what is stored for one is
// not undone by the trouble of another, and the peer keeps only what it must send again.
func (s session) acceptEach(env *Envelope, message *content) error {
	s.tx.verdicts = map[string]*Reply{}
	var verdict *Reply
	stored := false
	for _, r := range env.Recipients {
		if s.tx.verdicts[r.Account] != nil {
			continue
		}
		own := *env
		own.Recipients = slices.DeleteFunc(slices.Clone(env.Recipients), func(other Recipient) bool { return other.Account != r.Account })
		reply, refusal, err := s.spool(&own, message)
		if refusal != nil {
			reply = s.judge(refusal, []error{err}).Reply
		}
		stored = stored || refusal == nil
		s.tx.verdicts[r.Account], verdict = reply, reply
	}
	if stored {
		s.accepted()
	}
	return verdict.smtpError(false) // each recipient has a verdict of its own, see editVerdict
}

// accepted counts a message whose 250 is about to be said.
func (s session) accepted() {
	s.srv.cfg.Step("accepted")
	s.messages++
	s.commands = 0
	s.gotOn()
	if s.stranger { // an honest relay of much mail is wrong now and then
		s.srv.budgets.Give(s.remote, guard.Unknown)
		s.srv.budgets.Give(s.remote, guard.Errors)
	}
}

// spool has a message made durable for its recipients.
func (s session) spool(env *Envelope, message *content) (*Reply, *refusal, error) {
	began := time.Now()
	ctx, span := s.step("accept")
	ids, err := s.srv.cfg.Spool.Accept(ctx, env, message.body)
	if again := s.unproven.drop(ids); err == nil && len(again) > 0 {
		// The same mail twice in one pipeline of BDAT: no resend, for this connection had the first one accepted.
		s.srv.cfg.Spool.Acknowledged(again)
		ids, err = s.srv.cfg.Spool.Accept(ctx, env, message.body)
	}
	endStep(span, err)
	if err != nil {
		return nil, refusalOf(err), err
	}
	s.unproven.add(ids)
	s.logAccepted(env, ids, message.size, time.Since(began))
	s.traceAccepted(env, ids, message.size)
	return &Reply{250, [3]int{2, 0, 0}, "OK" + listIDs(ids)}, nil, nil
}

// envelope is what the session said of the message.
func (s session) envelope() *Envelope {
	parent := ""
	if s.tx.span != nil {
		parent = TraceParent(s.tx.span.SpanContext())
	}
	return &Envelope{
		ReversePath: s.tx.mail.path,
		Recipients:  s.tx.recipients,
		Helo:        s.helo,
		ESMTP:       s.esmtp,
		RemoteIP:    s.remote,
		TLS:         s.tls,
		SMTPUTF8:    s.tx.mail.smtputf8,
		AuthUser:    s.user,
		Listener:    s.listener.Name,
		LMTP:        s.listener.Kind == LMTP,
		ReceivedAt:  time.Now().UTC(),
		Reputation:  s.known,
		TraceParent: parent,
	}
}

// listIDs names the messages in the 250; the line stays short whatever their number.
func listIDs(ids []string) string {
	const shown = 8
	switch {
	case len(ids) == 0:
		return ""
	case len(ids) <= shown:
		return " queued as " + strings.Join(ids, " ")
	}
	return " queued as " + strings.Join(ids[:shown], " ") + " and " + strconv.Itoa(len(ids)-shown) + " more"
}

// refusalOf turns an error of the Spool into what the peer hears.
func refusalOf(err error) *refusal {
	if rejection, ok := errors.AsType[*Rejection](err); ok {
		return &refusal{Reply: rejection.Reply, reason: string(rejection.Reason)}
	}
	var reply *Reply
	if !errors.As(err, &reply) {
		return refuseTrouble
	}
	r := &refusal{Reply: reply, reason: reasonPolicy}
	if reply.Temporary() {
		r.reason = reasonStorage
	}
	return r
}

// Reset ends the transaction: after RSET, HELO, EHLO, and after the data.
func (s session) Reset() {
	var ignored error
	defer s.contain("reset", &ignored)
	if s.tx != nil {
		s.tx.release()
		s.tx = nil
	}
	s.pace.end()
	s.setBusy(false)
}

// Logout is called when the conversation ends. go-smtp does not recover from a panic here, so it has nothing to do.
func (s session) Logout() error { return nil }
