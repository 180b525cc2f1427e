package dashboard

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// mailPolicy is for the HTML of a mail. The sandbox has neither scripts nor forms nor an origin of ours; images come with the
// document, as data. What the viewer clicks on opens in a window of its own.
const mailPolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:%s; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'self'"

// The octets of images that are shown within the html, one and all.
const (
	maxImage  = 4 << 20
	maxImages = 16 << 20
)

// mail gives a mail that the viewer may see.
func (d *dashboard) mail(ctx context.Context, v *access.Principal, id string) (*storage.Mail, error) {
	mail, err := d.Store.Mail(ctx, id)
	if err != nil {
		return nil, err
	}
	if !v.Sees(mail.Account) {
		return nil, fmt.Errorf("message %s: %w", id, storage.ErrNotFound)
	}
	return mail, nil
}

// mailHTML is the html body of a mail, alone, for the frame. With ?images=remote those on other servers are fetched, which tells them
// that the mail was opened.
func (d *dashboard) mailHTML(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	mail, err := d.mail(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return err
	}
	c, err := d.Desk.Open(r.Context(), mail)
	if err != nil {
		return err
	}
	defer c.Close()
	if c.Message == nil || c.Message.HTML == nil {
		return storage.ErrNotFound
	}
	remote := r.URL.Query().Get("images") == "remote"
	text, _ := sanitise(*c.Message.HTML, &pictures{inline: inlineImages(c.Message), remote: remote})
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	sources := ""
	if remote {
		sources = " http: https:"
	}
	h.Set("Content-Security-Policy", fmt.Sprintf(mailPolicy, sources))
	h.Set("Cache-Control", "no-store")
	protect(h)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	_, _ = io.WriteString(w, text) // the browser may be gone, which is its own affair
	return nil
}

// inlineImages gives the pictures that the html may show by their Content-ID, as data URLs. Pictures that can hold a script are
// not among them.
func inlineImages(m *parser.Message) func(contentID string) (url string, ok bool) {
	left := int64(maxImages)
	made := map[string]string{}
	return func(contentID string) (string, bool) {
		if url, ok := made[contentID]; ok {
			return url, url != ""
		}
		made[contentID] = ""
		for _, p := range m.Attachments {
			if p.ContentID != contentID || !isPicture(p.ContentType) {
				continue
			}
			b, err := io.ReadAll(io.LimitReader(p.Open(), min(maxImage, left)+1))
			if err != nil || int64(len(b)) > min(maxImage, left) {
				break
			}
			left -= int64(len(b))
			made[contentID] = "data:" + p.ContentType + ";base64," + base64.StdEncoding.EncodeToString(b)
			break
		}
		return made[contentID], made[contentID] != ""
	}
}

// isPicture says whether a media type is a picture of points.
func isPicture(mediaType string) bool {
	switch mediaType {
	case "image/png", "image/jpeg", "image/jpg", "image/pjpeg", "image/gif", "image/webp", "image/bmp", "image/avif":
		return true
	}
	return false
}

// mailRaw is the mail as it was received, as a download.
func (d *dashboard) mailRaw(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	mail, err := d.mail(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return err
	}
	raw, err := d.Store.OpenRaw(r.Context(), mail)
	if err != nil {
		return err
	}
	defer raw.Close()
	download(w, mail.ID+".eml", "message/rfc822")
	http.ServeContent(w, r, "", mail.ReceivedAt, io.NewSectionReader(raw, 0, raw.Size()))
	return nil
}

// mailAttachment is a part of the mail, decoded, as a download.
func (d *dashboard) mailAttachment(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	mail, err := d.mail(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return err
	}
	c, err := d.Desk.Open(r.Context(), mail)
	if err != nil {
		return err
	}
	defer c.Close()
	p := c.Part(r.PathValue("part"))
	if p == nil {
		return storage.ErrNotFound
	}
	name := p.Filename
	if name == "" {
		name = "part-" + strings.ReplaceAll(p.ID, ".", "-")
	}
	download(w, name, storage.SafeContentType(p.ContentType))
	if _, err := io.Copy(w, patiently(r.Context(), w, p.Open())); err != nil && r.Context().Err() == nil {
		d.Log.Error("attachment served in part", "message", mail.ID, "error", err)
		panic(http.ErrAbortHandler) // the browser must see that it did not get everything
	}
	return nil
}

// download sets the fields of what no browser shows or runs.
func download(w http.ResponseWriter, filename, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", storage.AttachmentDisposition(filename))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "no-store")
	protect(h)
}

// patiently reads for a browser, and cuts one that takes nothing for a minute, so that nobody keeps a mail open for ever.
func patiently(ctx context.Context, w http.ResponseWriter, from io.Reader) io.Reader {
	control := http.NewResponseController(w)
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		_ = control.SetWriteDeadline(time.Now().Add(time.Minute)) // a writer without deadlines has none to set
		return from.Read(p)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
