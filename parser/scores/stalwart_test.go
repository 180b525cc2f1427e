package scores_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/parser"
)

// foreign is a message as Stalwart's mail-parser writes it: a flat list of parts, the first the message itself.
type foreign struct {
	HTMLBody    []int `json:"html_body"`
	TextBody    []int `json:"text_body"`
	Attachments []int
	Parts       []struct {
		Headers []struct {
			Name  any
			Value json.RawMessage
		}
		Body foreignBody
	}
}

type foreignBody struct {
	Text                 *string
	HTML                 *string `json:"Html"`
	Binary, InlineBinary []int
	Message              *foreign
	Multipart            []int
}

// value is the first field of that name in the top header, in the form that Stalwart gives fields of this kind.
func (f foreign) value(name string, form any) bool {
	for _, h := range f.Parts[0].Headers {
		if h.Name == name {
			return json.Unmarshal(h.Value, form) == nil
		}
	}
	return false
}

type foreignAddresses struct {
	Address struct {
		List  []foreignAddress
		Group []struct{ Addresses []foreignAddress }
	}
}

type foreignAddress struct{ Address *string }

func (f foreign) mailboxes(name string) []string {
	var a foreignAddresses
	f.value(name, &a)
	list := a.Address.List
	for _, group := range a.Address.Group {
		list = append(list, group.Addresses...)
	}
	var out []string
	for _, a := range list {
		out = append(out, deref(a.Address))
	}
	return lowerDomains(out)
}

// date is in the form that ours is compared in.
func (f foreign) date() string {
	var d struct {
		DateTime struct {
			Year, Month, Day, Hour, Minute, Second int
			Before                                 bool `json:"tz_before_gmt"`
			ZoneHour                               int  `json:"tz_hour"`
			ZoneMinute                             int  `json:"tz_minute"`
		}
	}
	if !f.value("date", &d) {
		return ""
	}
	t, sign := d.DateTime, '+'
	if t.Before {
		sign = '-'
	}
	return fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", t.Year, t.Month, t.Day, t.Hour, t.Minute, t.Second, sign, t.ZoneHour, t.ZoneMinute)
}

// body joins the texts of one kind. HTML parts in the list of text bodies, and the reverse, are converted there; we convert only
// where there is nothing else.
func (f foreign) body(list []int, html bool) (text string, ok bool) {
	var texts []string
	for _, i := range list {
		b := f.Parts[i].Body
		switch {
		case html && b.HTML != nil:
			texts = append(texts, *b.HTML)
		case !html && b.Text != nil:
			texts = append(texts, *b.Text)
		}
	}
	return fold(strings.Join(texts, "\n")), len(texts) > 0
}

// content is what an attachment holds: a text folded, octets as they are.
func (b foreignBody) content() (content string, text, ok bool) {
	switch {
	case b.Text != nil:
		return fold(*b.Text), true, true
	case b.HTML != nil:
		return fold(*b.HTML), true, true
	case b.Message != nil:
		return "", false, false
	}
	var octets []byte
	for _, n := range append(b.Binary, b.InlineBinary...) {
		octets = append(octets, byte(n))
	}
	return string(octets), false, true
}

// TestStalwart compares with the readings that Stalwart's mail-parser expects of itself.
func TestStalwart(t *testing.T) {
	field := func(name string, whole, copied int) *score {
		return newScore("stalwart "+name, floor{1, whole}, floor{1, copied})
	}
	c := newTruth(t, "stalwart", field("subject", 25, 15), field("from", 52, 32), field("to", 52, 32), field("date", 19, 9),
		field("text", 39, 23), field("html", 12, 4), field("attachment count", 52, 32), field("attachment content", 25, 14))
	for _, set := range []string{"stalwart-rfc", "stalwart-malformed", "stalwart-thirdparty"} {
		files, err := filepath.Glob(filepath.Join(folder(t, "mime/"+set), "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want foreign
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(path, err)
			}
			eml := strings.TrimSuffix(path, ".json") + ".eml"
			compareForeign(c, set+"/"+filepath.Base(eml), parseFile(t, eml), want)
		}
	}
	c.report()
}

func compareForeign(c *truth, file string, m *parser.Message, want foreign) {
	c.t.Helper()
	var subject struct{ Text string }
	if want.value("subject", &subject) {
		c.note(file, "subject", fold(m.Subject) == fold(subject.Text), m.Subject, subject.Text)
	}
	from, to := want.mailboxes("from"), want.mailboxes("to")
	c.note(file, "from", slices.Equal(mailboxes(m.From), from), mailboxes(m.From), from)
	c.note(file, "to", slices.Equal(mailboxes(m.To), to), mailboxes(m.To), to)
	if theirs := want.date(); theirs != "" {
		when, err := time.Parse(time.RFC3339, theirs)
		c.note(file, "date", err == nil && m.Date.Equal(when), m.Date, theirs)
	}
	if text, ok := want.body(want.TextBody, false); ok {
		c.note(file, "text", fold(deref(m.Text)) == text, deref(m.Text), text)
	}
	if html, ok := want.body(want.HTMLBody, true); ok {
		c.note(file, "html", fold(deref(m.HTML)) == html, deref(m.HTML), html)
	}
	same := len(m.Attachments) == len(want.Attachments)
	c.note(file, "attachment count", same, len(m.Attachments), len(want.Attachments))
	if !same || len(m.Attachments) == 0 {
		return
	}
	var ours, theirs []string
	for i, p := range m.Attachments {
		their, text, ok := want.Parts[want.Attachments[i]].Body.content()
		if !ok {
			continue
		}
		b, err := io.ReadAll(p.Open())
		if err != nil {
			c.t.Fatal(err)
		}
		our := string(b)
		if text {
			our = fold(our)
		}
		ours, theirs = append(ours, our), append(theirs, their)
	}
	c.note(file, "attachment content", slices.Equal(ours, theirs), ours, theirs)
}
