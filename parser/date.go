package parser

import (
	"strconv"
	"strings"
	"time"
)

// parseDate reads a date-time (RFC 5322 section 3.3) with its obsolete forms, and what else is sent: no day of the week, no
// seconds, asctime order, names and offsets of zones in any place, RFC 3339. A date without a zone is taken as UTC.
func parseDate(s string) (time.Time, bool) {
	s = strings.TrimSpace(stripComments(s))
	if len(s) > 4 && (s[4] == '-' || s[4] == '/') {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return t.UTC(), t.Year() > 0
		}
		s = yearLast(s)
	}
	for _, loose := range []string{" :", ": "} { // hh : mm (RFC 5322 section 4.3)
		s = strings.ReplaceAll(s, loose, ":")
	}
	d := dateParser{day: -1, year: -1, month: -1, hour: -1}
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
	for _, w := range words[:min(len(words), 16)] {
		d.word(w)
	}
	return d.time()
}

// yearLast turns 2026-11-21, which stands at the beginning, round.
func yearLast(s string) string {
	date, rest, _ := strings.Cut(s, " ")
	parts := strings.FieldsFunc(date, func(r rune) bool { return r == '-' || r == '/' })
	if len(parts) != 3 {
		return s
	}
	month, err := strconv.Atoi(parts[1])
	if err != nil || month < 1 || month > 12 {
		return s
	}
	return parts[2] + " " + time.Month(month).String() + " " + parts[0] + " " + rest
}

type dateParser struct {
	day, year, hour, minute, second int
	month                           int
	noon                            string // "am" or "pm"; empty of a clock of 24 hours
	offset                          int    // seconds east
	zoned                           bool
}

func (d *dateParser) word(w string) {
	switch {
	case strings.Contains(w, ":") && d.hour < 0:
		d.clock(w)
	case d.hour < 0 && d.year >= 0 && strings.Count(w, ".") == 2 && isDigit(w[0]):
		d.clock(strings.ReplaceAll(w, ".", ":"))
	case w[0] == '+' || w[0] == '-' && len(w) > 1 && isDigit(w[1]):
		d.zone(w)
	case isDigit(w[0]):
		d.number(w)
	default:
		if d.monthName(w) {
			return
		}
		if i := strings.IndexAny(w, "+-"); i > 0 && d.hour >= 0 {
			d.zone(w[i:]) // GMT+0200
			return
		}
		if noon := strings.ToLower(strings.ReplaceAll(w, ".", "")); noon == "am" || noon == "pm" {
			d.noon = noon
			return
		}
		if d.hour >= 0 && !d.zoned {
			d.zoneName(w)
		}
	}
}

// clock reads hh:mm or hh:mm:ss, with a fraction or a zone stuck to it.
func (d *dateParser) clock(w string) {
	if i := strings.IndexAny(w, "+-"); i > 0 {
		d.zone(w[i:])
		w = w[:i]
	}
	for _, noon := range []string{"am", "pm"} {
		if n := len(w) - len(noon); n > 0 && strings.EqualFold(w[n:], noon) {
			d.noon, w = noon, w[:n]
		}
	}
	parts := strings.SplitN(w, ":", 3)
	if len(parts) < 2 {
		return
	}
	hour, err := strconv.Atoi(parts[0])
	minute, minuteErr := strconv.Atoi(parts[1])
	if err != nil || minuteErr != nil {
		return
	}
	d.hour, d.minute = hour, minute
	if len(parts) == 3 {
		second, _, _ := strings.Cut(parts[2], ".")
		d.second, _ = strconv.Atoi(strings.TrimRight(second, "Zz"))
	}
}

// number reads a day or a year, or a day-month-year in one word.
func (d *dateParser) number(w string) {
	if strings.ContainsAny(w, "-/.") {
		for _, part := range strings.FieldsFunc(w, func(r rune) bool { return r == '-' || r == '/' || r == '.' }) {
			if isDigit(part[0]) {
				d.number(part)
			} else {
				d.monthName(part)
			}
		}
		return
	}
	n, err := strconv.Atoi(w)
	switch {
	case err != nil:
	case d.day < 0 && len(w) <= 2:
		d.day = n
	case d.year < 0:
		// RFC 5322 section 4.3
		switch {
		case len(w) == 2 && n < 50:
			n += 2000
		case len(w) <= 3:
			n += 1900
		}
		d.year = n
	}
}

func (d *dateParser) monthName(w string) bool {
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	if len(w) < 3 || d.month >= 0 {
		return false
	}
	i := strings.Index(names, strings.ToLower(w[:3]))
	if i < 0 || i%3 != 0 {
		return false
	}
	d.month = i/3 + 1
	return true
}

// zone reads "+hhmm" and what resembles it.
func (d *dateParser) zone(w string) {
	digits := strings.ReplaceAll(w[1:], ":", "")
	n, err := strconv.Atoi(digits)
	if err != nil || len(digits) > 4 || d.zoned {
		return
	}
	if len(digits) <= 2 {
		n *= 100
	}
	d.offset = (n/100*60 + n%100) * 60
	if w[0] == '-' {
		d.offset = -d.offset
	}
	d.zoned = true
}

// zoneName reads the names of RFC 5322 section 4.3. Any other says nothing, and counts as UTC.
func (d *dateParser) zoneName(w string) {
	hours := 0
	switch strings.ToUpper(w) {
	case "EDT":
		hours = -4
	case "EST", "CDT":
		hours = -5
	case "CST", "MDT":
		hours = -6
	case "MST", "PDT":
		hours = -7
	case "PST":
		hours = -8
	case "UT", "UTC", "GMT", "Z":
	default:
		return
	}
	d.offset, d.zoned = hours*3600, true
}

func (d *dateParser) time() (time.Time, bool) {
	switch {
	case d.noon == "am" && d.hour == 12:
		d.hour = 0
	case d.noon == "pm" && d.hour > 0 && d.hour < 12:
		d.hour += 12
	}
	if d.day < 1 || d.day > 31 || d.month < 1 || d.year < 1 || d.year > 9999 || d.hour > 23 || d.minute < 0 || d.minute > 59 ||
		d.second < 0 || d.second > 60 || d.offset <= -24*3600 || d.offset >= 24*3600 {
		return time.Time{}, false
	}
	t := time.Date(d.year, time.Month(d.month), d.day, max(d.hour, 0), d.minute, d.second, 0, time.UTC)
	if t.Day() != d.day && d.second < 60 {
		return time.Time{}, false // 31 February
	}
	t = t.Add(-time.Duration(d.offset) * time.Second)
	return t, t.Year() > 0 && t.Year() <= 9999
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
