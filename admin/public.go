package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path"
	"time"

	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// Public serves what signed links name, with range requests and HEAD, and the schemas of events, which everybody may read:
//
//	GET /v1/raw/{message}    the raw bytes of a message, as message/rfc822
//	GET /v1/blobs/{key...}   an attachment
//	GET /v1/schema           the names of the schemas
//	GET /v1/schema/{name}    the schema of an event, for example email.received.v1.json
//
// The paths may be preceded by that of the public URL. Errors are application/problem+json (RFC 9457): 403 for a link that
// we did not sign, 410 for one that has expired, 404 for content that is no longer kept, 503 for trouble of ours.
// A connection that takes nothing for a minute is cut; the server's read timeouts are the caller's to set.
func Public(store *storage.Store, blobs storage.Blobs, links *storage.Links, log *slog.Logger) http.Handler {
	p := &public{store: store, blobs: blobs, links: links, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, http.StatusNotFound, "There is nothing here.")
	})
	prefixes := []string{""}
	if p := links.Path(); p != "" {
		prefixes = append(prefixes, p)
	}
	for _, prefix := range prefixes {
		mux.HandleFunc(prefix+"/v1/raw/{message}", p.serve(p.openRaw))
		mux.HandleFunc(prefix+"/v1/blobs/{key...}", p.serve(p.openBlob))
		mux.HandleFunc("GET "+prefix+"/v1/schema", serveSchemas)
		mux.HandleFunc("GET "+prefix+"/v1/schema/{name}", serveSchema)
	}
	return mux
}

type public struct {
	store *storage.Store
	blobs storage.Blobs
	links *storage.Links
	log   *slog.Logger
}

// serve wraps what is the same for all links. open verifies the link before it touches anything.
func (p *public) serve(open func(*http.Request) (*download, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			problem.Write(w, http.StatusMethodNotAllowed, "A link can only be read.")
			return
		}
		d, err := open(r)
		if err != nil {
			p.refuse(w, r, err)
			return
		}
		p.send(w, r, d)
	}
}

// refuse tells a peer why a link does not work.
func (p *public) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, storage.ErrLinkExpired):
		problem.Write(w, http.StatusGone, "This link has expired. A new one can be made while the message is kept.")
	case errors.Is(err, storage.ErrLinkForged):
		problem.Write(w, http.StatusForbidden, "This link is incomplete or was changed.")
	case errors.Is(err, storage.ErrNotFound):
		problem.Write(w, http.StatusNotFound, "This content is no longer kept.")
	default:
		if r.Context().Err() == nil {
			p.log.Error("link not served", "path", r.URL.Path, "error", err)
		}
		w.Header().Set("Retry-After", "30")
		problem.Write(w, http.StatusServiceUnavailable, "This content cannot be read now. Try again later.")
	}
}

// download is an opened content.
type download struct {
	io.ReadSeeker
	close       func() error
	filename    string
	contentType string
	sha256hex   string // its entity tag: the content of a link never changes
	modified    time.Time
	err         error // of reading, met after the header was sent
}

// Read keeps the error that http.ServeContent does not report.
func (d *download) Read(b []byte) (int, error) {
	n, err := d.ReadSeeker.Read(b)
	if err != nil && err != io.EOF {
		d.err = err
	}
	return n, err
}

func (p *public) send(w http.ResponseWriter, r *http.Request, d *download) {
	h := w.Header()
	h.Set("Content-Type", d.contentType)
	h.Set("Content-Disposition", storage.AttachmentDisposition(d.filename))
	h.Set("Cache-Control", "private")
	h.Set("ETag", `"`+d.sha256hex+`"`)
	http.ServeContent(&patientWriter{ResponseWriter: w, control: http.NewResponseController(w)}, r, "", d.modified, d)
	err := errors.Join(d.err, d.close())
	if err != nil && r.Context().Err() == nil {
		p.log.Error("link served in part", "path", r.URL.Path, "error", err)
	}
	if d.err != nil {
		panic(http.ErrAbortHandler) // the peer must see that it did not get everything
	}
}

func (p *public) openRaw(r *http.Request) (*download, error) {
	id := r.PathValue("message")
	if _, err := p.links.Verify(storage.LinkRaw, id, r.URL.Query(), time.Now()); err != nil {
		return nil, err
	}
	mail, err := p.store.Mail(r.Context(), id)
	if err != nil {
		return nil, err
	}
	raw, err := p.store.OpenRaw(r.Context(), mail)
	if err != nil {
		return nil, err
	}
	return &download{
		ReadSeeker: io.NewSectionReader(raw, 0, raw.Size()), close: raw.Close,
		filename: id + ".eml", contentType: "message/rfc822", sha256hex: hexOf(mail.SHA256), modified: mail.ReceivedAt,
	}, nil
}

func (p *public) openBlob(r *http.Request) (*download, error) {
	key := r.PathValue("key")
	link, err := p.links.Verify(storage.LinkBlob, key, r.URL.Query(), time.Now())
	if err != nil {
		return nil, err
	}
	if !storage.IsAttachmentKey(key) { // even if it was signed: a pack holds the mail of others
		return nil, storage.ErrNotFound
	}
	object, err := p.find(r.Context(), key)
	if err != nil {
		return nil, err
	}
	b := &blobSeeker{size: object.Size, open: func(offset int64) (io.ReadCloser, error) {
		return p.blobs.OpenRange(r.Context(), key, offset, -1)
	}}
	return &download{
		ReadSeeker: b, close: b.Close,
		filename: link.Filename, contentType: storage.SafeContentType(link.ContentType), sha256hex: path.Base(key), modified: object.Modified,
	}, nil
}

// find gives the entry of one object, which comes first of all that its key is a prefix of, or near it.
func (p *public) find(ctx context.Context, key string) (storage.Object, error) {
	for object, err := range p.blobs.List(ctx, key) {
		if err != nil || object.Key == key {
			return object, err
		}
	}
	return storage.Object{}, storage.ErrNotFound
}
