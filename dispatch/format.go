package dispatch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// FormatNative is the name of the format that is the contract of this program: an [Event] as JSON.
const FormatNative = "native"

// Format is the shape in which an endpoint gets its mail: media type, body, header fields of its own, and what an answer
// means. The native one lives here, those of hosted parsers in package format. Safe for concurrent use.
type Format interface {
	// Form makes the request, all but what the moment of the attempt decides. An error says that nothing can be sent now
	// and that it is no fault of the mail.
	Form(ctx context.Context, c *Copy) (*Form, error)
	// Refuses says whether an answer that is not 2xx asks for no further attempt at this mail. The delivery is dead then,
	// and is kept and can be replayed like any other.
	Refuses(ep *storage.Endpoint, status int) bool
}

// Copy is a mail as one endpoint is to get it.
type Copy struct {
	Endpoint *storage.Endpoint
	// ID is the id of the event, which is the webhook-id.
	ID string
	// Event is the mail in the native format, with links that are fresh. It is this copy's own; what it points to is not.
	Event *Event
	// Envelope is that of the session with the recipients of this copy alone.
	Envelope inbound.Envelope
	// Hostname is ours, for the Received field.
	Hostname string
	// Smallest asks for the least that makes sense: an earlier attempt was too large for the endpoint.
	Smallest bool

	// OpenRaw opens the mail as it was received. The context holds until Close.
	OpenRaw func(ctx context.Context) (io.ReadCloser, error)
	// OpenAttachment opens the decoded content of an attachment by its index in Event.Data.Attachments, of which it has
	// exactly the size that stands there.
	OpenAttachment func(ctx context.Context, index int) (io.ReadCloser, error)
}

// Trace gives the fields that a mail system puts before a mail when it hands it on: Return-Path and Received (RFC 5321
// section 4.4). They are the same on every attempt.
func (c *Copy) Trace() []byte {
	return inbound.TraceFields(&c.Envelope, c.Hostname, c.Event.Data.ID)
}

// Form is a request that can be made. Either Body has what is sent, or Write writes it while it is being sent.
type Form struct {
	MediaType string // value of the Content-Type field
	Body      []byte // not changed
	// Plain is what Body is the compressed form of; nil: Body is not compressed.
	Plain    []byte
	Encoding string // value of the Content-Encoding field; empty: none

	// Write writes the body. It is called several times, and for the same Stamp it writes the same octets. An error that
	// does not come from w says that the mail cannot be read now.
	Write func(ctx context.Context, w io.Writer, at Stamp) error
	// Sign sets the header fields by which the vendor's clients know their requests; nil: there are none.
	Sign func(ctx context.Context, header http.Header, at Stamp) error
	// Omitted names what the smallest form left out, for the letterhook-omitted field; empty: nothing.
	Omitted string
	// Held is how many octets Write keeps in memory, by estimate.
	Held int64

	sent func() // takes back the memory of Body and Plain; nil: it is not wanted back
}

// Stamp is what tells one attempt from the next.
type Stamp struct {
	Time  time.Time // of this attempt
	Token string    // 50 lower-case hexadecimal digits that nobody can foresee
}

// cost is what the form holds in memory while it is in flight, in octets.
func (f *Form) cost() int64 {
	if f.Write != nil {
		return f.Held + keptForm + streamCost
	}
	return int64(cap(f.Body) + cap(f.Plain))
}

// signed is what a Standard Webhooks signature covers of a body that lies in memory: what the receiver reads once it has undone
// the compression.
func (f *Form) signed() []byte {
	if f.Plain != nil {
		return f.Plain
	}
	return f.Body
}

// format gives the format of the endpoint.
func (d *Dispatcher) format(ep *storage.Endpoint) (Format, error) {
	if ep.Format == "" || ep.Format == FormatNative {
		return &d.native, nil
	}
	if f := d.cfg.Formats[ep.Format]; f != nil {
		return f, nil
	}
	return nil, errNoFormat
}

// errNoFormat says that an endpoint asks for a format that this program was not given.
var errNoFormat = errors.New("the format of the endpoint is not known")
