package parser

import (
	"strings"

	"github.com/letterhook/letterhook/parser/reply"
)

// cutReply fills Reply and ReplyHTML.
func (m *Message) cutReply() {
	if m.Text != nil {
		m.Reply = reply.Split(*m.Text)
	}
	if m.HTML == nil || len(m.Reply.Segments) <= 1 && m.Text != nil && !mayQuote(*m.HTML) {
		return
	}
	if cut, ok := reply.CutHTML(*m.HTML); ok {
		m.ReplyHTML = &cut
	}
}

// mayQuote is a quick look for the marks of a quote in HTML whose text has none; most mail is no reply.
func mayQuote(html string) bool {
	for _, mark := range []string{"blockquote", "BLOCKQUOTE", "quote", "divRplyFwdMsg", "appendonsend", "stopSpelling", "moz-cite", "reference-message"} {
		if strings.Contains(html, mark) {
			return true
		}
	}
	return false
}
