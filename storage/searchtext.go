package storage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// searchStates are the states of a message that a [Search] knows.
var searchStates = []string{
	StatePending, StateRetrying, StateDelivered, StateDead, StateFiltered, StateMissed, StateHeld, StateWithdrawn, StateRefused,
}

// ParseSearch reads what people type into a search box: words, and keys with a value behind a colon, which may stand in double
// quotes: to, from, subject, domain, id, message-id, kind, state, endpoint (an id), before and after (a date, a time in RFC 3339,
// or an age such as 2h or 7d). A word with another colon in it is a word. The error is for the one who typed; the search is then
// what could be read.
func ParseSearch(text string, now time.Time) (Search, error) {
	var s Search
	var faults []error
	for _, w := range splitSearch(text) {
		key, value, ok := strings.Cut(w, ":")
		set := s.setter(strings.ToLower(key), now)
		if !ok || set == nil {
			s.word(w)
			continue
		}
		if value == "" {
			continue // it is still being typed
		}
		if err := set(value); err != nil {
			faults = append(faults, err)
		}
	}
	return s, errors.Join(faults...)
}

// word takes a word without a key. One that can only be an id is one.
func (s *Search) word(w string) {
	if _, ok := messageOf(w); ok {
		s.ID = w
		return
	}
	s.Words = append(s.Words, w)
}

// setter gives what a key does with its value; nil: it is no key.
func (s *Search) setter(key string, now time.Time) func(string) error {
	text := func(field *string) func(string) error {
		return func(v string) error {
			*field = v
			return nil
		}
	}
	moment := func(field *time.Time) func(string) error {
		return func(v string) (err error) {
			*field, err = parseMoment(v, now)
			return err
		}
	}
	switch key {
	case "to":
		return text(&s.To)
	case "from":
		return text(&s.From)
	case "subject":
		return text(&s.Subject)
	case "domain":
		return text(&s.Domain)
	case "id":
		return text(&s.ID)
	case "message-id":
		return text(&s.MessageID)
	case "kind":
		return text(&s.Kind)
	case "endpoint":
		return text(&s.Endpoint)
	case "state":
		return func(v string) error {
			if !slices.Contains(searchStates, v) {
				return fmt.Errorf("state: is one of %s, not %q", strings.Join(searchStates, ", "), v)
			}
			s.State = v
			return nil
		}
	case "before":
		return moment(&s.Until)
	case "after", "since":
		return moment(&s.Since)
	}
	return nil
}

// parseMoment reads a time, or how long ago it was.
func parseMoment(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			return t, nil
		}
	}
	age := text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		age = days + "h"
	}
	d, err := time.ParseDuration(age)
	if err != nil || d < 0 {
		return time.Time{}, fmt.Errorf("%q is no time: write 2026-11-25, 2026-11-25T18:30:00Z or an age such as 2h or 7d", text)
	}
	if age != text {
		d *= 24
	}
	return now.Add(-d), nil
}

// splitSearch splits at spaces outside of double quotes, which are removed.
func splitSearch(text string) (list []string) {
	var b strings.Builder
	quoted, begun := false, false
	flush := func() {
		if begun {
			list = append(list, b.String())
		}
		b.Reset()
		begun = false
	}
	for _, r := range text {
		switch {
		case r == '"':
			quoted, begun = !quoted, true
		case (r == ' ' || r == '\t' || r == '\n' || r == '\r') && !quoted:
			flush()
		default:
			begun = true
			b.WriteRune(r)
		}
	}
	flush()
	return list
}
