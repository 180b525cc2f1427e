package parser

import (
	"slices"
	"strings"

	"github.com/letterhook/letterhook/parser/report"
)

// The words of Message.Kind. Receivers treat a word they do not know as KindAutomated. docs/kinds.md tells what each rests on.
const (
	KindHuman          = "human"
	KindAutoReply      = "auto_reply"
	KindBounce         = "bounce"          // delivery failed for at least one recipient (RFC 3464)
	KindDeliveryReport = "delivery_report" // a delay or a success (RFC 3464)
	KindComplaint      = "complaint"       // RFC 5965
	KindReadReceipt    = "read_receipt"    // RFC 8098
	KindList           = "list"
	KindAutomated      = "automated"
)

// judgement is the state of judging one message.
type judgement struct {
	m        *Message
	signals  signals
	parts    enclosed
	nullPath bool // the reverse-path is null, as the envelope or a Return-Path says
}

// judge sets Kind, KindReasons, Bounce and Complaint. The steps go from what a standard defines to what is usual; the first
// that knows the kind ends it.
func judge(m *Message, nullReversePath bool) {
	j := judgement{m: m, signals: gather(m.Headers)}
	j.nullPath = nullReversePath || j.signals.nullPath
	j.parts.enclose(m.Root)
	m.Bounce, m.Complaint = nil, nil
	for _, step := range []func(*judgement) (string, []string){
		(*judgement).report, (*judgement).aggregate, (*judgement).challenge, (*judgement).notice, (*judgement).junkReport,
		(*judgement).receipt, (*judgement).answer, (*judgement).vacation, (*judgement).bulk,
	} {
		if m.Kind, m.KindReasons = step(&j); m.Kind != "" {
			break
		}
	}
	if m.Kind == "" {
		m.Kind = KindHuman
	}
	if nullReversePath {
		m.KindReasons = append(m.KindReasons, "null-reverse-path")
	}
	slices.Sort(m.LimitsHit)
}

// NullReversePath judges the message again with what only the envelope knows: that its reverse-path is null (RFC 5321
// section 4.5.5), so that no person's program sent it. Kind, KindReasons, Bounce and Complaint are set anew, and "null-reverse-path" is the
// last of the reasons. The reader given to [Parse] must still be open.
func (m *Message) NullReversePath() { judge(m, true) }

func (j *judgement) limit() {
	if !slices.Contains(j.m.LimitsHit, LimitReport) {
		j.m.LimitsHit = append(j.m.LimitsHit, LimitReport)
	}
}

// report looks at the parts of a multipart/report (RFC 6522), or at those parts where the wrapping was lost. A mail that
// forwards or answers a report has them too; it is not one itself.
func (j *judgement) report() (kind string, reasons []string) {
	declared := ""
	if j.m.Root.ContentType == "multipart/report" {
		declared = strings.ToLower(j.m.Root.Params["report-type"])
	}
	if declared == "" && passedOn(j.m.Subject) {
		return "", nil
	}
	switch {
	case j.parts.status != nil && (declared != "" || j.bySystem()):
		j.deliver()
		return j.m.Bounce.kind(), append([]string{"part:delivery-status"}, j.m.Bounce.actions()...)
	case j.parts.disposition != nil:
		d := report.ParseDisposition(reportText(j.parts.disposition))
		reasons = []string{"part:disposition-notification"}
		if d.Type != "" {
			reasons = append(reasons, "disposition:"+d.Type)
		}
		return KindReadReceipt, reasons
	case j.parts.feedback != nil:
		j.complain(report.ParseFeedback(reportText(j.parts.feedback)))
		return KindComplaint, append([]string{"part:feedback-report"}, prefixed("feedback-type:", j.m.Complaint.Type)...)
	}
	reasons = []string{"report-type:" + declared}
	switch declared {
	case "delivery-status":
		j.deliver()
		return j.m.Bounce.kind(), append(reasons, j.m.Bounce.actions()...)
	case "disposition-notification":
		return KindReadReceipt, reasons
	case "feedback-report":
		j.complain(report.Feedback{Incidents: 1})
		return KindComplaint, reasons
	}
	return "", nil
}

func (j *judgement) complain(f report.Feedback) {
	if f.Cut {
		j.limit()
	}
	arrived, _ := parseDate(f.ArrivalDate)
	j.m.Complaint = &Complaint{Feedback: f, Arrived: arrived, Original: j.parts.reported("")}
}

// bySystem reports whether anything in the header says that no person wrote the mail.
func (j *judgement) bySystem() bool {
	_, points := j.senderSigns()
	return points > 0 || j.nullPath || j.signals.declared() || j.m.Root.ContentType == "multipart/report" || j.m.Root.ContentType == j.parts.status.ContentType
}

// passedOn reports whether a Subject says that a person sends on, or answers to, another mail: "Fwd: x", "[list] Re[2]: x".
func passedOn(subject string) bool {
	const longest = 48
	if strings.HasPrefix(subject, "[") {
		_, behind, _ := strings.Cut(subject, "]")
		subject = strings.TrimLeft(behind, " ")
	}
	head := subject[:min(len(subject), longest)]
	end := strings.IndexAny(head, ":\uff1a")
	if end < 0 {
		return false
	}
	head = strings.TrimRight(strings.ToLower(head[:end]), " 0123456789[]()")
	return slices.Contains(passings, head)
}

// passings are the words that mail programs put before the Subject of a mail that is answered or sent on, in lower case.
var passings = []string{
	"re", "fwd", "fw", "aw", "wg", "antw", "doorst", "sv", "vs", "vl", "vb", "videresendt", "videresend", "réf", "tr", "rv", "enc", "res",
	"i", "r", "rif", "odp", "pd", "i\u0307lt", "ilt", "ynt", "továbbítás", "vá", "tf", "σχετ", "απ", "πρθ", "ответ", "пересл",
	"转发", "轉寄", "轉發", "答复", "答覆", "回复", "回覆", "返信", "転送", "回信", "답장", "전달", "회신", "תשובה", "העברה", "הועבר", "رد", "إعادة توجيه", "trả lời", "chuyển tiếp", "bls", "trs",
}

// aggregate knows the reports that machines send to machines once a day: DMARC (RFC 7489 section 7.2.1.1) and TLS (RFC 8460 section 5.3).
func (j *judgement) aggregate() (kind string, reasons []string) {
	subject := j.m.Subject
	if len(subject) > 8 && strings.EqualFold(subject[:7], "report ") {
		if lower := strings.ToLower(subject); strings.Contains(lower, "domain:") && strings.Contains(lower, "submitter:") {
			if j.signals.tlsReport {
				return KindAutomated, []string{"report:tls"}
			}
			return KindAutomated, []string{"report:dmarc"}
		}
	}
	if j.signals.tlsReport || strings.EqualFold(j.m.Root.Params["report-type"], "tlsrpt") {
		return KindAutomated, []string{"report:tls"}
	}
	for _, p := range j.m.Attachments[:min(len(j.m.Attachments), 8)] {
		switch {
		case strings.HasPrefix(p.ContentType, "application/tlsrpt"):
			return KindAutomated, []string{"report:tls"}
		case aggregateName(p.Filename):
			return KindAutomated, []string{"report:dmarc"}
		}
	}
	return "", nil
}

// aggregateName reports whether a file is named as RFC 7489 section 7.2.1.1 has it: receiver!domain!begin!end, with the ends of its format.
func aggregateName(name string) bool {
	pieces := strings.Split(name[:min(len(name), 1000)], "!")
	if len(pieces) < 4 || len(pieces) > 5 || !strings.Contains(pieces[0], ".") || !strings.Contains(pieces[1], ".") {
		return false
	}
	_, end, _ := strings.Cut(pieces[len(pieces)-1], ".")
	switch strings.ToLower(end) {
	case "xml", "xml.gz", "zip", "gz", "xml.zip":
	default:
		return false
	}
	return strings.Trim(pieces[2], "0123456789") == "" && pieces[2] != ""
}

// challenge knows the mail that asks whoever wrote to show that they are no spammer. Nobody's mail was answered, so it is no
// automatic reply.
func (j *judgement) challenge() (kind string, reasons []string) {
	if j.signals.challenge != "" {
		return KindAutomated, []string{"challenge:" + j.signals.challenge}
	}
	answered := j.signals.autoSubmitted == "auto-replied" || j.signals.precedence == "auto_reply" || j.signals.responder != ""
	if answered && beginsAny(j.m.Subject, challengeSubjects) {
		return KindAutomated, []string{"challenge:subject"}
	}
	return "", nil
}

// notice knows the bounces that mail systems write in their own words. No single sign is enough, since people write to each
// other of mail that came back: the header must point to a mail system twice, or once where the text has a code or a
// recipient in the form of one, and the text must say that a mail was not delivered.
func (j *judgement) notice() (kind string, reasons []string) {
	reasons, points := j.senderSigns()
	if points == 0 || passedOn(j.m.Subject) && !slices.ContainsFunc(reasons, bySender) {
		return "", nil
	}
	r := report.Read(j.parts.notice(j.m, j.signals.failed))
	if !r.Told && j.passBounce() {
		return j.m.Bounce.kind(), append(reasons, append([]string{"part:returned-bounce"}, j.m.Bounce.actions()...)...)
	}
	if !j.believable(r, reasons, points) {
		return "", nil
	}
	j.bounce(r.Delivery)
	return j.m.Bounce.kind(), append(reasons, j.m.Bounce.actions()...)
}

// believable weighs what the header and the text of a notice say. Where no mail system is named as the sender, a parcel service may
// speak: then there must be a code, or the mail that came back.
func (j *judgement) believable(r report.Reading, reasons []string, points int) bool {
	daemon := slices.ContainsFunc(reasons, bySender)
	if (r.Code || r.Formal) && (daemon || j.nullPath || slices.Contains(reasons, "part:returned-mail")) {
		points++ // else a person may have pasted it
	}
	returned := r.Copy || j.parts.original != nil
	switch {
	case len(j.signals.failed) > 0:
		return true
	case points < 2 || !r.Failure && !r.Delay || len(r.Recipients) == 0 && !returned:
		return false
	}
	return daemon || j.signals.nonDelivery != "" || r.Code || returned
}

func bySender(reason string) bool { return strings.HasPrefix(reason, "sender:") }

// passBounce takes the bounce that a mail system passed on as it would return a mail: what that one tells of is what this one
// is about.
func (j *judgement) passBounce() bool {
	if j.parts.original == nil {
		return false
	}
	var inner enclosed
	inner.enclose(j.parts.original.Root)
	if inner.status == nil {
		return false
	}
	j.parts = inner
	j.deliver()
	return true
}

// senderSigns are the signs in the header that a mail system wrote, and how much they count.
func (j *judgement) senderSigns() (reasons []string, points int) {
	sign := func(is bool, n int, reason string) {
		if is {
			reasons, points = append(reasons, reason), points+n
		}
	}
	s := &j.signals
	name, address := "", ""
	if len(j.m.From) > 0 {
		name, address = j.m.From[0].Name, j.m.From[0].Address
	}
	sign(len(s.failed) > 0, 2, "x-failed-recipients")
	sign(s.nonDelivery != "", 2, s.nonDelivery)
	switch {
	case report.MailerDaemon(address) || report.MailerDaemon(name):
		sign(true, 2, "sender:mailer-daemon")
	case report.MailSystem(name, address):
		sign(true, 1, "sender:mail-system")
	}
	sign(report.SubjectOfBounce(j.m.Subject), 1, "subject:bounce")
	sign(s.nullPath, 1, "null-return-path")
	if j.nullPath && !s.nullPath {
		points++ // the reason is added at the end
	}
	sign(j.returnedToSender(), 1, "part:returned-mail")
	if points > 0 {
		sign(s.declared(), 1, "auto-submitted:"+s.autoSubmitted)
	}
	return reasons, points
}

// returnedToSender reports whether the mail holds one from whom it is addressed to. What a person sends back had been sent to him.
func (j *judgement) returnedToSender() bool {
	o := j.parts.original
	if o == nil || len(o.From) == 0 || len(j.m.To) == 0 || len(j.m.From) == 0 {
		return false
	}
	to := j.m.To[0].Address
	from := j.m.From[0].Address
	if to == "" || strings.EqualFold(to, from) {
		return false
	}
	if slices.ContainsFunc(slices.Concat(o.To, o.Cc), func(a Address) bool { return strings.EqualFold(a.Address, from) }) {
		return false
	}
	path := strings.Trim(value(o.Headers, "Return-Path"), " \t<>")
	return strings.EqualFold(to, o.From[0].Address) || strings.EqualFold(to, path)
}

// junkReport knows the complaints that Microsoft's junk mail reporting programme sends: no feedback report, but the mail
// itself, with the address of who complained in a field of its own.
func (j *judgement) junkReport() (kind string, reasons []string) {
	o := j.parts.original
	if o == nil || !beginsAny(j.m.Subject, []string{"complaint about message from"}) {
		return "", nil
	}
	f := report.Feedback{Type: "abuse", Incidents: 1}
	_, f.SourceIP, _ = strings.Cut(strings.ToLower(j.m.Subject), "message from ")
	f.SourceIP = firstWord(f.SourceIP)
	if rcpt := value(o.Headers, "X-HmXmrOriginalRecipient"); rcpt != "" {
		f.OriginalRcptTo = []string{rcpt}
	}
	j.complain(f)
	return KindComplaint, []string{"subject:complaint", "part:reported-mail"}
}

// answer takes a program that says it answers at its word.
func (j *judgement) answer() (kind string, reasons []string) {
	s := &j.signals
	switch {
	case s.autoSubmitted == "auto-replied":
		return KindAutoReply, []string{"auto-submitted:auto-replied"} // RFC 3834 section 5
	case s.responder != "":
		return KindAutoReply, []string{s.responder}
	case s.precedence == "auto_reply":
		return KindAutoReply, []string{"precedence:auto_reply"}
	}
	return "", nil
}

// declared reports whether a program says that it wrote the mail (RFC 3834 section 5).
func (s *signals) declared() bool { return s.autoSubmitted != "" && s.autoSubmitted != "no" }

// bulk knows what programs write, what goes to many, and what nobody reads the answers of.
func (j *judgement) bulk() (kind string, reasons []string) {
	s := &j.signals
	switch {
	case s.declared():
		return KindAutomated, []string{"auto-submitted:" + s.autoSubmitted}
	case len(s.lists) > 0:
		return KindList, s.lists // RFC 2919, RFC 2369
	case s.precedence == "list":
		return KindList, []string{"precedence:list"}
	case s.precedence == "bulk" || s.precedence == "junk":
		return KindAutomated, []string{"precedence:" + s.precedence}
	case s.suppress:
		return KindAutomated, []string{"x-auto-response-suppress"}
	}
	if len(j.m.From) > 0 {
		switch address := j.m.From[0].Address; {
		case report.MailerDaemon(address):
			return KindAutomated, []string{"sender:mailer-daemon"}
		case noReply(address):
			return KindAutomated, []string{"sender:no-reply"}
		}
	}
	switch {
	case s.nullPath:
		return KindAutomated, []string{"null-return-path"}
	case j.nullPath:
		return KindAutomated, nil
	}
	return "", nil
}

// noReply reports whether a local-part says that nobody reads what is sent to it.
func noReply(address string) bool {
	local, _, _ := strings.Cut(address, "@")
	if len(local) < len("noreply") || len(local) > 100 || !strings.ContainsAny(local, "nN") {
		return false
	}
	local = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(local))
	return strings.HasPrefix(local, "noreply") || strings.HasPrefix(local, "donotreply") || strings.HasPrefix(local, "dontreply") || strings.HasSuffix(local, "noreply")
}

// prefixed is one reason, or none where there is no word.
func prefixed(prefix, word string) []string {
	if word == "" {
		return nil
	}
	return []string{prefix + word}
}
