package dispatch

import (
	"bytes"
	"fmt"
	"sync"
	"unicode/utf8"
)

// defaultMaxBody is the bound of a request body, in octets.
const defaultMaxBody = 256_000

const (
	keptBuffer   = 1 << 20  // octets of a buffer that is worth keeping
	pooledBody   = 32 << 10 // octets of the memory that typical bodies share
	smallestCuts = 4        // how many of cuts make the smallest form
)

// renderer makes the JSON of events. It reuses its buffers. Safe for concurrent use.
type renderer struct {
	buffers sync.Pool
	bodies  sync.Pool // of *[pooledBody]byte
}

// render writes the event in at most limit octets (0: the default). What does not fit is cut in the order of the contract:
// html, text, headers, then the lesser lists; the list of attachments is never cut, so an event with a thousand of them
// may be larger after all. With smallest html, text and headers are gone whatever the size. What was cut is changed in the
// event too.
func (r *renderer) render(ev *Event, limit int, smallest bool) ([]byte, error) {
	memory, ok := r.buffers.Get().(*[]byte)
	if !ok {
		memory = new([]byte)
	}
	if limit <= 0 {
		limit = defaultMaxBody
	}
	precut(ev.Data, limit)
	body, err := encode(*memory, ev)
	if err != nil {
		return nil, err
	}
	for i, c := range cuts {
		excess := len(body) - limit
		if smallest && i < smallestCuts {
			excess = len(body)
		}
		if excess <= 0 || !c.cut(ev.Data, excess+len(c.name)+len(`"",`)) {
			continue
		}
		ev.Data.Parse.Truncated = append(ev.Data.Parse.Truncated, c.name)
		if body, err = encode(body, ev); err != nil {
			return nil, err
		}
	}
	if cap(body) > keptBuffer {
		return body, nil // the buffer is too large to be kept
	}
	*memory = body
	defer r.buffers.Put(memory)
	// A copy, because the transport may read the body after it has given up on a request.
	return r.copyOf(body), nil
}

// copyOf copies a body, of a typical size into memory that recycle gave back. A smaller one would hold much more than it needs.
func (r *renderer) copyOf(body []byte) []byte {
	if len(body) <= pooledBody/4 || len(body) > pooledBody {
		return bytes.Clone(body)
	}
	memory, ok := r.bodies.Get().(*[pooledBody]byte)
	if !ok {
		memory = new([pooledBody]byte)
	}
	return append(memory[:0], body...)
}

// recycle takes back a body that render made and nobody reads any more.
func (r *renderer) recycle(body []byte) {
	if cap(body) == pooledBody {
		r.bodies.Put((*[pooledBody]byte)(body[:pooledBody]))
	}
}

// encode writes the event over what the buffer holds.
func encode(buffer []byte, ev *Event) ([]byte, error) {
	body, err := appendEvent(buffer[:0], ev)
	if err != nil {
		return nil, fmt.Errorf("rendering the event: %w", err)
	}
	return body, nil
}

// cuts are the ways to make an event smaller, in the order of the contract. Each tries to take excess octets of JSON
// away and says whether it changed anything.
var cuts = []struct {
	name string
	cut  func(data *EventData, excess int) bool
}{
	{"html", func(d *EventData, excess int) bool { return cutString(&d.HTML, excess) }},
	{"reply.html", func(d *EventData, _ int) bool { return dropString(&d.Reply.HTML) }},
	{"text", cutText},
	{"headers", cutHeaders},
	{"calendar", func(d *EventData, _ int) bool { return drop(&d.Calendar) }},
	{"spam.symbols", func(d *EventData, _ int) bool { return d.Spam != nil && drop(&d.Spam.Symbols) }},
	{"references", func(d *EventData, _ int) bool { return drop(&d.References) }},
	{"in_reply_to", func(d *EventData, _ int) bool { return drop(&d.InReplyTo) }},
	{"bcc", func(d *EventData, _ int) bool { return drop(&d.Bcc) }},
	{"cc", func(d *EventData, _ int) bool { return drop(&d.Cc) }},
	{"to", func(d *EventData, _ int) bool { return drop(&d.To) }},
	{"reply_to", func(d *EventData, _ int) bool { return drop(&d.ReplyTo) }},
	{"from", func(d *EventData, _ int) bool { return keepFirst(&d.From) }},
	{"parse.defects", func(d *EventData, _ int) bool { return drop(&d.Parse.Defects) }},
	{"date_raw", func(d *EventData, excess int) bool { return cutString(&d.DateRaw, excess) }},
	{"subject", cutSubject},
}

// precut takes away what cannot fit in any case, so that a large mail is not encoded whole to no purpose. What is left is
// still too large, so a cut will follow and be named.
func precut(d *EventData, limit int) {
	if d.HTML != nil && len(*d.HTML) > limit {
		s := clip(*d.HTML, limit)
		d.HTML = &s
	}
	if d.Text != nil && len(*d.Text) > limit {
		s := clip(*d.Text, limit)
		d.Reply.clipTo(*d.Text, len(s))
		d.Text = &s
	}
}

// cutText cuts the text, which stands in the event up to three times: as it is, in the reply's segments, and in the reply.
func cutText(d *EventData, excess int) bool {
	if d.Text == nil || *d.Text == "" {
		return false
	}
	n := d.Reply.clipBy(*d.Text, excess)
	s := (*d.Text)[:n]
	d.Reply.clipTo(*d.Text, n)
	d.Text = &s
	return true
}

// cutString replaces the string by a beginning of it that is at least excess octets shorter in JSON, or empty.
func cutString(s **string, excess int) bool {
	if *s == nil || **s == "" {
		return false
	}
	rest := **s
	for excess > 0 && rest != "" {
		c, size := utf8.DecodeLastRuneInString(rest)
		rest = rest[:len(rest)-size]
		excess -= jsonSize(c, size)
	}
	*s = &rest
	return true
}

// jsonSize is the number of octets of a character of size octets in a JSON string, as encoding/json writes it.
func jsonSize(c rune, size int) int {
	switch {
	case c == '"', c == '\\', c == '\n', c == '\r', c == '\t', c == '\b', c == '\f':
		return 2
	case c < 0x20, c == '\u2028', c == '\u2029':
		return 6
	}
	return size
}

// cutHeaders drops fields from the end. Their size is counted without escapes, so it may drop one more than it must.
func cutHeaders(d *EventData, excess int) bool {
	const keys = len(`{"name":"","value":"","raw":""},`)
	n := len(d.Headers)
	for ; n > 0 && excess > 0; n-- {
		h := &d.Headers[n-1]
		excess -= keys + len(h.Name) + len(h.Value) + len(h.Raw)
	}
	if n == len(d.Headers) {
		return false
	}
	d.Headers = d.Headers[:n:n]
	return true
}

func dropString(s **string) bool {
	if *s == nil {
		return false
	}
	*s = nil
	return true
}

func drop[T any](list *[]T) bool {
	if len(*list) == 0 {
		return false
	}
	*list = []T{}
	return true
}

func keepFirst[T any](list *[]T) bool {
	if len(*list) < 2 {
		return false
	}
	*list = (*list)[:1:1]
	return true
}

func cutSubject(d *EventData, excess int) bool {
	s := &d.Subject
	if !cutString(&s, excess) {
		return false
	}
	d.Subject = *s
	return true
}
