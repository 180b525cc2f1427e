package reply

import "strings"

// Type says what a segment of a mail is.
type Type string

// The types of segments. An answer given between the lines of a quote needs them to be understood, so that a quote with an
// answer below it is part of the reply.
const (
	TypeReply       Type = "reply"       // what the author wrote
	TypeAttribution Type = "attribution" // says whose words follow: "On Monday Bob wrote:", a header block, "Original Message"
	TypeQuote       Type = "quote"       // a mail that the author answers
	TypeSignature   Type = "signature"   // below "-- ", or put there by the program: "Sent from my iPhone"; the footer of a list
	TypeDisclaimer  Type = "disclaimer"  // legal text and the notes of virus scanners
	TypeForwarded   Type = "forwarded"   // a mail that the author passes on, with its header
)

// Segment is a piece of a text.
type Segment struct {
	Type Type
	Text string
}

// Reply is a text taken apart.
type Reply struct {
	// Text is the segments of type reply, joined, without white space around. Where nothing was cut off it is the whole
	// text as it was, and so it is where the mail is nothing but a forwarded one. It is empty where the author wrote
	// nothing: an empty text, a mere quote, a mere "Sent from my iPhone".
	Text string
	// Segments joined are the text. Nil for an empty text.
	Segments []Segment
	// Confidence goes from 0 to 1: how far the weakest of the decisions can be relied on. Below 0.8 somebody should be
	// able to see the whole text. 0: the text has too many lines, nothing was tried.
	Confidence float64
}

// Split takes a text apart. Line ends may be LF or CR LF. It is linear in the text.
func Split(text string) Reply {
	if text == "" {
		return Reply{Confidence: 1}
	}
	d := readLines(text)
	if d == nil {
		return Reply{Text: text, Segments: []Segment{{TypeReply, text}}}
	}
	d.judge()
	return d.reply()
}

// reply puts the lines that were judged together.
func (d *document) reply() Reply {
	r := Reply{Confidence: d.confidence}
	for i := 0; i < len(d.lines); {
		first := i
		for i < len(d.lines) && d.lines[i].is == d.lines[first].is {
			i++
		}
		r.Segments = append(r.Segments, Segment{d.lines[first].is.name(), d.text[d.lines[first].start:d.startOf(i)]})
	}
	if len(r.Segments) == 1 && r.Segments[0].Type == TypeReply || d.forwardOnly {
		r.Text = d.text
		return r
	}
	r.Text = ownText(r.Segments)
	return r
}

// startOf is where a line begins in the text; behind the last line it is the end.
func (d *document) startOf(i int) int {
	if i >= len(d.lines) {
		return len(d.text)
	}
	return int(d.lines[i].start)
}

// ownText joins what the author wrote. It mostly stands in one piece, and is not copied then.
func ownText(segments []Segment) string {
	var pieces []string
	for _, s := range segments {
		if s.Type == TypeReply {
			pieces = append(pieces, s.Text)
		}
	}
	return strings.TrimSpace(strings.Join(pieces, ""))
}
