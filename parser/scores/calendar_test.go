package scores_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/parser/calendar"
)

// calendarFacts are starts and ends that were read by eye, one for each way of writing them; ".ics" comes as an attachment.
var calendarFacts = map[string]string{
	"ics/created_calendar_with_unicode_fields.ics": "2010-10-10T10:00:00Z 2010-10-10T12:00:00Z",
	"ics/example.ics": "2022-01-01 2022-01-01",
	"ics/issue_1050_forward_timezone_reference.ics":                "2025-01-15T09:00:00Z 2025-01-15T09:00:00Z",
	"ics/issue_1426_value_parameters.ics":                          "1997-01-01 1997-01-02",
	"ics/issue_156_RDATE_with_PERIOD_TZID_khal.ics":                "2018-03-27T13:00:00Z 2018-03-27T14:00:00Z", // Central Standard Time
	"ics/issue_156_RDATE_with_PERIOD_TZID_khal_2.ics":              "2021-11-01T15:00:00Z 2021-11-01T15:30:00Z", // Lotus Notes, defined
	"ics/issue_157_removes_trailing_semicolon.ics":                 "2015-03-25T10:10:10Z~ 2015-03-25T10:10:10Z~",
	"ics/issue_165_missing_event.ics":                              "2015-07-03T08:00:00Z 2015-07-03T08:30:00Z", // defined
	"ics/issue_218_bad_tzid.ics":                                   "2017-02-28T12:00:00Z 2017-02-28T12:30:00Z", // UTC+11
	"ics/issue_237_fail_to_parse_timezone_with_non_ascii_tzid.ics": "2017-05-11T16:30:00Z 2017-05-11T17:00:00Z", // (UTC-03:00) Brasília
	"ics/issue_313_globally_unique_tzid.ics":                       "2020-04-26T12:00:00Z 2020-04-26T13:00:00Z", // /freeassociation.sourceforge.net/Europe/Berlin
	"ics/issue_350.ics":                                            "2022-02-22T18:30:00Z 2022-02-22T19:30:00Z",
	"ics/issue_466_convert_tzid_with_slash.ics":                    "2022-10-21T18:00:00Z 2022-10-21T19:00:00Z", // /Europe/Stockholm
	"ics/issue_466_respect_unique_timezone.ics":                    "2022-10-21T18:00:00Z 2022-10-21T19:00:00Z", // /Europe/CUSTOM, defined
	"ics/issue_53_description_parsed_properly.ics":                 "2012-07-12T22:30:00Z 2012-07-13T01:30:00Z",
	"ics/issue_836_do_not_quote_tzid.ics":                          "2024-10-28T21:00:00Z 2024-10-28T22:00:00Z", // Eastern Standard Time
	"ics/rfc_7265_appendix_example_1_ical.ics":                     "2008-10-06 2008-10-07",
	"ics/rfc_7265_appendix_example_2_ical.ics":                     "2006-01-02T17:00:00Z 2006-01-02T18:00:00Z", // with a duration
	"postal-mime/calendar-event.eml":                               "2024-04-11T08:00:00Z 2024-04-11T09:00:00Z",
	"rspamd/alt-html-calendar.eml":                                 "2024-01-01T10:00:00Z 2024-01-01T11:00:00Z",
	"rspamd/ics.eml":                                               "2019-11-22T06:00:00Z 2019-11-22T07:00:00Z", // Europe/Moscow, its own definition wrong
}

// TestCalendar reads every calendar, bare or in a mail: each event that stands there is found, under its UID, and a calendar that
// is whole has no defect.
func TestCalendar(t *testing.T) {
	events := newScore("calendar events", floor{1, 103}, floor{1, 103})
	uids := newScore("calendar uids", floor{1, 103}, floor{1, 103})
	times := newScore("calendar times", floor{1, 21}, floor{1, 21})
	whole := newScore("calendar without a defect", floor{0.96, 104}, floor{0.97, 103}) // two bad dates, two that are none
	dir := folder(t, "calendar")
	for _, pattern := range []string{"*/*.ics", "*/*.eml"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			row, err := filepath.Rel(dir, file)
			if err != nil {
				t.Fatal(err)
			}
			m, text := calendarMail(t, file)
			whole.note(t, row, !hasDefect(m, parser.DefectCalendar), m.Defects, "")
			if text == "" {
				events.skip(t, row, "there is no calendar in it")
				continue
			}
			wantUIDs := calendarUIDs(text)
			var gotUIDs []string
			for i := range m.Calendar {
				gotUIDs = append(gotUIDs, m.Calendar[i].UID)
			}
			events.note(t, row, len(gotUIDs) == len(wantUIDs), len(gotUIDs), len(wantUIDs))
			uids.note(t, row, fmt.Sprint(gotUIDs) == fmt.Sprint(wantUIDs), gotUIDs, wantUIDs)
			if want, ok := calendarFacts[filepath.ToSlash(row)]; ok && len(m.Calendar) > 0 {
				got := calendarTime(m.Calendar[0].Start) + " " + calendarTime(m.Calendar[0].End)
				times.note(t, row, got == want, got, want)
			}
		}
	}
	for _, s := range []*score{events, uids, times, whole} {
		s.report(t)
	}
}

func hasDefect(m *parser.Message, code string) bool {
	for _, d := range m.Defects {
		if d.Code == code {
			return true
		}
	}
	return false
}

func calendarTime(t *calendar.Time) string {
	switch {
	case t == nil:
		return "none"
	case t.AllDay:
		return t.At.Format("2006-01-02")
	case t.Floating:
		return t.At.Format("2006-01-02T15:04:05Z~")
	}
	return t.At.Format("2006-01-02T15:04:05Z")
}

// calendarMail parses a mail, or a calendar as the attachment of one, and returns the text of the calendars in it.
func calendarMail(t *testing.T, file string) (m *parser.Message, text string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(file) == ".ics" {
		raw = append([]byte("Content-Type: text/calendar; charset=utf-8\r\nContent-Disposition: attachment; filename=invite.ics\r\n\r\n"), raw...)
	}
	m = parseMail(t, raw)
	var all bytes.Buffer
	for _, p := range m.Attachments {
		var b bytes.Buffer
		if _, err := b.ReadFrom(p.Open()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "BEGIN:") {
			all.WriteString(b.String() + "\n")
		}
	}
	return m, all.String()
}

// calendarUIDs finds the events of a text and the UID of each, by looking for lines: a second opinion that knows nothing of
// the format but folding.
func calendarUIDs(text string) []string {
	text = strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "").Replace(text)
	var uids []string
	for block := range strings.SplitSeq(text, "BEGIN:VEVENT") {
		block, _, ok := strings.Cut(block, "END:VEVENT")
		if !ok {
			continue
		}
		block, _, _ = strings.Cut(block, "BEGIN:VALARM")
		uid := ""
		for line := range strings.Lines(block) {
			if v, ok := strings.CutPrefix(line, "UID:"); ok {
				uid = strings.TrimSpace(v)
			}
		}
		uids = append(uids, uid)
	}
	return uids
}
