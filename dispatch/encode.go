package dispatch

import (
	"bytes"
	"encoding/json"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// eventWriter writes an event as JSON, to the octet as encoding/json does without the escapes for HTML. Most of an event is the text
// of the mail, which stands in it up to three times, and its html: here eight octets of them are looked at at once. What most mails do not have
// is left to encoding/json.
type eventWriter struct {
	octets []byte
	err    error
}

// appendEvent appends the JSON of an event.
func appendEvent(b []byte, ev *Event) ([]byte, error) {
	w := &eventWriter{octets: b}
	w.text(`{"type":`, ev.Type)
	w.number(`,"version":`, int64(ev.Version))
	w.time(`,"timestamp":`, ev.Timestamp)
	if w.raw(`,"data":`); ev.Data == nil {
		w.raw(`null`)
	} else {
		w.session(ev.Data)
		w.header(ev.Data)
		w.content(ev.Data)
		w.raw(`}`)
	}
	w.raw(`}`)
	return w.octets, w.err
}

// session writes what the SMTP session said and what was found out about the mail.
func (w *eventWriter) session(d *EventData) {
	w.text(`{"id":`, d.ID)
	w.text(`,"account_id":`, d.AccountID)
	w.text(`,"endpoint_id":`, d.EndpointID)
	w.time(`,"received_at":`, d.ReceivedAt)
	w.number(`,"size":`, d.Size)
	if w.raw(`,"envelope":`); d.Envelope == nil {
		w.raw(`null`)
	} else {
		w.envelope(d.Envelope)
	}
	list(w, `,"recipients":`, d.Recipients, (*eventWriter).recipient)
	w.text(`,"kind":`, d.Kind)
	w.texts(`,"kind_reasons":`, d.KindReasons)
	rare(w, `,"identity":`, d.Identity)
	rare(w, `,"authentication":`, d.Authentication)
	rare(w, `,"reputation":`, d.Reputation)
	rare(w, `,"spam":`, d.Spam)
	rare(w, `,"virus":`, d.Virus)
	rareList(w, `,"unscanned":`, d.Unscanned)
}

func (w *eventWriter) envelope(e *Envelope) {
	w.text(`{"mail_from":`, e.MailFrom)
	w.texts(`,"rcpt_to":`, e.RcptTo)
	w.text(`,"helo":`, e.Helo)
	w.text(`,"remote_ip":`, e.RemoteIP)
	w.optional(`,"remote_host":`, e.RemoteHost)
	rare(w, `,"tls":`, e.TLS)
	w.truth(`,"smtputf8":`, e.SMTPUTF8)
	w.optional(`,"auth_user":`, e.AuthUser)
	w.text(`,"listener":`, e.Listener)
	w.raw(`}`)
}

func (w *eventWriter) recipient(r *Recipient) {
	w.text(`{"address":`, r.Address)
	w.text(`,"local_part":`, r.LocalPart)
	w.text(`,"detail":`, r.Detail)
	w.text(`,"domain":`, r.Domain)
	w.optional(`,"route":`, r.Route)
	if r.Captures != nil && len(r.Captures) == 0 {
		w.raw(`,"captures":{}`)
	} else {
		w.other(`,"captures":`, r.Captures)
	}
	rare(w, `,"token":`, r.Token)
	w.raw(`}`)
}

// header writes what the header of the mail says.
func (w *eventWriter) header(d *EventData) {
	w.optional(`,"message_id":`, d.MessageID)
	w.texts(`,"in_reply_to":`, d.InReplyTo)
	w.texts(`,"references":`, d.References)
	w.optional(`,"thread_id":`, d.ThreadID)
	w.time(`,"date":`, d.Date)
	w.optional(`,"date_raw":`, d.DateRaw)
	w.text(`,"subject":`, d.Subject)
	list(w, `,"from":`, d.From, (*eventWriter).address)
	rare(w, `,"sender":`, d.Sender)
	list(w, `,"reply_to":`, d.ReplyTo, (*eventWriter).address)
	list(w, `,"to":`, d.To, (*eventWriter).address)
	list(w, `,"cc":`, d.Cc, (*eventWriter).address)
	list(w, `,"bcc":`, d.Bcc, (*eventWriter).address)
	list(w, `,"headers":`, d.Headers, (*eventWriter).field)
}

func (w *eventWriter) address(a *Address) {
	w.text(`{"name":`, a.Name)
	w.text(`,"address":`, a.Address)
	w.optional(`,"group":`, a.Group)
	w.raw(`}`)
}

func (w *eventWriter) field(h *Header) {
	w.text(`{"name":`, h.Name)
	w.text(`,"value":`, h.Value)
	w.text(`,"raw":`, h.Raw)
	w.raw(`}`)
}

// content writes the bodies, the other parts, and how they were read.
func (w *eventWriter) content(d *EventData) {
	w.optional(`,"text":`, d.Text)
	w.optional(`,"html":`, d.HTML)
	w.truth(`,"text_from_html":`, d.TextFromHTML)
	w.optional(`,"reply":{"text":`, d.Reply.Text)
	w.optional(`,"html":`, d.Reply.HTML)
	list(w, `,"segments":`, d.Reply.Segments, (*eventWriter).segment)
	w.fraction(`,"confidence":`, d.Reply.Confidence)
	list(w, `},"attachments":`, d.Attachments, (*eventWriter).attachment)
	rareList(w, `,"calendar":`, d.Calendar)
	rare(w, `,"protection":`, d.Protection)
	rare(w, `,"bounce":`, d.Bounce)
	rare(w, `,"complaint":`, d.Complaint)
	w.optional(`,"raw":{"url":`, d.Raw.URL)
	w.time(`,"url_expires_at":`, d.Raw.URLExpiresAt)
	w.number(`,"size":`, d.Raw.Size)
	w.text(`,"sha256":`, d.Raw.SHA256)
	w.text(`},"parse":{"version":`, d.Parse.Version)
	w.optional(`,"text_charset":`, d.Parse.TextCharset)
	w.optional(`,"html_charset":`, d.Parse.HTMLCharset)
	rareList(w, `,"defects":`, d.Parse.Defects)
	w.texts(`,"limits_hit":`, d.Parse.LimitsHit)
	w.texts(`,"truncated":`, d.Parse.Truncated)
	w.raw(`}`)
}

func (w *eventWriter) segment(s *Segment) {
	w.text(`{"type":`, s.Type)
	w.text(`,"text":`, s.Text)
	w.raw(`}`)
}

func (w *eventWriter) attachment(a *Attachment) {
	w.text(`{"id":`, a.ID)
	w.optional(`,"filename":`, a.Filename)
	w.text(`,"content_type":`, a.ContentType)
	w.optional(`,"charset":`, a.Charset)
	w.optional(`,"disposition":`, a.Disposition)
	w.truth(`,"inline":`, a.Inline)
	w.optional(`,"content_id":`, a.ContentID)
	rare(w, `,"message":`, a.Message)
	w.number(`,"size":`, a.Size)
	w.text(`,"sha256":`, a.SHA256)
	w.optional(`,"url":`, a.URL)
	w.time(`,"url_expires_at":`, a.URLExpiresAt)
	w.optional(`,"content":`, a.Content)
	w.optional(`,"omitted":`, a.Omitted)
	w.raw(`}`)
}

// Each of the following writes what stands before a value, a key mostly, and the value.

func (w *eventWriter) raw(before string) { w.octets = append(w.octets, before...) }

func (w *eventWriter) text(before, s string) {
	w.octets = appendJSONString(append(w.octets, before...), s)
}

func (w *eventWriter) optional(before string, s *string) {
	if w.raw(before); s == nil {
		w.raw(`null`)
		return
	}
	w.octets = appendJSONString(w.octets, *s)
}

func (w *eventWriter) texts(before string, all []string) {
	list(w, before, all, func(w *eventWriter, s *string) { w.text("", *s) })
}

func (w *eventWriter) number(before string, n int64) {
	w.octets = strconv.AppendInt(append(w.octets, before...), n, 10)
}

func (w *eventWriter) truth(before string, t bool) {
	w.octets = strconv.AppendBool(append(w.octets, before...), t)
}

func (w *eventWriter) fraction(before string, f float64) {
	if f != 0 && !(1e-6 <= f && f <= 1) {
		w.other(before, f)
		return
	}
	w.octets = strconv.AppendFloat(append(w.octets, before...), f, 'f', -1, 64)
}

func (w *eventWriter) time(before string, t Time) {
	w.octets = t.appendJSON(append(w.octets, before...))
}

// other leaves a value to encoding/json.
func (w *eventWriter) other(before string, v any) {
	buf := bytes.NewBuffer(append(w.octets, before...))
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		w.err = err
		return
	}
	buf.Truncate(buf.Len() - 1) // the line end of Encode
	w.octets = buf.Bytes()
}

func rare[T any](w *eventWriter, before string, v *T) {
	if v != nil {
		w.other(before, v)
		return
	}
	w.raw(before)
	w.raw(`null`)
}

func rareList[T any](w *eventWriter, before string, all []T) {
	if len(all) > 0 {
		w.other(before, all)
		return
	}
	list(w, before, all, nil)
}

func list[T any](w *eventWriter, before string, all []T, one func(*eventWriter, *T)) {
	if w.raw(before); all == nil {
		w.raw(`null`)
		return
	}
	w.raw(`[`)
	for i := range all {
		if i > 0 {
			w.raw(`,`)
		}
		one(w, &all[i])
	}
	w.raw(`]`)
}

// appendJSONString appends a string in quotes. What is no UTF-8 becomes U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	written := 0
	for i := plainUntil(s, 0); i < len(s); i = plainUntil(s, i) {
		c, size := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(s[i:])
		}
		if size > 1 && c != '\u2028' && c != '\u2029' {
			i += size
			continue
		}
		b = appendEscape(append(b, s[written:i]...), c)
		i += size
		written = i
	}
	return append(append(b, s[written:]...), '"')
}

// appendEscape appends a character that may not stand in a string as it is.
func appendEscape(b []byte, c rune) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', byte(c))
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	}
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[c>>12], digits[c>>8&15], digits[c>>4&15], digits[c&15])
}

// plainUntil finds the first octet from i on that is not an ASCII character that a JSON string may hold as it is; len(s) without
// one.
func plainUntil(s string, i int) int {
	const every, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		t := s[i : i+8]
		x := uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
			uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
		// The high bit of an octet is set in one of these if it is set in the octet, if that is below a blank, a quote, a backslash; and
		// perhaps in those after such a one, which the subtraction borrows from.
		if found := (x | (x - every*' ') | (x ^ every*'"' - every) | (x ^ every*'\\' - every)) & high; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// appendJSON appends the time as [Time.MarshalJSON] has it.
func (t Time) appendJSON(b []byte) []byte {
	u := t.UTC()
	if t.IsZero() || u.Year() < 0 || u.Year() > 9999 {
		return append(b, `null`...)
	}
	return u.AppendFormat(b, `"`+timeLayout+`"`)
}
