package reply_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/letterhook/letterhook/parser/reply"
)

// checkSplit holds a reply against what is promised of any.
func checkSplit(t *testing.T, text string, r reply.Reply) {
	t.Helper()
	joined, own, others := "", "", false
	for i, s := range r.Segments {
		if s.Text == "" || i > 0 && r.Segments[i-1].Type == s.Type {
			t.Errorf("segment %d (%s) is empty, or one with the segment before", i, s.Type)
		}
		joined += s.Text
		if s.Type == reply.TypeReply {
			own += s.Text
		} else {
			others = true
		}
	}
	if joined != text {
		t.Errorf("the segments are %q, the text is %q", joined, text)
	}
	if r.Text != text && r.Text != strings.TrimSpace(own) {
		t.Errorf("the reply is %q, its segments are %q", r.Text, own)
	}
	if !others && r.Text != text {
		t.Errorf("nothing was cut off, but the reply is %q, not %q", r.Text, text)
	}
	if r.Text == "" && strings.ContainsFunc(text, unicode.IsLetter) && !others {
		t.Errorf("no reply in %q", text)
	}
	if utf8.ValidString(text) && !utf8.ValidString(r.Text) {
		t.Errorf("a character was cut in two: %q", r.Text)
	}
	if r.Confidence < 0 || r.Confidence > 1 {
		t.Errorf("confidence %v", r.Confidence)
	}
}

func FuzzSplit(f *testing.F) {
	for _, m := range mails {
		f.Add(m.text)
	}
	f.Add("-- \n")
	f.Add(">:\r\n> \n\u202b:\n")
	f.Fuzz(func(t *testing.T, text string) {
		checkSplit(t, text, reply.Split(text))
	})
}

// manyReceivers is a header block with a long line.
var manyReceivers = "Yes.\n\nFrom: Bob <b@example.com>\nSent: Monday, May 1, 2023 10:00 AM\nTo: Ann Jones" + strings.Repeat("; ann.jones@example.com", 20_000) + "\nSubject: a\n\n"

// Texts that would take minutes if any line were looked at once for each other line.
func TestSplitIsLinear(t *testing.T) {
	pieces := []string{
		"> a\nb\n", "a:\n", "From: a@b.example\n", "On 1 May 2023 10:00 Bob <b@example.com>\n", "-- \n", "____\n", "Sent from my iPhone\n", "\n", ">", "Bob wrote:\n",
		"This e-mail and any attachments are for you\n\n", "> a\n\n", "-----Original Message-----\nx\n", "a@", "1:", "From:", "\u202b", "> > > > ", "AB> ", "http://[", "--",
		"On 1 May 2023 10:00 Bob <b@example.com> wrote:\n> a\nb\n", "[Ann Jones] a\n", "To\n", "a 10:00 1 May 2023\nTo\n", "a ---1 May 2023 10:00---a\n", "On 1 May 2023 10:00 b@example.com wrote:  a",
	}
	for _, piece := range pieces {
		for _, size := range []int{2 << 20, 49_000 * len(piece)} {
			for _, before := range []string{"", "Yes.\n\n", manyReceivers} {
				text := before + strings.Repeat(piece, max(1, size/len(piece)))
				r := reply.Split(text)
				n := 0
				for _, s := range r.Segments {
					n += len(s.Text)
				}
				if n != len(text) {
					t.Errorf("%q: %d octets of %d", piece, n, len(text))
				}
			}
		}
	}
}
