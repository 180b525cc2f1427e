package parser_test

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/letterhook/letterhook/parser"
)

// checkMessage parses raw and holds the result against what is promised of any message.
func checkMessage(t *testing.T, name string, raw []byte) *parser.Message {
	t.Helper()
	m, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	again, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{})
	if err != nil || !reflect.DeepEqual(m, again) {
		t.Errorf("%s: two parses differ (error %v)", name, err)
	}
	checkStrings(t, name, reflect.ValueOf(m))
	checkTree(t, name, m, int64(len(raw)))
	checkReply(t, name, m)
	checkExplained(t, name, m)
	checkKind(t, name, m)
	again.NullReversePath()
	checkKind(t, name+" without reverse-path", again)
	if again.Kind == parser.KindHuman {
		t.Errorf("%s: a person without reverse-path", name)
	}
	return m
}

// checkKind holds the kind against what is told of it.
func checkKind(t *testing.T, name string, m *parser.Message) {
	t.Helper()
	bounce, complaint := false, false
	switch m.Kind {
	case parser.KindHuman:
		if len(m.KindReasons) > 0 {
			t.Errorf("%s: reasons for a person: %q", name, m.KindReasons)
		}
	case parser.KindBounce, parser.KindDeliveryReport:
		bounce = true
	case parser.KindComplaint:
		complaint = true
	case parser.KindAutoReply, parser.KindReadReceipt, parser.KindList, parser.KindAutomated:
	default:
		t.Errorf("%s: kind %q", name, m.Kind)
	}
	if (m.Bounce != nil) != bounce || (m.Complaint != nil) != complaint {
		t.Errorf("%s: %s with bounce %+v and complaint %+v", name, m.Kind, m.Bounce, m.Complaint)
	}
	if m.Kind != parser.KindHuman && len(m.KindReasons) == 0 {
		t.Errorf("%s: %s without a reason", name, m.Kind)
	}
}

// checkReply holds the segments of the reply against the text.
func checkReply(t *testing.T, name string, m *parser.Message) {
	t.Helper()
	text, joined := "", ""
	if m.Text != nil {
		text = *m.Text
	}
	for _, s := range m.Reply.Segments {
		joined += s.Text
	}
	if joined != text {
		t.Errorf("%s: the segments of the reply are not the text", name)
	}
	if m.ReplyHTML != nil && len(*m.ReplyHTML) >= len(*m.HTML) {
		t.Errorf("%s: nothing was cut out of the html", name)
	}
}

// checkExplained checks that the attachments are what is explained as such.
func checkExplained(t *testing.T, name string, m *parser.Message) {
	t.Helper()
	explained := map[*parser.Part]string{}
	for _, r := range m.Explain() {
		if explained[r.Part] != "" || r.As == "" || r.Why == "" {
			t.Errorf("%s: part %s is explained as %q, %q because %q", name, r.Part.ID, explained[r.Part], r.As, r.Why)
		}
		explained[r.Part] = r.As
	}
	for _, p := range m.Attachments {
		if explained[p] != parser.AsAttachment {
			t.Errorf("%s: attachment %s is explained as %q", name, p.ID, explained[p])
		}
	}
}

// checkStrings walks every string of a value, and what several pointers point to once: a part is in the tree and among the
// attachments, and messages within messages would double the work with each level.
func checkStrings(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	c := stringCheck{t: t, seen: map[uintptr]bool{}}
	c.value(path, v)
}

type stringCheck struct {
	t    *testing.T
	seen map[uintptr]bool
}

func (c stringCheck) value(path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			c.t.Errorf("%s: not clean: %.80q", path, s)
		}
	case reflect.Pointer:
		if !v.IsNil() && !c.seen[v.Pointer()] {
			c.seen[v.Pointer()] = true
			c.value(path, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.value(path, v.Index(i))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			c.value(path, it.Key())
			c.value(path, it.Value())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Type.Name() != "Time" {
				c.value(path+"."+f.Name, v.Field(i))
			}
		}
	}
}

// checkTree checks offsets, numbers and that every leaf is either body or attachment.
func checkTree(t *testing.T, name string, m *parser.Message, size int64) {
	t.Helper()
	attached := map[*parser.Part]bool{}
	for _, p := range m.Attachments {
		if attached[p] {
			t.Errorf("%s: part %s is listed twice", name, p.ID)
		}
		attached[p] = true
	}
	ids := map[string]bool{}
	var walk func(p *parser.Part)
	walk = func(p *parser.Part) {
		if ids[p.ID] {
			t.Errorf("%s: two parts are %q", name, p.ID)
		}
		ids[p.ID] = true
		if p.Offset < 0 || p.Length < 0 || p.Offset+p.Length > size {
			t.Errorf("%s: part %q lies at %d+%d of %d", name, p.ID, p.Offset, p.Length, size)
		}
		if p.ContentType == "" {
			t.Errorf("%s: part %q has no type", name, p.ID)
		}
		for _, child := range p.Parts {
			walk(child)
		}
		if len(p.Parts) > 0 && strings.HasPrefix(p.ContentType, "multipart/") {
			return
		}
		if p.Message != nil {
			checkTree(t, name+"/"+p.ID, p.Message, size)
		}
		if n, err := io.Copy(io.Discard, p.Open()); err != nil || n > 9*p.Length+64 {
			t.Errorf("%s: part %q: %d octets decode to %d, error %v", name, p.ID, p.Length, n, err)
		}
		unpacked := len(p.Parts) > 0 // its contents stand for it
		if !attached[p] && !unpacked && p.ContentType != "text/plain" && p.ContentType != "text/html" {
			t.Errorf("%s: part %q (%s) is neither body nor attachment", name, p.ID, p.ContentType)
		}
		delete(attached, p)
	}
	walk(m.Root)
	for p := range attached {
		t.Errorf("%s: attachment %q is no leaf of the message", name, p.ID)
	}
}
