package dispatch

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	defaultInlineSize = 64 << 10

	// cutContents names the contents among what was cut.
	cutContents = "attachments.content"
)

// chooseHeaders keeps the fields of the names, whatever their case; nil: all of them.
func chooseHeaders(d *EventData, names []string) {
	if names == nil {
		return
	}
	kept := make([]Header, 0, len(names))
	for _, h := range d.Headers {
		if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, h.Name) }) {
			kept = append(kept, h)
		}
	}
	d.Headers = kept
}

// withhold takes the links to the attachments away.
func withhold(d *EventData) {
	reason := "the endpoint asks for no attachments"
	for i := range d.Attachments {
		a := &d.Attachments[i]
		a.URL, a.URLExpiresAt, a.Omitted = nil, Time{}, &reason
	}
}

// inlineContents puts the contents of attachments into the event, in their order, while they fit into room octets of JSON. One
// that the endpoint wants and that does not fit is named as cut; its link stays. It says whether the event was changed.
func inlineContents(ctx context.Context, c *Copy, room int) (changed bool, err error) {
	d, most := c.Event.Data, c.Endpoint.InlineSize
	if most <= 0 {
		most = defaultInlineSize
	}
	room -= len(`,"` + cutContents + `"`)
	cut := false
	for i := range d.Attachments {
		a := &d.Attachments[i]
		if a.Size > int64(most) {
			continue
		}
		size := base64.StdEncoding.EncodedLen(int(a.Size))
		if size > room {
			cut = true
			continue
		}
		content, err := readAttachment(ctx, c, i)
		if err != nil {
			return false, err
		}
		text := base64.StdEncoding.EncodeToString(content)
		a.Content = &text
		room -= size
		changed = true
	}
	if cut && room >= 0 {
		d.Parse.Truncated = append(d.Parse.Truncated, cutContents)
		changed = true
	}
	return changed, nil
}

func readAttachment(ctx context.Context, c *Copy, index int) ([]byte, error) {
	r, err := c.OpenAttachment(ctx, index)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	a := &c.Event.Data.Attachments[index]
	content := make([]byte, a.Size)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, fmt.Errorf("reading attachment %s: %w", a.ID, err)
	}
	return content, nil
}
