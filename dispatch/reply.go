package dispatch

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/letterhook/letterhook/parser"
)

// replyOf is the reply as the parser found it.
func replyOf(msg *parser.Message) Reply {
	r := Reply{HTML: msg.ReplyHTML, Segments: make([]Segment, len(msg.Reply.Segments)), Confidence: msg.Reply.Confidence}
	if msg.Text != nil {
		r.Text = &msg.Reply.Text
	}
	for i, s := range msg.Reply.Segments {
		r.Segments[i] = Segment{Type: string(s.Type), Text: s.Text}
	}
	return r
}

const segmentReply = "reply" // the type of the segments that make Reply.Text

// own is what the author wrote, as the segments have it, and where in that the reply begins and ends.
func (r *Reply) own() (joined string, from, to int) {
	var b strings.Builder
	for _, s := range r.Segments {
		if s.Type == segmentReply {
			b.WriteString(s.Text)
		}
	}
	joined = b.String()
	from = len(joined) - len(strings.TrimLeftFunc(joined, unicode.IsSpace))
	return joined, from, from + len(strings.TrimSpace(joined))
}

// clipTo cuts the reply to the first n octets of the text that it was taken from. whole says that the reply is all of the text.
func (r *Reply) clipTo(text string, n int) {
	whole := r.Text != nil && *r.Text == text
	var kept []Segment // a new list: other events may share the old one
	for at, i := 0, 0; at < n; i++ {
		s := r.Segments[i]
		s.Text = s.Text[:min(len(s.Text), n-at)]
		kept = append(kept, s)
		at += len(s.Text)
	}
	if r.Segments = kept; kept == nil {
		r.Segments = []Segment{}
	}
	left := text[:n]
	if !whole {
		joined, from, to := r.own()
		left = joined[from:max(from, to)]
	}
	r.Text = &left
}

// clipBy finds how many octets of the text to keep so that its JSON becomes at least excess octets shorter. A character stands
// in the text, in a segment, and mostly in the reply.
func (r *Reply) clipBy(text string, excess int) (n int) {
	const copies = 2
	joined, from, to := r.own()
	at, n := len(joined), len(text)
	whole := r.Text != nil && *r.Text == text
	for i := len(r.Segments) - 1; i >= 0 && excess > 0; i-- {
		s := &r.Segments[i]
		rest := s.Text
		for rest != "" && excess > 0 {
			c, size := utf8.DecodeLastRuneInString(rest)
			rest = rest[:len(rest)-size]
			n -= size
			times := copies
			if s.Type == segmentReply {
				at -= size
			}
			if whole || s.Type == segmentReply && at >= from && at < to {
				times++
			}
			excess -= times * jsonSize(c, size)
		}
		if rest == "" {
			excess -= len(`{"type":"","text":""},`) + len(s.Type)
		}
	}
	return n
}
