package dispatch

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/parser/reply"
)

// bulky is an event with text, html and headers of some sizes.
func bulky(text, html string, fields int) *Event {
	msg := &parser.Message{Text: &text, HTML: &html, Reply: reply.Split(text), Subject: "s", From: []parser.Address{{Address: "ann@sender.example"}}}
	for range fields {
		msg.Headers = append(msg.Headers, parser.Header{Name: "X-Field", Value: "värde", Raw: "v"})
	}
	data := contentOf(msg, nil, "v")
	data.Recipients = []Recipient{}
	return &Event{Type: EventReceived, Version: EventVersion, Data: data}
}

// TestRenderUsesMemoryAgain that was given back, and no other.
func TestRenderUsesMemoryAgain(t *testing.T) {
	var r renderer
	made := func(text string, times int) []byte {
		body, err := r.render(bulky(strings.Repeat(text, times), "", 1), 0, false)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	kept := made("first ", 1000)
	whole := string(kept)
	for range 100 {
		body := made("other ", 1000)
		if &body[0] == &kept[0] {
			t.Fatal("memory that nobody gave back is used again")
		}
		r.recycle(body)
	}
	if string(kept) != whole {
		t.Error("a body changed that nobody gave back")
	}
	r.recycle(made("x", 100)) // too small, so it holds no more than it needs
	if body := made("x", 100); cap(body) > 2*len(body) {
		t.Errorf("%d octets hold %d", len(body), cap(body))
	}
}

func TestRenderCutsInOrder(t *testing.T) {
	small := strings.Repeat("tëxt\n", 200)
	large := strings.Repeat("<p>\"ü\u2028\x01€😀</p>\n", 20_000)
	tests := map[string]struct {
		text, html string
		fields     int
		limit      int
		smallest   bool
		truncated  []string
	}{
		"all fits":          {small, small, 10, 0, false, []string{}},
		"html":              {small, large, 10, 0, false, []string{"html"}},
		"html, then text":   {large, large, 10, 0, false, []string{"html", "text"}},
		"text alone":        {large, "", 10, 0, false, []string{"text"}},
		"headers too":       {small, small, 4000, 20_000, false, []string{"html", "text", "headers"}},
		"all that can go":   {small, small, 10, 10, false, []string{"html", "text", "headers", "subject"}},
		"smallest":          {small, small, 10, 0, true, []string{"html", "text", "headers"}},
		"smallest of small": {"", "", 0, 0, true, []string{}},
	}
	var r renderer
	for name, tt := range tests {
		ev := bulky(tt.text, tt.html, tt.fields)
		body, err := r.render(ev, tt.limit, tt.smallest)
		if err != nil {
			t.Fatal(err)
		}
		var got Event
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(got.Data.Parse.Truncated, tt.truncated) {
			t.Errorf("%s: truncated %q, want %q", name, got.Data.Parse.Truncated, tt.truncated)
		}
		limit := tt.limit
		if limit == 0 {
			limit = defaultMaxBody
		}
		if name != "all that can go" && len(body) > limit {
			t.Errorf("%s: %d octets", name, len(body))
		}
		if !strings.HasPrefix(tt.html, *got.Data.HTML) || !strings.HasPrefix(tt.text, *got.Data.Text) {
			t.Errorf("%s: what is left is no beginning of what was there", name)
		}
		if *got.Data.Reply.Text != *got.Data.Text {
			t.Errorf("%s: reply.text is not data.text", name)
		}
	}
}

// Whatever the sizes, the body keeps within its limit, uses most of it, and stays valid.
func TestRenderHolds(t *testing.T) {
	var r renderer
	rapid.Check(t, func(t *rapid.T) {
		text, html := rapid.StringN(0, 3000, -1).Draw(t, "text"), rapid.StringN(0, 3000, -1).Draw(t, "html")
		text, html = clean(text), clean(html)
		limit := rapid.IntRange(1500, 20_000).Draw(t, "limit")
		body, err := r.render(bulky(text, html, 3), limit, false)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := r.render(bulky(text, html, 3), 1<<20, false)
		if err != nil {
			t.Fatal(err)
		}
		if len(body) > limit {
			t.Fatalf("%d octets, limit %d", len(body), limit)
		}
		if len(whole) > limit && len(body) < limit-250 {
			t.Fatalf("%d octets of %d used, though there is more", len(body), limit)
		}
		if len(whole) <= limit && len(body) != len(whole) {
			t.Fatalf("cut from %d to %d within the limit %d", len(whole), len(body), limit)
		}
		if !utf8.Valid(body) || !json.Valid(body) {
			t.Fatalf("not JSON: %s", body)
		}
	})
}

// However much of the text is cut off, the segments stay the text, and the reply stays the beginning of what it was.
func TestRenderKeepsTheReply(t *testing.T) {
	const quoted = "Ja, gern. Bis morgen! \n\nAm 1.5.2023 um 10:00 schrieb Bob:\n> Kommst du?\n> Es gibt Kuchen.\n\n-- \nAnn\n"
	tests := map[string]string{
		"cut":       quoted,
		"answered":  "On 1 May 2023 at 10:00, Bob wrote:\n> Kommst du?\n\nJa.\n\n> Kuchen?\n\nNein.\n",
		"forwarded": "---------- Forwarded message ---------\nFrom: Bob <bob@example.com>\nSubject: Plan\nTo: Ann\n\nTomorrow?\n",
		"whole":     "Ja, gern.\n",
	}
	var r renderer
	for name, text := range tests {
		whole, err := r.render(bulky(text, "", 0), 0, false)
		if err != nil {
			t.Fatal(err)
		}
		before := reply.Split(text).Text
		for limit := len(whole) - 1; limit > len(whole)-2*len(text); limit-- {
			ev := bulky(text, "", 0)
			shared := ev.Data.Reply.Segments
			first := shared[0]
			body, err := r.render(ev, limit, false)
			if err != nil || len(body) > limit {
				t.Fatalf("%s: %d octets, limit %d, %v", name, len(body), limit, err)
			}
			joined := ""
			for _, s := range ev.Data.Reply.Segments {
				joined += s.Text
			}
			if joined != *ev.Data.Text || !strings.HasPrefix(text, joined) || !strings.HasPrefix(before, *ev.Data.Reply.Text) {
				t.Fatalf("%s: reply %q, segments %q, text %q", name, *ev.Data.Reply.Text, joined, *ev.Data.Text)
			}
			if shared[0] != first {
				t.Fatalf("%s: the segments of another event were cut", name)
			}
		}
	}
}

func TestJSONSize(t *testing.T) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	for c := rune(0); c <= utf8.MaxRune; c++ {
		if !utf8.ValidRune(c) {
			continue
		}
		buf.Reset()
		if err := enc.Encode(string(c)); err != nil {
			t.Fatal(err)
		}
		if got := buf.Len() - len("\"\"\n"); got != jsonSize(c, utf8.RuneLen(c)) {
			t.Fatalf("%U takes %d octets, not %d", c, got, jsonSize(c, utf8.RuneLen(c)))
		}
	}
}
