package parser

import (
	"strings"

	"github.com/letterhook/letterhook/parser/reply"
)

// cutReply fills Reply and ReplyHTML. It returns true where text or HTML were too large to be looked at.
func (m *Message) cutReply() (beyond bool) {
	if m.Text != nil {
		m.Reply = reply.Split(*m.Text)
		beyond = m.Reply.Confidence == 0
	}
	if m.HTML == nil || len(m.Reply.Segments) <= 1 && m.Text != nil && !mayQuote(*m.HTML) {
		return beyond
	}
	cut, tooLarge := reply.CutHTML(*m.HTML)
	if cut != "" {
		m.ReplyHTML = &cut
	}
	return beyond || tooLarge
}

// mayQuote is a quick look for the marks of a quote in HTML whose text has none; most mail is no reply.
func mayQuote(html string) bool {
	for _, mark := range []string{"quote", "QUOTE", "RplyFwdMsg", "appendonsend", "Spelling", "moz-cite", "reference-message"} {
		if strings.Contains(html, mark) {
			return true
		}
	}
	return false
}
