package calendar

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// observance is the standard or the daylight saving time of a zone that a calendar defines (RFC 5545 section 3.6.5): from
// when on, and from which day of each year if it comes again. The rules are those that programs write, a day of a month; in full a
// rule is a program that a stranger would have us run.
type observance struct {
	start    time.Time // the wall clock under the offset before
	from, to time.Duration
	rule     *yearly // nil: once
}

// yearly is a day in each year.
type yearly struct {
	month    time.Month
	nth      int // of the weekday in the month, from its end when negative; 0: see days
	weekday  time.Weekday
	anyDay   bool  // no weekday is named
	days     []int // of the month, among which the first right one is meant
	interval int
	until    time.Time // zero: for ever
}

func observances(zone *ical.Component) []observance {
	var list []observance
	for _, c := range zone.Children {
		start, err := time.Parse(layoutTime, strings.TrimSuffix(value(c.Props, ical.PropDateTimeStart), "Z"))
		from, fromOK := offset(value(c.Props, ical.PropTimezoneOffsetFrom))
		to, toOK := offset(value(c.Props, ical.PropTimezoneOffsetTo))
		if !toOK || len(list) == mostZones {
			continue
		}
		if !fromOK {
			from = to
		}
		if err != nil {
			start = time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		list = append(list, observance{start: start, from: from, to: to, rule: rule(value(c.Props, ical.PropRecurrenceRule), start)})
	}
	return list
}

// offset reads a UTC-OFFSET (RFC 5545 section 3.3.14).
func offset(s string) (time.Duration, bool) {
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	n, err := strconv.Atoi((s[1:] + "00")[:6])
	if err != nil || n < 0 {
		return 0, false
	}
	d := time.Duration(n/10000)*time.Hour + time.Duration(n/100%100)*time.Minute + time.Duration(n%100)*time.Second
	if s[0] == '-' {
		d = -d
	}
	return d, true
}

// longestInterval is more years than any clock is left alone by a rule.
const longestInterval = 10

// rule reads a RRULE (RFC 5545 section 3.3.10); nil for one that is not of the kind that zones have.
func rule(s string, start time.Time) *yearly {
	parts := map[string]string{}
	for p := range strings.SplitSeq(strings.ToUpper(s), ";") {
		key, v, _ := strings.Cut(p, "=")
		parts[key] = v
	}
	if parts["FREQ"] != "YEARLY" {
		return nil
	}
	r := &yearly{month: start.Month(), days: []int{start.Day()}, anyDay: true, interval: 1}
	if m, err := strconv.Atoi(parts["BYMONTH"]); err == nil && m >= 1 && m <= 12 {
		r.month = time.Month(m)
	}
	if n, err := strconv.Atoi(parts["INTERVAL"]); err == nil && n > 1 {
		r.interval = min(n, longestInterval)
	}
	if days := parts["BYMONTHDAY"]; days != "" {
		r.days = nil
		for d := range strings.SplitSeq(days, ",") {
			if n, err := strconv.Atoi(d); err == nil && n >= 1 && n <= 31 && len(r.days) < 31 {
				r.days = append(r.days, n)
			}
		}
		slices.Sort(r.days)
	}
	if day := parts["BYDAY"]; len(day) >= 2 {
		at := strings.Index("SUMOTUWETHFRSA", day[len(day)-2:])
		if at < 0 || at%2 > 0 {
			return nil
		}
		r.weekday, r.anyDay = time.Weekday(at/2), false
		if n, err := strconv.Atoi(day[:len(day)-2]); err == nil && n >= -5 && n <= 5 {
			r.nth = n
		}
		if n, err := strconv.Atoi(parts["BYSETPOS"]); err == nil && n >= -5 && n <= 5 && r.nth == 0 {
			r.nth = n
		}
		if r.nth == 0 && parts["BYMONTHDAY"] == "" {
			r.nth = 1
		}
	}
	if until, err := time.Parse(layoutTime, strings.TrimSuffix(parts["UNTIL"], "Z")); err == nil {
		r.until = until
	}
	return r
}

// onset is when the rule comes in a year; false when it does not.
func (r *yearly) onset(year int, start time.Time) (time.Time, bool) {
	at := func(day int) time.Time {
		return time.Date(year, r.month, day, start.Hour(), start.Minute(), start.Second(), 0, time.UTC)
	}
	if (year-start.Year())%r.interval != 0 {
		return time.Time{}, false
	}
	var t time.Time
	found := true
	switch {
	case r.nth > 0:
		first := at(1)
		t = first.AddDate(0, 0, int(r.weekday-first.Weekday()+7)%7+7*(r.nth-1))
	case r.nth < 0:
		last := at(1).AddDate(0, 1, -1)
		t = last.AddDate(0, 0, -int(last.Weekday()-r.weekday+7)%7+7*(r.nth+1))
	default:
		found = slices.ContainsFunc(r.days, func(day int) bool {
			t = at(day)
			return r.anyDay || t.Weekday() == r.weekday
		})
	}
	return t, found && t.Month() == r.month && !t.Before(start) && (r.until.IsZero() || !t.After(r.until.Add(24*time.Hour)))
}

// offsetAt is the offset of a wall clock: that of the observance which began last before it.
func offsetAt(list []observance, local time.Time) time.Duration {
	var best time.Time
	found := false
	chosen := list[0].from
	consider := func(t time.Time, to time.Duration) {
		if !t.After(local) && (!found || t.After(best)) {
			best, chosen, found = t, to, true
		}
	}
	for _, o := range list {
		consider(o.start, o.to)
		if o.rule == nil {
			continue
		}
		for year := local.Year() - o.rule.interval; year <= local.Year(); year++ {
			if t, ok := o.rule.onset(year, o.start); ok {
				consider(t, o.to)
			}
		}
	}
	return chosen
}
