package parser_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// part is an entity with a type, more of its header, and a body.
func part(contentType, more, body string) string {
	return "Content-Type: " + contentType + "\n" + more + "\n" + body
}

// multi is a multipart of these parts.
func multi(subtype, boundary string, parts ...string) string {
	var b strings.Builder
	b.WriteString("Content-Type: multipart/" + subtype + "; boundary=" + boundary + "\n\n")
	for _, p := range parts {
		b.WriteString("--" + boundary + "\n" + p + "\n")
	}
	return b.String() + "--" + boundary + "--\n"
}

const (
	inline   = "Content-Disposition: inline\n"
	attached = "Content-Disposition: attachment\n"
)

// TestBodies: which parts are the text, the HTML and attachments, as mail clients have it: RFC 8621 section 4.1.4.
func TestBodies(t *testing.T) {
	plain := func(body string) string { return part("text/plain", "", body) }
	html := func(body string) string { return part("text/html", "", "<p>"+body+"</p>") }
	png := func(more string) string { return part("image/png", more, "png") }
	for _, c := range []struct{ name, mail, text, html, attachments string }{
		{"the example of RFC 8621", multi("mixed", "a",
			part("text/plain", inline, "A"),
			multi("mixed", "b",
				multi("alternative", "c",
					multi("mixed", "d", part("text/plain", inline, "B"), part("image/jpeg", inline, "C"), part("text/plain", inline, "D")),
					multi("related", "e", html("E"), part("image/jpeg", "", "F"))),
				part("image/jpeg", attached, "G"),
				part("application/x-excel", "", "H"),
				part("message/rfc822", "", "Subject: J\n\nJ")),
			part("text/plain", inline, "K")),
			"A\nB\nD\nK", "<p>E</p>", "2.1.1.2 2.1.2.2 2.2 2.3 2.4"},
		{"a text that is attached", multi("mixed", "a", plain("one"), part("text/plain", attached, "two")), "one", "", "2"},
		{"a second text without disposition", multi("mixed", "a", plain("one"), plain("two")), "one\ntwo", "", ""},
		{"a second text with a name", multi("mixed", "a", plain("one"), part("text/plain; name=a.txt", "", "two")), "one", "", "2"},
		{"a second text inline, with a name", multi("mixed", "a", plain("one"), part("text/plain; name=a.txt", inline, "two")), "one", "", "2"},
		{"a first text with a name", multi("mixed", "a", part("text/plain; name=a.txt", "", "one"), plain("two")), "one\ntwo", "", ""},
		{"the whole message is a file", part("text/plain", "Content-Disposition: attachment; filename=a.txt\n", "one"), "", "", "1"},
		{"the whole message is an image", png(""), "", "", "1"},
		{"a word that nobody knows for a disposition", multi("mixed", "a", plain("one"), part("text/plain", "Content-Disposition: show\n", "two")), "one", "", "2"},
		{"text between images", multi("mixed", "a", plain("one"), png(inline), plain("two"), png("")), "one\ntwo", "", "2 4"},
		{"HTML with a name", multi("mixed", "a", plain("one"), part("text/html; name=a.html", "", "<p>two</p>")), "one", "", "2"},
		{"HTML behind text, as Apple Mail sends around attachments", multi("mixed", "a", plain("one"), png(""), html("two")), "one", "<p>two</p>", "2"},
		{"image in related without disposition", multi("related", "a", html("x<img src=cid:i>"), png("Content-ID: <i>\n")), "x\n", "<p>x<img src=cid:i></p>", "2"},
		{"text in related is no body", multi("related", "a", html("x"), plain("two")), "x\n", "<p>x</p>", "2"},
		{"related with its root behind, named", multi("related; start=\"<r@x>\"", "a", png("Content-ID: <i>\n"), part("text/html", "Content-ID: <r@x>\n", "<img src=cid:i>x")), "x\n", "<img src=cid:i>x", "1"},
		{"related with its root behind", multi("related", "a", png("Content-ID: <i>\n"), html("x"), html("y")), "x\n", "<p>x</p>", "1 3"},
		{"related with its root behind, divided", multi("related", "a", png("Content-ID: <i>\n"), multi("alternative", "b", plain("one"), html("two")), plain("three")), "one", "<p>two</p>", "1 3"},
		{"related that names no part", multi("related; start=nobody", "a", html("x"), plain("y")), "x\n", "<p>x</p>", "2"},
		{"a form with a name", multi("alternative", "a", plain("one"), part("text/html; name=body.html", "", "<p>two</p>")), "one", "<p>two</p>", ""},
		{"a file among the forms", multi("alternative", "a", plain("one"), html("two"), part("text/html; name=a.html", "", "<p>three</p>"), part("text/plain", attached, "four")), "one", "<p>two</p>", "3 4"},
		{"calendar as an alternative", multi("alternative", "a", plain("one"), html("two"), part("text/calendar", "", "BEGIN:VCALENDAR\nEND:VCALENDAR\n")), "one", "<p>two</p>", "3"},
		{"forms that nobody reads", multi("alternative", "a", plain("one"), part("text/x-amp-html", "", "amp"), html("two")), "one", "<p>two</p>", "2"},
		{"alternative within related", multi("related", "a", multi("alternative", "b", plain("one"), html("two")), png("Content-ID: <i>\n")), "one", "<p>two</p>", "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, c.mail)
			var ids []string
			for _, p := range m.Attachments {
				ids = append(ids, p.ID)
			}
			got := []string{deref(m.Text), deref(m.HTML), strings.Join(ids, " ")}
			if diff := cmp.Diff([]string{c.text, c.html, c.attachments}, got); diff != "" {
				t.Errorf("text, html, attachments: -want +got:\n%s", diff)
			}
		})
	}
}

// TestDisposition: whatever a part calls its disposition, the Message has one of the words that it promises.
func TestDisposition(t *testing.T) {
	for field, want := range map[string]string{
		"":                              "",
		"Content-Disposition: inline\n": "inline",
		"Content-Disposition: INLINE ; filename=a.pdf\n":            "inline",
		"Content-Disposition: attachment\n":                         "attachment",
		"Content-Disposition: attachment (x); filename=\"a.pdf\"\n": "attachment",
		"Content-Disposition: show; filename=a.pdf\n":               "attachment",
		"Content-Disposition: form-data; name=x\n":                  "attachment",
		"Content-Disposition: filename=\"a.pdf\"\n":                 "attachment",
		"Content-Disposition: =?utf-8?q?attachment?=; filename=a\n": "attachment",
		"Content-Disposition: ; filename=a.pdf\n":                   "attachment",
	} {
		m := parse(t, multi("mixed", "a", part("text/plain", "", "one"), part("application/pdf", field, "x")))
		if got := m.Attachments[0].Disposition; got != want {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}

// TestInlineByContentID: inline is what the HTML shows, whatever the part says of itself.
func TestInlineByContentID(t *testing.T) {
	image := func(id, more string) string { return part("image/png", "Content-ID: "+id+"\n"+more, "png") }
	m := parse(t, multi("related", "a",
		part("text/html", "", `<img src="cid:one@x"><img src='CID:two@x'><td background="cid:three%40x"><img src=cid:four@x><div style="background:url(cid:five@x)"> cid: six@x, acid:seven@x">`),
		image("<one@x>", inline), image("two@x", attached), image("<three@x>", ""), image(" <four@x> ", ""), image("<five@x>", ""), image("<six@x>", inline), image("<eight@x>", inline)))
	var shown []string
	for _, p := range m.Attachments {
		if p.Inline {
			shown = append(shown, p.ContentID)
		}
	}
	if diff := cmp.Diff([]string{"one@x", "two@x", "three@x", "four@x", "five@x"}, shown); diff != "" {
		t.Errorf("inline, -want +got:\n%s", diff)
	}
	if len(m.Attachments) != 7 {
		t.Errorf("%d attachments", len(m.Attachments))
	}
}
