package dashboard

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/parser/reply"
	"github.com/letterhook/letterhook/storage"
)

// words are the functions of the templates.
func words(base string) template.FuncMap {
	return template.FuncMap{
		"link": func(path string) string { return base + path },
		"asset": func(name string) (string, error) {
			path, err := assetURL(name)
			return base + path, err
		},
		"ago":      func(t time.Time) string { return ago(t, time.Now()) },
		"past":     func(t time.Time) bool { return t.Before(time.Now()) },
		"exact":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 UTC") },
		"rfc3339":  func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"took":     took,
		"size":     size,
		"count":    count,
		"plural":   plural,
		"middle":   middle,
		"colour":   colour,
		"words":    stateWords,
		"join":     func(list []string) string { return strings.Join(list, ", ") },
		"refused":  refusalWords,
		"percent":  func(share float64) float64 { return share * 100 },
		"segments": segmentTypes,
	}
}

// segmentTypes are the types of the segments of a text, each once.
func segmentTypes(segments []reply.Segment) (types []reply.Type) {
	for _, s := range segments {
		if !slices.Contains(types, s.Type) {
			types = append(types, s.Type)
		}
	}
	return types
}

// ago is how long a time is past or ahead, in one unit.
func ago(t, now time.Time) string {
	d, form := now.Sub(t), "%d %s ago"
	if d < 0 {
		d, form = -d, "in %d %s"
	}
	switch {
	case d < time.Minute:
		return fmt.Sprintf(form, d/time.Second, "s")
	case d < time.Hour:
		return fmt.Sprintf(form, d/time.Minute, "min")
	case d < 24*time.Hour:
		return fmt.Sprintf(form, d/time.Hour, "h")
	}
	return fmt.Sprintf(form, d/(24*time.Hour), "d")
}

// took is a duration to three digits or so.
func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// size is a number of octets in units of 1024.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, units := float64(n)/unit, "KMGT"
	for value >= unit && len(units) > 1 {
		value, units = value/unit, units[1:]
	}
	return fmt.Sprintf("%.1f %ciB", value, units[0])
}

// count writes a number with commas between the thousands.
func count(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// middle shortens a text to about n characters by leaving out its middle: both ends tell more than it does.
func middle(n int, text string) string {
	length := utf8.RuneCountInString(text)
	if length <= n {
		return text
	}
	runes := []rune(text)
	head := (n - 1) * 3 / 5
	return string(runes[:head]) + "…" + string(runes[length-(n-1-head):])
}

// colour is the one of a state, see the style sheet.
func colour(state string) string {
	switch state {
	case storage.StateDelivered, "enabled", "ok", "accepted", "running", "made", "pass":
		return "green"
	case storage.StateRetrying, "failing", "broken", "resting", "advice", "paused", "softfail", "temperror", "warning":
		return "amber"
	case storage.StateDead, storage.StateRefused, storage.StateWithdrawn, "disabled", "missing", "wrong", "fail", "permerror", "failed":
		return "red"
	}
	return "grey"
}

// outcomeWords are what people call the outcome of an attempt that failed.
func outcomeWords(outcome string) string {
	switch outcome {
	case dispatch.OutcomeStatus:
		return "another answer than 2xx"
	case dispatch.OutcomeRefused:
		return "connection refused"
	case dispatch.OutcomeTimeout:
		return "no answer in time"
	case dispatch.OutcomeReset:
		return "connection broken"
	case dispatch.OutcomeDNS:
		return "name not found"
	case dispatch.OutcomeTLS:
		return "no TLS session"
	case dispatch.OutcomeBlocked:
		return "address not allowed"
	}
	return strings.ReplaceAll(outcome, "_", " ")
}

// stateWords are what people call a state.
func stateWords(state string) string {
	switch state {
	case storage.StatePending:
		return "waiting"
	case storage.StateHeld:
		return "held for an answer"
	case storage.StateWithdrawn:
		return "put off"
	}
	return state
}
