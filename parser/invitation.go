package parser

import (
	"fmt"
	"path"
	"strings"

	"github.com/letterhook/letterhook/parser/calendar"
)

// Invitation is an event of a calendar that came with the mail.
type Invitation struct {
	calendar.Event

	Part string // ID of the attachment that it stands in
}

const (
	mostCalendar = 512 << 10 // octets of calendars that are read of a message
	mostEvents   = 100       // of a message
)

// isCalendar reports whether the part holds a calendar (RFC 5545 section 8.1), by its type or failing that by its name.
func (p *Part) isCalendar() bool {
	switch p.ContentType {
	case "text/calendar", "application/ics", "text/x-vcalendar":
		return true
	case "application/octet-stream":
		return strings.EqualFold(path.Ext(p.Filename), ".ics")
	}
	return false
}

// invitations reads the calendars among the attachments. One that is also a form of the text, in an alternative, is an attachment
// like any other.
func (p *parsing) invitations(m *Message, src *source) error {
	budget := mostCalendar
	for _, part := range m.Attachments {
		if !part.isCalendar() {
			continue
		}
		if budget <= 0 || len(m.Calendar) >= mostEvents {
			p.limit(LimitCalendar)
			return nil
		}
		w := textWriter{limit: budget}
		if _, err := p.copyBody(&w, part, src); err != nil {
			return fmt.Errorf("decode part %s: %w", part.ID, err)
		}
		w.finish()
		budget -= w.text.Len()
		charset := part.Charset
		if charset == "" {
			charset = charsetUTF8 // RFC 5545 section 3.1.4
		}
		found := calendar.Decode(decodeCharset(w.text.String(), charset).text, calendar.Limits{Events: mostEvents - len(m.Calendar), Attendees: p.lim.Addresses})
		if w.full || found.More {
			p.limit(LimitCalendar)
		} else if found.Damaged {
			p.defect(DefectCalendar, part.ID, "")
		}
		for _, e := range found.Events {
			if e.Method == "" {
				e.Method = strings.ToUpper(part.Params["method"]) // RFC 6047 section 2.4
			}
			m.Calendar = append(m.Calendar, Invitation{Event: e, Part: part.ID})
		}
	}
	return nil
}
