package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// printDetail writes all that is known of an attempt, for people.
func printDetail(w io.Writer, a *storage.Attempt) {
	d := &a.Detail
	fmt.Fprintf(w, "\nAttempt %d: %s\n", a.N, printable(strings.Join(nonEmpty(a.Outcome, status(a.Status), d.Error), ", "), false))
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "  %-9s %s\n", name, printable(text, false))
		}
	}
	connection := d.RemoteAddr
	if d.Reused {
		connection += ", a connection that was there"
	}
	line("address", connection)
	line("TLS", strings.TrimSpace(d.TLSVersion+" "+d.TLSCipher))
	line("times", describeTimes(a))
	if r := d.Request; r != nil {
		line("request", fmt.Sprintf("POST %s, %s", r.URL, plural(r.Size, "octet")))
		printFields(w, r.Header)
	}
	if a.Status == 0 {
		return
	}
	line("answer", status(a.Status))
	printFields(w, d.Header)
	if d.Body == "" {
		return
	}
	for text := range strings.Lines(printable(d.Body, true)) {
		fmt.Fprintf(w, "            | %s\n", strings.TrimRight(text, "\n"))
	}
	if d.Truncated {
		fmt.Fprintln(w, "            (there was more)")
	}
}

func printFields(w io.Writer, fields map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(w, "            %s: %s\n", printable(name, false), printable(fields[name], false))
	}
}

func describeTimes(a *storage.Attempt) string {
	var parts []string
	add := func(name string, us int64) {
		if us > 0 {
			parts = append(parts, name+" "+roundTime(time.Duration(us)*time.Microsecond))
		}
	}
	if t := a.Detail.Times; t != nil {
		add("DNS", t.DNS)
		add("connect", t.Connect)
		add("TLS", t.TLS)
		add("request out after", t.Wrote)
		add("first byte after", t.FirstByte)
	}
	add("total", a.Duration.Microseconds())
	return strings.Join(parts, ", ")
}

// roundTime leaves three digits or so.
func roundTime(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

func nonEmpty(words ...string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}
