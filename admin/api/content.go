package api

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// MessageView is the data object of a mail.
type MessageView struct{ *dispatch.EventData }

// Schema says where it is described: receivers of webhooks know it.
func (MessageView) Schema(r huma.Registry) *huma.Schema {
	const name = "MessageView"
	r.Map()[name] = &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true,
		Description: "What the key data of email.received holds; /v1/schema/email.received.v1.json describes it.",
		Properties:  map[string]*huma.Schema{"id": {Type: huma.TypeString}}, Required: []string{"id"},
	}
	return &huma.Schema{Ref: "#/components/schemas/" + name}
}

// AttachmentPath names an attachment.
type AttachmentPath struct {
	MessagePath

	Part string `path:"attachment" maxLength:"100" doc:"The id of the attachment: the number of its part."`
}

// MessageAttachment is an attachment in the list.
type MessageAttachment struct {
	ID          string  `json:"id" doc:"The number of its part, as IMAP counts." example:"2.1"`
	Filename    *string `json:"filename" doc:"A display name, made harmless."`
	ContentType string  `json:"content_type" doc:"As the sender declared it."`
	Disposition *string `json:"disposition"`
	Inline      bool    `json:"inline" doc:"The html shows it, by its content_id."`
	ContentID   *string `json:"content_id"`
	Size        int64   `json:"size" doc:"Octets, decoded."`
	SHA256      string  `json:"sha256" doc:"Of the decoded content, in hexadecimal."`
}

const octets = "application/octet-stream"

func (s *service) registerContent() {
	register(s, operation{
		method: http.MethodGet, path: "/messages/{message}/parsed", id: "get-parsed-message", tag: tagMessages, scope: access.ScopeRead, summary: "Read a message",
		about: "What an event says of it under the key data, for all recipients of the account together: endpoint_id is empty, and attachments have no links, since they are got here.",
	}, s.getParsed)
	register(s, operation{
		method: http.MethodGet, path: "/messages/{message}/attachments", id: "list-attachments", tag: tagMessages, scope: access.ScopeRead, summary: "List the attachments of a message",
		about: "All of them; pictures within the html are among them.",
	}, s.listAttachments)
	register(s, operation{
		method: http.MethodGet, path: "/messages/{message}/attachments/{attachment}", id: "get-attachment", tag: tagMessages, scope: access.ScopeRead, summary: "Get an attachment, decoded",
		about: "Its media type stands in the list: what strangers declare is not said of an answer of ours.", produces: octets,
	}, s.getAttachment)
}

// view reads a message that the principal may see.
func (s *service) view(ctx context.Context, p access.Principal, id string) (*dispatch.EventData, error) {
	d, err := s.Store.Detail(ctx, p.Account, id)
	if err != nil {
		return nil, err
	}
	return s.Desk.View(ctx, d.Mail)
}

func (s *service) getParsed(ctx context.Context, p access.Principal, in *MessagePath) (*output[MessageView], error) {
	data, err := s.view(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	return &output[MessageView]{MessageView{data}}, nil
}

func (s *service) listAttachments(ctx context.Context, p access.Principal, in *MessagePath) (*output[List[MessageAttachment]], error) {
	data, err := s.view(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	out := &output[List[MessageAttachment]]{List[MessageAttachment]{Items: []MessageAttachment{}}}
	for i := range data.Attachments {
		a := &data.Attachments[i]
		out.Body.Items = append(out.Body.Items, MessageAttachment{
			ID: a.ID, Filename: a.Filename, ContentType: a.ContentType, Disposition: a.Disposition, Inline: a.Inline, ContentID: a.ContentID, Size: a.Size, SHA256: a.SHA256,
		})
	}
	return out, nil
}

func (s *service) getAttachment(ctx context.Context, p access.Principal, in *AttachmentPath) (*huma.StreamResponse, error) {
	d, err := s.Store.Detail(ctx, p.Account, in.ID)
	if err != nil {
		return nil, err
	}
	m, err := s.Desk.Open(ctx, d.Mail)
	if err != nil {
		return nil, err
	}
	var part *parser.Part
	if m.Message != nil {
		for _, one := range m.Message.Attachments {
			if one.ID == in.Part {
				part = one
			}
		}
	}
	if part == nil {
		return nil, orNotFound(m.Close())
	}
	name := part.Filename
	if name == "" {
		name = "part-" + part.ID
	}
	return s.download(name, octets, -1, part.Open(), m), nil
}

func orNotFound(err error) error {
	if err == nil {
		err = notFound()
	}
	return err
}

// download answers with content that nobody shows or runs. size is that of the content, where it is known. A connection that takes nothing for
// a minute is cut, and so is one whose content cannot be read to its end: the client must see that it did not get everything.
func (s *service) download(name, contentType string, size int64, content io.Reader, open io.Closer) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer open.Close()
		ctx.SetHeader("Content-Type", contentType)
		ctx.SetHeader("Content-Disposition", storage.AttachmentDisposition(name))
		if size >= 0 {
			ctx.SetHeader("Content-Length", strconv.FormatInt(size, 10))
		}
		from := &watched{Reader: content}
		_, err := io.Copy(patient(ctx.BodyWriter()), from)
		if from.err != nil {
			s.Log.Error("content served in part", "name", name, "error", from.err)
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}}
}

// watched keeps the error of reading apart from that of writing.
type watched struct {
	io.Reader
	err error
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// patient bounds each write and not the answer: a slow client may take hours, a dead one holds nothing for long.
func patient(w io.Writer) io.Writer {
	r, ok := w.(http.ResponseWriter)
	if !ok {
		return w
	}
	return patientWriter{w, http.NewResponseController(r)}
}

type patientWriter struct {
	io.Writer
	control *http.ResponseController
}

// Write implements io.Writer.
func (w patientWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(time.Minute)) // a writer of a test has none to set
	return w.Writer.Write(p)
}

// busy answers where too many mails are being parsed.
func busy() error {
	return huma.ErrorWithHeaders(
		problem.New(http.StatusServiceUnavailable, "Too many mails are being opened at this moment. Try again in a second."), http.Header{"Retry-After": {"1"}})
}
