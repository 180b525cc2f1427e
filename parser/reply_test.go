package parser_test

import (
	"testing"
)

const htmlReply = "<html><body><p>Ja, gern.</p><div>Am 1. Mai 2023 um 10:00 schrieb Bob &lt;bob@example.de&gt;:</div><blockquote><p>Kommst du?</p></blockquote></body></html>\r\n"

// A message fills Reply from its text, made of HTML or not, and ReplyHTML where there is something to cut.
func TestReply(t *testing.T) {
	const text = "Ja, gern.\r\n\r\nAm 1. Mai 2023 um 10:00 schrieb Bob <bob@example.de>:\r\n> Kommst du?\r\n"
	const cut = "<html><body><p>Ja, gern.</p></body></html>"
	tests := map[string]struct{ raw, reply, html string }{
		"text": {"Content-Type: text/plain\r\n\r\n" + text, "Ja, gern.", ""},
		"html": {"Content-Type: text/html\r\n\r\n" + htmlReply, "Ja, gern.", cut + "\n"},
		"both": {"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n" + text + "--b\r\nContent-Type: text/html\r\n\r\n" + htmlReply + "--b--\r\n", "Ja, gern.", cut},
		"a text that says less than its html": {"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nJa, gern.\r\n--b\r\nContent-Type: text/html\r\n\r\n" + htmlReply + "--b--\r\n",
			"Ja, gern.", cut},
		"nothing": {"Content-Type: image/png\r\n\r\nx", "", ""},
		"no quote": {"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nJa, gern.\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Ja, gern.</p>\r\n--b--\r\n",
			"Ja, gern.", ""},
	}
	for name, tt := range tests {
		m := checkMessage(t, name, []byte(tt.raw))
		if m.Reply.Text != tt.reply {
			t.Errorf("%s: reply %q, want %q", name, m.Reply.Text, tt.reply)
		}
		got := ""
		if m.ReplyHTML != nil {
			got = *m.ReplyHTML
		}
		if got != tt.html {
			t.Errorf("%s: html %q, want %q", name, got, tt.html)
		}
	}
}
