package calendar

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// Event is a VEVENT (RFC 5545 section 3.6.1). Strings are as long as the sender made them, but for the limit of a line.
type Event struct {
	Method     string // of its calendar, upper case (RFC 5546 section 1.4); "" if none
	UID        string
	Summary    string
	Start, End *Time    // nil when absent or unreadable; End is computed where there is a duration instead, or the rule of RFC 5545 for neither
	Organizer  string   // mail address; "" if none
	Attendees  []string // mail addresses, each once
	Sequence   int
	Status     string // upper case: TENTATIVE, CONFIRMED, CANCELLED; "" if none
}

// Time is when an event starts or ends.
type Time struct {
	At       time.Time // UTC
	TZID     string    // the zone as the event names it; "" for UTC, a date and a time without zone
	AllDay   bool      // a date; At is its midnight in UTC
	Floating bool      // the zone is not known: At is a local time, taken for UTC
}

// Limits bound what one [Decode] returns. Zero means the default of each field.
type Limits struct {
	Events    int // default 100
	Attendees int // of one event; default 1,000
}

// Calendar is what was found.
type Calendar struct {
	Events  []Event
	Damaged bool // it is no calendar, a line that matters cannot be read, or the end is missing
	More    bool // there is more than the limits allow
}

// Decode reads all calendars in a text in UTF-8. Events outside of a calendar count too.
func Decode(text string, lim Limits) *Calendar {
	if lim.Events <= 0 {
		lim.Events = 100
	}
	if lim.Attendees <= 0 {
		lim.Attendees = 1000
	}
	c := cleaner{lim: lim}
	c.read(text)
	out := &Calendar{Damaged: c.damaged || c.calendars == 0, More: c.more}
	d := ical.NewDecoder(strings.NewReader(c.out.String()))
	for {
		cal, err := d.Decode()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			out.Damaged = true // the cleaner wrote something that the library does not take
			return out
		}
		out.add(cal)
	}
}

// add takes the events of one calendar.
func (c *Calendar) add(cal *ical.Calendar) {
	z := newZones(cal.Component)
	method := strings.ToUpper(value(cal.Props, ical.PropMethod))
	for _, comp := range cal.Children {
		if comp.Name != ical.CompEvent {
			continue
		}
		e := Event{
			Method:  method,
			UID:     text(value(comp.Props, ical.PropUID)),
			Summary: text(value(comp.Props, ical.PropSummary)),
			Status:  strings.ToUpper(text(value(comp.Props, ical.PropStatus))),
		}
		e.Sequence, _ = strconv.Atoi(value(comp.Props, ical.PropSequence))
		e.Sequence = max(0, e.Sequence)
		if p := comp.Props.Get(ical.PropOrganizer); p != nil {
			e.Organizer = mailbox(p)
		}
		e.Attendees = mailboxes(comp.Props.Values(ical.PropAttendee))
		var ok bool
		if e.Start, ok = z.time(comp.Props.Get(ical.PropDateTimeStart)); !ok {
			c.Damaged = true
		}
		if e.End, ok = z.time(comp.Props.Get(ical.PropDateTimeEnd)); !ok {
			c.Damaged = true
		}
		if e.End == nil && !e.setEnd(comp.Props.Get(ical.PropDuration)) {
			c.Damaged = true
		}
		c.Events = append(c.Events, e)
	}
}

// setEnd computes the end of an event that names none (RFC 5545 section 3.6.1).
func (e *Event) setEnd(duration *ical.Prop) bool {
	if e.Start == nil {
		return true
	}
	end := *e.Start
	switch {
	case duration != nil:
		d, err := duration.Duration()
		if err != nil || d < 0 {
			return false
		}
		end.At = end.At.Add(d)
	case e.Start.AllDay:
		end.At = end.At.AddDate(0, 0, 1)
	}
	e.End = &end
	return true
}

func value(props ical.Props, name string) string {
	if p := props.Get(name); p != nil {
		return strings.TrimSpace(p.Value)
	}
	return ""
}

// mailboxes reads the attendees; some senders name one twice.
func mailboxes(props []ical.Prop) []string {
	var list []string
	seen := map[string]bool{}
	for i := range props {
		if a := mailbox(&props[i]); a != "" && !seen[a] {
			seen[a] = true
			list = append(list, a)
		}
	}
	return list
}

// mailbox reads a calendar user (RFC 5545 section 3.3.3). Where it is not a mail address the parameter EMAIL may have one
// (RFC 7986 section 6.2).
func mailbox(p *ical.Prop) string {
	const scheme = "mailto:"
	v := strings.TrimSpace(p.Value)
	if len(v) >= len(scheme) && strings.EqualFold(v[:len(scheme)], scheme) {
		return strings.TrimSpace(v[len(scheme):])
	}
	if email := p.Params.Get("EMAIL"); email != "" {
		return email
	}
	if strings.Contains(v, "@") {
		return v
	}
	return ""
}

// text undoes the escapes of a text (RFC 5545 section 3.3.11). One that nobody defined is left as it is.
func text(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch c := s[i+1]; c {
			case 'n', 'N':
				b.WriteByte('\n')
				i++
				continue
			case '\\', ';', ',', ':', '"':
				b.WriteByte(c)
				i++
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
