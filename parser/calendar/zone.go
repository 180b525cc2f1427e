package calendar

import (
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are the same on a host that has none

	"github.com/emersion/go-ical"
)

// zones resolves the zones that a calendar names, in this order: a name of the IANA database, also behind the prefix that
// some programs put in front of it; a name of Windows; what the calendar itself defines; an offset written as a name.
type zones struct {
	known   map[string]*time.Location // nil where there is none
	defined map[string][]observance
}

func newZones(cal *ical.Component) *zones {
	z := &zones{known: map[string]*time.Location{}, defined: map[string][]observance{}}
	for _, c := range cal.Children {
		if c.Name == ical.CompTimezone {
			z.defined[value(c.Props, ical.PropTimezoneID)] = observances(c)
		}
	}
	return z
}

const (
	layoutDate = "20060102"
	layoutTime = "20060102T150405"
)

// time reads a DATE or DATE-TIME (RFC 5545 sections 3.3.4 and 3.3.5). ok is false for one that cannot be read; an absent one
// is nil.
func (z *zones) time(p *ical.Prop) (t *Time, ok bool) {
	if p == nil {
		return nil, true
	}
	v := strings.ToUpper(strings.TrimSpace(p.Value))
	if day, err := time.Parse(layoutDate, v); err == nil {
		return &Time{At: day, AllDay: true}, true
	}
	v, utc := strings.CutSuffix(v, "Z")
	local, err := time.Parse(layoutTime, v)
	if err != nil {
		if local, err = time.Parse("20060102T1504", v); err != nil {
			return nil, false
		}
	}
	if utc {
		return &Time{At: local}, true
	}
	tzid := strings.TrimSpace(p.Params.Get(ical.ParamTimezoneID))
	t = &Time{TZID: tzid}
	if t.At, ok = z.at(local, tzid); !ok {
		t.At, t.Floating = local, true
	}
	return t, true
}

// at is the instant of a wall clock in a zone.
func (z *zones) at(local time.Time, tzid string) (time.Time, bool) {
	if tzid == "" {
		return time.Time{}, false
	}
	loc, seen := z.known[tzid]
	if !seen {
		loc = location(tzid)
		z.known[tzid] = loc
	}
	if loc != nil {
		return time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, loc).UTC(), true
	}
	if list := z.defined[tzid]; len(list) > 0 {
		return local.Add(-offsetAt(list, local)), true
	}
	if offset, ok := offsetName(tzid); ok {
		return local.Add(-offset), true
	}
	return time.Time{}, false
}

// longestZone is more than the longest name of the database; nothing longer is looked up.
const longestZone = 64

// location finds a zone by name; nil if nobody knows it.
func location(tzid string) *time.Location {
	if iana, ok := windowsZones[tzid]; ok {
		tzid = iana
	}
	if loc := load(tzid); loc != nil {
		return loc
	}
	// "/freeassociation.sourceforge.net/Europe/Rome", "/mozilla.org/20050126_1/America/Argentina/Buenos_Aires"
	if rest, ok := strings.CutPrefix(tzid, "/"); ok {
		words := strings.Split(rest[max(0, len(rest)-longestZone):], "/")
		for n := min(3, len(words)); n > 1; n-- {
			if loc := load(strings.Join(words[len(words)-n:], "/")); loc != nil {
				return loc
			}
		}
	}
	return nil
}

func load(name string) *time.Location {
	if name == "" || name == "Local" || len(name) > longestZone || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-") != "" {
		return nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return loc
}

// offsetName reads names like "UTC+11", "GMT-0300" and "(UTC-03:00) Brasília".
func offsetName(tzid string) (offset time.Duration, ok bool) {
	s := strings.TrimPrefix(tzid, "(")
	s, utc := strings.CutPrefix(s, "UTC")
	if !utc {
		if s, ok = strings.CutPrefix(s, "GMT"); !ok {
			return 0, false
		}
	}
	s = strings.TrimLeft(s, " ")
	if s == "" {
		return 0, true
	}
	digits := strings.TrimLeft(s[1:], "0123456789:")
	number := strings.ReplaceAll(s[1:len(s)-len(digits)], ":", "")
	if len(number) <= 2 {
		number += "00"
	}
	n, err := strconv.Atoi(number)
	if err != nil || n > 1500 || n%100 > 59 {
		return 0, false
	}
	offset = time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute
	switch s[0] {
	case '+':
		return offset, true
	case '-':
		return -offset, true
	}
	return 0, false
}
