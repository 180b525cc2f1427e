package format

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
)

// copyRaw writes the mail as it was received.
func copyRaw(ctx context.Context, w io.Writer, c *dispatch.Copy) error {
	r, err := c.OpenRaw(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}

// copyAttachment writes the decoded content of an attachment, all of it or an error.
func copyAttachment(ctx context.Context, w io.Writer, c *dispatch.Copy, index int) error {
	r, err := c.OpenAttachment(ctx, index)
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.Copy(w, r)
	if size := c.Event.Data.Attachments[index].Size; err == nil && n != size {
		err = fmt.Errorf("attachment %d: %d octets instead of %d", index, n, size)
	}
	return err
}

// copyBase64 is copyAttachment in base64 without line ends.
func copyBase64(ctx context.Context, w io.Writer, c *dispatch.Copy, index int) error {
	enc := base64.NewEncoder(base64.StdEncoding, w)
	if err := copyAttachment(ctx, enc, c, index); err != nil {
		return err
	}
	return enc.Close()
}

// held is what a form keeps in memory of an event, by estimate.
func held(d *dispatch.EventData) int64 {
	n := int64(len(text(d.Text)) + len(text(d.HTML)) + len(text(d.Reply.Text)) + len(text(d.Reply.HTML)))
	for i := range d.Headers {
		n += int64(2*len(d.Headers[i].Raw) + len(d.Headers[i].Name) + 64)
	}
	return 2*n + int64(len(d.Attachments))*512
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// extensions name the files that come without a name, for the types that mail programs send so.
var extensions = map[string]string{
	"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/svg+xml": ".svg", "image/webp": ".webp",
	"text/plain": ".txt", "text/html": ".html", "text/calendar": ".ics", "application/pdf": ".pdf",
	"message/rfc822": ".eml", "message/global": ".eml", "message/delivery-status": ".txt", "text/rfc822-headers": ".txt",
	"application/pgp-signature": ".asc", "application/pkcs7-signature": ".p7s", "application/pkcs7-mime": ".p7m",
}

// filename is the name of an attachment, made up where it has none: clients take a part without one for a field.
func filename(a *dispatch.Attachment, index int) string {
	if a.Filename != nil {
		return *a.Filename
	}
	ext := extensions[a.ContentType]
	if ext == "" {
		ext = ".bin"
	}
	return "attachment-" + strconv.Itoa(index+1) + ext
}

// mediaType is the type of an attachment, fit for a header field.
func mediaType(a *dispatch.Attachment) string {
	if strings.ContainsFunc(a.ContentType, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == ';' }) {
		return "application/octet-stream"
	}
	return a.ContentType
}

// isInline says whether an attachment is shown within the html.
func isInline(a *dispatch.Attachment) bool {
	return a.Inline || a.Disposition != nil && *a.Disposition == "inline"
}
