package dispatch

import (
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/parser/calendar"
	"github.com/letterhook/letterhook/storage"
)

// DataOf is the data object of a mail that no session brought in and that is not stored: the envelope is null, the ids
// are empty and there are no links. msg is what [parser.Parse] made of size octets with the given hash; their reader
// must still be open, since the attachments are read to learn their size and hash. version is the program's. The error
// speaks of reading only.
func DataOf(msg *parser.Message, size int64, sha256 [32]byte, version string) (*EventData, error) {
	found := make([]attachment, len(msg.Attachments))
	for i, part := range msg.Attachments {
		a, err := measure(part, nil)
		if err != nil {
			return nil, fmt.Errorf("reading attachment %s: %w", part.ID, err)
		}
		found[i] = *a
	}
	data := contentOf(msg, found, version)
	data.Size, data.Raw.Size, data.Raw.SHA256 = size, size, hex.EncodeToString(sha256[:])
	data.Recipients = []Recipient{}
	notStored := "not stored"
	for i := range data.Attachments {
		data.Attachments[i].Omitted = &notStored
	}
	return data, nil
}

// contentOf is what the content alone says: all but ids, envelope, links and the size of the whole. found belongs to
// msg.Attachments one by one.
func contentOf(msg *parser.Message, found []attachment, version string) *EventData {
	data := &EventData{
		Kind:         msg.Kind,
		KindReasons:  orEmpty(msg.KindReasons),
		MessageID:    optional(msg.MessageID),
		InReplyTo:    orEmpty(msg.InReplyTo),
		References:   orEmpty(msg.References),
		ThreadID:     optional(msg.ThreadID),
		Date:         Time{msg.Date},
		DateRaw:      optional(msg.DateRaw),
		Subject:      msg.Subject,
		From:         addresses(msg.From),
		ReplyTo:      addresses(msg.ReplyTo),
		To:           addresses(msg.To),
		Cc:           addresses(msg.Cc),
		Bcc:          addresses(msg.Bcc),
		Headers:      headers(msg.Headers),
		Text:         msg.Text,
		HTML:         msg.HTML,
		TextFromHTML: msg.TextFromHTML,
		Reply:        replyOf(msg),
		Attachments:  make([]Attachment, len(msg.Attachments)),
		Unscanned:    []Unscanned{},
		Calendar:     calendarOf(msg.Calendar),
		Bounce:       bounceOf(msg.Bounce),
		Complaint:    complaintOf(msg.Complaint),
		Parse: ParseReport{
			Version:     version,
			TextCharset: optional(msg.TextCharset),
			HTMLCharset: optional(msg.HTMLCharset),
			Defects:     make([]Defect, 0, len(msg.Defects)),
			LimitsHit:   orEmpty(msg.LimitsHit),
			Truncated:   []string{},
		},
	}
	if msg.Protection != nil {
		data.Protection = &Protection{Type: msg.Protection.Type, Format: msg.Protection.Format}
	}
	if msg.Sender != nil {
		data.Sender = &addresses([]parser.Address{*msg.Sender})[0]
	}
	addDefects(data, msg.Defects)
	for i, part := range msg.Attachments {
		data.Attachments[i] = Attachment{
			ID:          part.ID,
			Filename:    optional(part.Filename),
			ContentType: part.ContentType,
			Charset:     optional(part.Charset),
			Disposition: optional(part.Disposition),
			Inline:      part.Inline,
			ContentID:   optional(part.ContentID),
			Message:     attachedMessage(part.Message),
			Size:        found[i].size,
			SHA256:      found[i].sha256,
		}
		addDefects(data, found[i].defects)
	}
	return data
}

// unparsed is the content of a mail that could not be parsed: its header, as far as that can be read, and nothing else.
func unparsed(header []Header, version string) *EventData {
	data := contentOf(&parser.Message{Kind: parser.KindHuman, LimitsHit: []string{"parser"}}, nil, version)
	data.Headers = header
	return data
}

// address completes the content with the envelope of the mail as it concerns the endpoint.
func address(data *EventData, mail *storage.Mail, endpoint string) {
	data.ID, data.AccountID, data.EndpointID = mail.ID, mail.Account, endpoint
	data.ReceivedAt = Time{mail.ReceivedAt}
	data.Size = mail.Size
	data.Raw.Size, data.Raw.SHA256 = mail.Size, hex.EncodeToString(mail.SHA256[:])

	env := &mail.Envelope
	data.Envelope = &Envelope{
		MailFrom:   env.ReversePath.String(),
		Helo:       env.Helo,
		RemoteIP:   env.RemoteAddress(),
		RemoteHost: optional(env.RemoteHost),
		SMTPUTF8:   env.SMTPUTF8,
		AuthUser:   optional(env.AuthUser),
		Listener:   env.Listener,
	}
	if env.ReversePath == (inbound.Path{}) {
		data.Envelope.MailFrom = ""
	}
	if t := env.TLS; t != nil {
		data.Envelope.TLS = &TLS{Version: t.Version, CipherSuite: t.CipherSuite, ServerName: t.ServerName}
	}
	data.Recipients, data.Envelope.RcptTo = recipients(env.Recipients, endpoint)
	data.Reputation = reputation(env.Reputation)
	data.Spam, data.Virus, data.Unscanned = scanned(env.ScanResults)
	data.Authentication, data.Identity = verdicts(env.AuthResults, env.Recipients, endpoint)
	data.Identity.doubt(data.From)
	data.Bounce = withVERP(data.Bounce, env.Recipients, endpoint)
}

// weighReversePath makes a mail that was not parsed automated when its reverse-path is null: no person's program sends so (RFC
// 5321 section 4.5.5). Of the others the parser knows more, see [parser.Message.NullReversePath].
func weighReversePath(data *EventData, p inbound.Path) {
	if p == (inbound.Path{}) {
		data.Kind, data.KindReasons = parser.KindAutomated, []string{"null-reverse-path"}
	}
}

// recipients picks those that are routed to the endpoint.
func recipients(all []inbound.Recipient, endpoint string) ([]Recipient, []string) {
	chosen, paths := make([]Recipient, 0, len(all)), make([]string, 0, len(all))
	for i := range all {
		r := &all[i]
		if !slices.Contains(r.Endpoints, endpoint) {
			continue
		}
		one := recipientOf(r)
		paths = append(paths, one.Address)
		chosen = append(chosen, one)
	}
	return chosen, paths
}

// recipientOf is a recipient as it stands in events.
func recipientOf(r *inbound.Recipient) Recipient {
	captures := r.Captures
	if captures == nil {
		captures = map[string]string{}
	}
	var route *string
	if r.Route != "" {
		route = &r.Route
	}
	return Recipient{
		Address: r.Path.String(), LocalPart: r.LocalPart, Detail: r.Detail, Domain: r.Path.Domain, Route: route, Captures: captures,
		Token: TokenOf(r.Token),
	}
}

// TokenOf is the verdict as it stands in events; nil gives nil.
func TokenOf(t *inbound.Token) *Token {
	if t == nil {
		return nil
	}
	return &Token{Valid: t.Valid, Data: t.Data, ExpiresAt: Time{t.Expires}, Reason: optional(t.Reason)}
}

// summaryOf is what lists show of the mail.
func summaryOf(data *EventData, found []attachment) *storage.Summary {
	s := &storage.Summary{Subject: data.Subject, Kind: data.Kind, Attachments: make([]storage.AttachmentBlob, len(found))}
	if len(data.From) > 0 {
		s.From = data.From[0].Address
	}
	if data.MessageID != nil {
		s.MessageID = *data.MessageID
	}
	for i := range found {
		s.Attachments[i] = storage.AttachmentBlob{Part: found[i].part, Key: found[i].key, Size: found[i].size, SHA256: found[i].sha256}
	}
	return s
}

func addresses(from []parser.Address) []Address {
	to := make([]Address, len(from))
	for i := range from {
		to[i] = Address{Name: from[i].Name, Address: from[i].Address, Group: optional(from[i].Group)}
	}
	return to
}

func attachedMessage(m *parser.Message) *AttachedMessage {
	if m == nil {
		return nil
	}
	return &AttachedMessage{MessageID: optional(m.MessageID), From: addresses(m.From), To: addresses(m.To), Subject: m.Subject, Date: Time{m.Date}}
}

func calendarOf(from []parser.Invitation) []Calendar {
	to := make([]Calendar, len(from))
	for i := range from {
		e := &from[i]
		to[i] = Calendar{
			AttachmentID: e.Part, Method: e.Method, UID: e.UID, Summary: e.Summary, Start: calendarTime(e.Start), End: calendarTime(e.End),
			Organizer: e.Organizer, Attendees: orEmpty(e.Attendees), Sequence: e.Sequence, Status: e.Status,
		}
	}
	return to
}

func calendarTime(t *calendar.Time) *CalendarTime {
	if t == nil {
		return nil
	}
	return &CalendarTime{At: Time{t.At}, TZID: optional(t.TZID), AllDay: t.AllDay, Floating: t.Floating}
}

func headers(from []parser.Header) []Header {
	to := make([]Header, len(from))
	for i := range from {
		to[i] = Header{Name: from[i].Name, Value: from[i].Value, Raw: from[i].Raw}
	}
	return to
}

func addDefects(data *EventData, defects []parser.Defect) {
	for _, d := range defects {
		data.Parse.Defects = append(data.Parse.Defects, Defect(d))
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// orEmpty is never null in JSON.
func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
