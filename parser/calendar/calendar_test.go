package calendar_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser/calendar"
)

// event is a calendar with one event of these lines.
func event(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func describe(t *calendar.Time) string {
	if t == nil {
		return "none"
	}
	s := t.At.Format("2006-01-02T15:04:05Z07:00")
	if t.AllDay {
		s = t.At.Format("2006-01-02")
	}
	if t.Floating {
		s += " floating"
	}
	return s
}

func TestDecode(t *testing.T) {
	invitation := "BEGIN:VCALENDAR\r\nMETHOD:request\r\nBEGIN:VEVENT\r\nUID:1@x\r\nSUMMARY;LANGUAGE=en:Lunch\\, \r\n then coffee\\nand cake\r\nDTSTART:20261121T120000Z\r\nDTEND:20261121T130000Z\r\n" +
		"ORGANIZER;CN=\"Ann; B\":MAILTO:ann@x.example\r\nATTENDEE;CN=Bob;RSVP=TRUE:mailto:bob@x.example\r\nATTENDEE:mailto:bob@x.example\r\nATTENDEE;EMAIL=c@x.example:urn:uuid:1\r\n" +
		"SEQUENCE:3\r\nSTATUS:Confirmed\r\nDESCRIPTION;ALTREP=\"x\":y\r\nBEGIN:VALARM\r\nSUMMARY:not this\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	got := calendar.Decode(invitation, calendar.Limits{})
	if got.Damaged || got.More || len(got.Events) != 1 {
		t.Fatalf("%+v", got)
	}
	e := got.Events[0]
	if describe(e.Start) != "2026-11-21T12:00:00Z" || describe(e.End) != "2026-11-21T13:00:00Z" {
		t.Errorf("from %s to %s", describe(e.Start), describe(e.End))
	}
	e.Start, e.End = nil, nil
	want := calendar.Event{
		Method: "REQUEST", UID: "1@x", Summary: "Lunch, then coffee\nand cake", Organizer: "ann@x.example",
		Attendees: []string{"bob@x.example", "c@x.example"}, Sequence: 3, Status: "CONFIRMED",
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// zone is the definition of a zone, with rules as given.
func zone(tzid, standard, daylight string) string {
	return "BEGIN:VTIMEZONE\r\nTZID:" + tzid + "\r\nBEGIN:STANDARD\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n" + standard +
		"\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n" + daylight + "\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
}

func TestTimes(t *testing.T) {
	eu := zone("Here", "DTSTART:16010101T030000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "DTSTART:16010101T020000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3")
	for _, c := range []struct{ name, zone, start, want string }{
		{"UTC", "", "DTSTART:20260701T120000Z", "2026-07-01T12:00:00Z"},
		{"date", "", "DTSTART;VALUE=DATE:20260701", "2026-07-01"},
		{"date without saying so", "", "DTSTART:20260701", "2026-07-01"},
		{"floating", "", "DTSTART:20260701T120000", "2026-07-01T12:00:00Z floating"},
		{"IANA", "", "DTSTART;TZID=Europe/Rome:20260701T120000", "2026-07-01T10:00:00Z"},
		{"IANA, winter, quoted", "", "DTSTART;TZID=\"Europe/Rome\":20261221T120000", "2026-12-21T11:00:00Z"},
		{"with a prefix", "", "DTSTART;TZID=/freeassociation.sourceforge.net/Europe/Rome:20260701T120000", "2026-07-01T10:00:00Z"},
		{"with a longer prefix", "", "DTSTART;TZID=/mozilla.org/20050126_1/America/Argentina/Salta:20260701T120000", "2026-07-01T15:00:00Z"},
		{"Windows", "", "DTSTART;TZID=Pacific Standard Time:20260701T120000", "2026-07-01T19:00:00Z"},
		{"Windows, no definition heeded", zone("W. Europe Standard Time", "X:", "X:"), "DTSTART;TZID=W. Europe Standard Time:20260101T120000", "2026-01-01T11:00:00Z"},
		{"defined, summer", eu, "DTSTART;TZID=Here:20260701T120000", "2026-07-01T10:00:00Z"},
		{"defined, winter", eu, "DTSTART;TZID=Here:20261221T120000", "2026-12-21T11:00:00Z"},
		{"defined, before the change", eu, "DTSTART;TZID=Here:20261025T020000", "2026-10-25T00:00:00Z"},
		{"defined, after the change", eu, "DTSTART;TZID=Here:20261025T030000", "2026-10-25T02:00:00Z"},
		{"defined, second Sunday", zone("Here", "DTSTART:19701101T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU", "DTSTART:19700308T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU"),
			"DTSTART;TZID=Here:20260307T120000", "2026-03-07T11:00:00Z"},
		{"defined, days of the month", zone("Here", "DTSTART:19501029T020000\r\nRRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=SU;BYMONTH=10;BYMONTHDAY=25,26,27,28,29,30,31", "DTSTART:19500326T020000\r\nRRULE:FREQ=YEARLY;BYDAY=SU;BYMONTHDAY=25,26,27,28,29,30,31;BYMONTH=3"),
			"DTSTART;TZID=Here:20260329T030000", "2026-03-29T01:00:00Z"},
		{"defined, not any more", zone("Here", "DTSTART:19800101T000000", "DTSTART:19700301T000000\r\nRRULE:FREQ=YEARLY;UNTIL=19790301T000000Z"), "DTSTART;TZID=Here:20260701T120000", "2026-07-01T11:00:00Z"},
		{"defined behind the event", "", "DTSTART;TZID=Here:20260701T120000\r\nEND:VEVENT\r\n" + strings.TrimSuffix(eu, "\r\n") + "\r\nBEGIN:VEVENT", "2026-07-01T10:00:00Z"},
		{"offset", "", "DTSTART;TZID=UTC+11:20260701T120000", "2026-07-01T01:00:00Z"},
		{"offset with words", "", "DTSTART;TZID=\"(UTC-03:30) Somewhere\":20260701T120000", "2026-07-01T15:30:00Z"},
		{"unknown", "", "DTSTART;TZID=Nowhere:20260701T120000", "2026-07-01T12:00:00Z floating"},
		{"not the zone of this host", "", "DTSTART;TZID=Local:20260701T120000", "2026-07-01T12:00:00Z floating"},
		{"not a file of this host", "", "DTSTART;TZID=../../etc/passwd:20260701T120000", "2026-07-01T12:00:00Z floating"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := calendar.Decode("BEGIN:VCALENDAR\r\n"+c.zone+"BEGIN:VEVENT\r\n"+c.start+"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", calendar.Limits{})
			if got.Damaged || len(got.Events) == 0 {
				t.Fatalf("%+v", got)
			}
			if s := describe(got.Events[0].Start); s != c.want {
				t.Errorf("starts %s, want %s", s, c.want)
			}
		})
	}
}

func TestEnds(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{"DTSTART:20260701T120000Z\r\nDURATION:PT1H30M", "2026-07-01T13:30:00Z"},
		{"DTSTART;VALUE=DATE:20260701\r\nDURATION:P2D", "2026-07-03"},
		{"DTSTART;VALUE=DATE:20260701", "2026-07-02"},
		{"DTSTART:20260701T120000Z", "2026-07-01T12:00:00Z"},
		{"SUMMARY:x", "none"},
	} {
		got := calendar.Decode(event(c.lines), calendar.Limits{})
		if s := describe(got.Events[0].End); s != c.want || got.Damaged {
			t.Errorf("%q ends %s, damaged %v, want %s", c.lines, s, got.Damaged, c.want)
		}
	}
}

// TestDamage: what is broken is told, and what is not broken is there.
func TestDamage(t *testing.T) {
	for _, c := range []struct {
		name, text string
		summaries  string
		damaged    bool
	}{
		{"no calendar", "Hello.\r\n", "", true},
		{"nothing", "", "", true},
		{"empty calendar", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "", false},
		{"event alone", "BEGIN:VEVENT\r\nSUMMARY:a\r\nEND:VEVENT\r\n", "a", false},
		{"two calendars", event("SUMMARY:a") + event("SUMMARY:b"), "a b", false},
		{"text around", "Dear all\r\n" + event("SUMMARY:a") + "Regards\r\n", "a", false},
		{"bare LF", strings.ReplaceAll(event("SUMMARY:a"), "\r\n", "\n"), "a", false},
		{"lower case", "begin:vcalendar\r\nbegin:vevent\r\nsummary:a\r\nend:vevent\r\nend:vcalendar", "a", false},
		{"byte order mark", "\ufeff" + event("SUMMARY:a"), "a", false},
		{"cut", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:a\r\n", "a", true},
		{"a line that does not matter", event("SUMMARY:a", "X-APPLE-RADIUS=49.9", "DESCRIPTION;A=\"", "x"), "a", false},
		{"a line that does", event("SUMMARY:a", "DTSTART;VALUE=DATE"), "a", true},
		{"a date that is none", event("SUMMARY:a", "DTSTART:tomorrow"), "a", true},
		{"a quote that never ends", event("SUMMARY;X=\"a:b"), "b", false},
		{"a colon in quotes", event("SUMMARY;X=\"a:b\":c"), "c", false},
		{"what panics the library", event("SUMMARY;A=\"\"\"\":a", "ORGANIZER;CN=x"), "a", true},
		{"alarm without end", event("SUMMARY:a", "BEGIN:VALARM") + event("SUMMARY:b"), "a b", true},
		{"event without end", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:a\r\nBEGIN:VEVENT\r\nSUMMARY:b\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "a b", true},
		{"escapes", event(`SUMMARY:a\"b\"\;\\n\x`), `a"b";\n\x`, false},
		{"controls", event("SUMMARY:a\rb\x00c"), "a b c", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := calendar.Decode(c.text, calendar.Limits{})
			var summaries []string
			for _, e := range got.Events {
				summaries = append(summaries, e.Summary)
			}
			if s := strings.Join(summaries, " "); s != c.summaries || got.Damaged != c.damaged {
				t.Errorf("%q, damaged %v, want %q, %v", s, got.Damaged, c.summaries, c.damaged)
			}
		})
	}
}

// TestHostile: what took minutes in some library ends, and is bounded.
func TestHostile(t *testing.T) {
	const n = 1 << 20
	for name, text := range map[string]string{
		"parameters":       event("SUMMARY" + strings.Repeat(";A=b", n/4) + ":x"),
		"parameter values": event("ATTENDEE;TZID=" + strings.Repeat("b,", n/2) + ":x"),
		"quotes":           event("SUMMARY;A=" + strings.Repeat(`"`, n) + ":x"),
		"folds":            event("SUMMARY:" + strings.Repeat("x\r\n ", n/4)),
		"long line":        event("SUMMARY:" + strings.Repeat("x", n)),
		"lines":            event(strings.Repeat("UID:b\r\n", n/7) + "UID:b"),
		"events":           "BEGIN:VCALENDAR\r\n" + strings.Repeat("BEGIN:VEVENT\r\nEND:VEVENT\r\n", n/26) + "END:VCALENDAR\r\n",
		"attendees":        event(strings.Repeat("ATTENDEE:mailto:a@b\r\n", n/20) + "UID:1"),
		"nesting":          strings.Repeat("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nBEGIN:X\r\n", n/40),
		"zones":            "BEGIN:VCALENDAR\r\n" + strings.Repeat(zone("Z", "DTSTART:16010101T030000\r\nRRULE:FREQ=YEARLY;INTERVAL=999999999", "X:"), n/250) + event("DTSTART;TZID=Z:99991231T000000"),
	} {
		t.Run(name, func(t *testing.T) {
			got := calendar.Decode(text, calendar.Limits{})
			if len(got.Events) > 100 {
				t.Errorf("%d events", len(got.Events))
			}
			for _, e := range got.Events {
				if len(e.Attendees) > 1000 || len(e.Summary) > 2<<10 {
					t.Errorf("%d attendees, summary of %d", len(e.Attendees), len(e.Summary))
				}
			}
			if name == "events" != (len(got.Events) == 100 && got.More) && name != "nesting" {
				t.Errorf("%d events, more: %v", len(got.Events), got.More)
			}
		})
	}
}

// FuzzDecode: any text ends, and gives times that can be written.
func FuzzDecode(f *testing.F) {
	f.Add(event("DTSTART;TZID=Here:20260701T120000", "DURATION:P1D", "SUMMARY;A=\"b\":x\\n", "ORGANIZER:mailto:a@b"))
	f.Add("BEGIN:VCALENDAR\n" + zone("Here", "DTSTART:16010101T030000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "RRULE:FREQ=YEARLY;BYMONTHDAY=8,9;BYDAY=SU") + event("DTSTART;TZID=Here:20260701T120000"))
	f.Fuzz(func(t *testing.T, s string) {
		got := calendar.Decode(strings.ToValidUTF8(s, "?"), calendar.Limits{Events: 3, Attendees: 2})
		if len(got.Events) > 3 {
			t.Errorf("%d events", len(got.Events))
		}
		for _, e := range got.Events {
			if len(e.Attendees) > 2 {
				t.Errorf("%d attendees", len(e.Attendees))
			}
			_ = fmt.Sprint(describe(e.Start), describe(e.End))
		}
	})
}
