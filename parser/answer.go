package parser

import "github.com/letterhook/letterhook/parser/reply"

// cutReply fills Reply and ReplyHTML.
func (m *Message) cutReply() {
	if m.Text != nil {
		m.Reply = reply.Split(*m.Text)
	}
}
