package calendar

import (
	"slices"
	"strings"
)

// cleaner writes a calendar anew: the components and properties that are of use, unfolded, in lines that the library
// cannot stumble over.
type cleaner struct {
	lim Limits
	out strings.Builder

	open      []string // components that are being written
	skip      []string // components within them that are not; bounded by mostOpen
	bare      bool     // there was no calendar around what is open
	calendars int
	events    int
	attendees int // of the event
	zones     int
	damaged   bool
	more      bool
}

const (
	longestValue     = 2 << 10 // octets of a value that are kept
	longestParameter = 255     // octets of a parameter that are kept
	mostOpen         = 32      // components that are skipped within each other
	mostZones        = 100     // definitions of zones, and changes of the clock in one
)

// wanted is what is read of each component.
var wanted = map[string][]string{
	"VCALENDAR": {"METHOD"},
	"VEVENT":    {"UID", "SUMMARY", "DTSTART", "DTEND", "DURATION", "ORGANIZER", "ATTENDEE", "SEQUENCE", "STATUS"},
	"VTIMEZONE": {"TZID"},
	"STANDARD":  {"DTSTART", "RRULE", "TZOFFSETFROM", "TZOFFSETTO"},
	"DAYLIGHT":  {"DTSTART", "RRULE", "TZOFFSETFROM", "TZOFFSETTO"},
}

// parents says where a component may stand.
var parents = map[string]string{"VCALENDAR": "", "VEVENT": "VCALENDAR", "VTIMEZONE": "VCALENDAR", "STANDARD": "VTIMEZONE", "DAYLIGHT": "VTIMEZONE"}

// read takes the text line by line, unfolded (RFC 5545 section 3.1).
func (c *cleaner) read(text string) {
	text = strings.TrimPrefix(text, "\ufeff")
	for text != "" {
		var line string
		line, text = unfold(text)
		c.line(line)
	}
	c.damaged = c.damaged || len(c.open) > 1 || len(c.open) == 1 && !c.bare
	c.closeTo(0)
}

// unfold cuts the first content line off. Of a long one the begin is returned.
func unfold(text string) (line, rest string) {
	first, rest := cutLine(text)
	if !folded(rest) {
		return first, rest
	}
	var b strings.Builder
	b.WriteString(first)
	for folded(rest) {
		first, rest = cutLine(rest[1:])
		if b.Len() < 2*longestValue {
			b.WriteString(first)
		}
	}
	return b.String(), rest
}

func folded(rest string) bool { return rest != "" && (rest[0] == ' ' || rest[0] == '\t') }

func cutLine(text string) (line, rest string) {
	line, rest, _ = strings.Cut(text, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// line takes one content line.
func (c *cleaner) line(line string) {
	name, params, value, ok := splitLine(line)
	switch {
	case name == "BEGIN" && ok:
		c.begin(strings.ToUpper(strings.TrimSpace(value)))
	case name == "END" && ok:
		c.end(strings.ToUpper(strings.TrimSpace(value)))
	case len(c.open) > 0 && len(c.skip) == 0 && slices.Contains(wanted[c.open[len(c.open)-1]], name):
		if !ok {
			c.damaged = true
			return
		}
		c.property(name, params, value)
	}
}

// begin opens a component, or begins to skip it.
func (c *cleaner) begin(name string) {
	parent, known := parents[name]
	if len(c.skip) > 0 || !known {
		if len(c.open) > 0 && len(c.skip) < mostOpen {
			c.skip = append(c.skip, name)
		}
		return
	}
	switch {
	case parent == "":
		c.damaged = c.damaged || len(c.open) > 0 && !c.bare // the one before has no end
		c.closeTo(0)
		c.calendars++
		c.bare = false
	case len(c.open) == 0 && parent == "VCALENDAR":
		c.write("BEGIN", "", "VCALENDAR") // events are also sent bare
		c.open = append(c.open, "VCALENDAR")
		c.calendars++
		c.bare = true
	}
	if at := lastIndex(c.open, parent); parent != "" && at < 0 {
		return // STANDARD outside of a zone
	} else if parent != "" && at < len(c.open)-1 {
		c.damaged = true // what stands between has no end
		c.closeTo(at + 1)
	}
	switch {
	case name == "VEVENT" && c.events == c.lim.Events, name == "VTIMEZONE" && c.zones == mostZones:
		c.more = true
		c.skip = append(c.skip, name)
		return
	case name == "VEVENT":
		c.events++
		c.attendees = 0
	case name == "VTIMEZONE":
		c.zones++
	}
	c.open = append(c.open, name)
	c.write("BEGIN", "", name)
}

// end closes a component, and those within it that were left open.
func (c *cleaner) end(name string) {
	if len(c.skip) > 0 {
		if at := lastIndex(c.skip, name); at >= 0 {
			c.skip = c.skip[:at]
			return
		}
		if lastIndex(c.open, name) < 0 {
			return
		}
		c.skip, c.damaged = nil, true
	}
	if at := lastIndex(c.open, name); at >= 0 {
		c.damaged = c.damaged || at < len(c.open)-1
		c.closeTo(at)
	}
}

func lastIndex(list []string, s string) int {
	for i, x := range slices.Backward(list) {
		if x == s {
			return i
		}
	}
	return -1
}

// closeTo closes components until so many are open.
func (c *cleaner) closeTo(depth int) {
	for i := len(c.open) - 1; i >= depth; i-- {
		c.write("END", "", c.open[i])
	}
	c.open = c.open[:min(depth, len(c.open))]
	c.skip = nil
}

// property writes a property with the parameters that are of use.
func (c *cleaner) property(name, params, value string) {
	if name == "ATTENDEE" {
		if c.attendees == c.lim.Attendees {
			c.more = true
			return
		}
		c.attendees++
	}
	var kept strings.Builder
	for _, p := range []string{"TZID", "VALUE", "EMAIL"} {
		if v := parameter(params, p); v != "" {
			kept.WriteString(";" + p + `="` + v + `"`)
		}
	}
	c.write(name, kept.String(), value)
}

// write writes a line. Control characters in a value would end it, and a long one is cut.
func (c *cleaner) write(name, params, value string) {
	if len(value) > longestValue {
		value, c.more = strings.ToValidUTF8(value[:longestValue], ""), true
	}
	c.out.WriteString(name)
	c.out.WriteString(params)
	c.out.WriteByte(':')
	c.out.WriteString(strings.Map(printable, value))
	c.out.WriteString("\r\n")
}

func printable(r rune) rune {
	if r < ' ' && r != '\t' || r == 0x7f {
		return ' '
	}
	return r
}

// splitLine divides a content line at the first colon outside of quotes; a quote that is never closed does not count. Without a
// colon ok is false.
func splitLine(line string) (name, params, value string, ok bool) {
	line = line[:min(len(line), 4*longestValue)]
	end := strings.IndexAny(line, ";:")
	if end < 0 {
		return strings.ToUpper(strings.TrimSpace(line)), "", "", false
	}
	name = strings.ToUpper(strings.TrimSpace(line[:end]))
	quoted := false
	for i := end; i < len(line); i++ {
		switch {
		case line[i] == '"':
			quoted = !quoted && strings.IndexByte(line[i+1:min(len(line), i+longestValue)], '"') >= 0
		case line[i] == ':' && !quoted:
			return name, line[end:i], line[i+1:], true
		}
	}
	return name, "", "", false
}

// parameter finds a parameter and takes its quotes off.
func parameter(params, name string) string {
	for params != "" {
		var p string
		params = strings.TrimPrefix(params, ";")
		end, quoted := len(params), false
		for i := range len(params) {
			if params[i] == '"' {
				quoted = !quoted
			}
			if params[i] == ';' && !quoted {
				end = i
				break
			}
		}
		p, params = params[:end], params[end:]
		key, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			v = strings.TrimSpace(v)
			v = strings.ToValidUTF8(v[:min(len(v), longestParameter)], "")
			return strings.Map(printable, strings.ReplaceAll(v, `"`, ""))
		}
	}
	return ""
}
