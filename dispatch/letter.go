package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// maxParses is how many parses of a mail may not come back. A mail that took the program down so often goes out unparsed.
const maxParses = 3

// letter is a mail on its way into events. Deliveries of the same mail share one, so that it is read and parsed once.
type letter struct {
	id   string
	turn chan struct{} // capacity 1; whoever has put something in may use the fields below

	mail    *storage.Mail
	raw     []byte // nil: to be read from the store
	content *content

	// The board's, under its lock.
	users int   // deliveries that still need it
	cost  int64 // octets of the memory budget
}

// content is what was made of a letter.
type content struct {
	data    *EventData       // without what depends on the endpoint or the time; not changed
	found   []attachment     // belongs to data.Attachments
	links   []storage.Link   // likewise; without Expires
	summary *storage.Summary // to be recorded; nil when the store has it already
	counted bool             // the parse was counted in the store and ended well
}

func newLetter(id string) *letter { return &letter{id: id, turn: make(chan struct{}, 1)} }

// prepare reads, parses and stores the attachments of the letter, unless that was done before. An error means that nothing
// can be sent now and that it is no fault of the mail: it is to be tried again later.
//
// desk gets a share for the letter while that is worked on, to be released when its event is rendered and on its way.
func (d *Dispatcher) prepare(ctx context.Context, l *letter, desk *share) (*storage.Mail, *content, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	err := d.fill(ctx, l, desk)
	mail, content := l.mail, l.content
	<-l.turn
	if err == nil {
		err = desk.take(ctx, deskCost(mail.Size)) // unless it was filled just now
	}
	if err != nil {
		return nil, nil, err
	}
	return mail, content, nil
}

// fill does the work of prepare, in the letter's turn.
func (d *Dispatcher) fill(ctx context.Context, l *letter, desk *share) error {
	if l.content != nil {
		return nil
	}
	if l.mail == nil {
		mail, err := d.cfg.Store.Mail(ctx, l.id)
		if err != nil {
			return err
		}
		l.mail = mail
	}
	c, err := d.read(ctx, l, desk)
	if err != nil {
		return err
	}
	l.content, l.raw = c, nil
	return nil
}

// deskCost estimates what a mail of size octets needs in memory while it is parsed and rendered: its texts, which have a
// bound, as they are and as JSON.
func deskCost(size int64) int64 { return min(2*size, 4<<20) + attemptCost }

func (d *Dispatcher) read(ctx context.Context, l *letter, desk *share) (*content, error) {
	if l.raw != nil {
		return d.open(ctx, l.mail, parser.Octets(l.raw), int64(len(l.raw)), desk)
	}
	raw, err := d.cfg.Store.OpenRaw(ctx, l.mail)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	if l.mail.ParseCount == 0 && !l.mail.ReceivedAt.Before(d.started) {
		return d.open(ctx, l.mail, source(raw), raw.Size(), desk) // a mail of this run never met a crash
	}
	return d.openCounted(ctx, l.mail, raw, desk)
}

// openCounted opens a mail that may have taken the program down before: one that an earlier run of the program accepted.
// The parse counts until it comes back, with whatever result. So what is counted are crashes and not, say, the hours for
// which no attachment could be stored.
func (d *Dispatcher) openCounted(ctx context.Context, mail *storage.Mail, raw *storage.Raw, desk *share) (*content, error) {
	count, err := d.cfg.Store.BeginParse(ctx, mail.ID)
	if err != nil {
		return nil, fmt.Errorf("counting the parse of message %s: %w", mail.ID, err)
	}
	if count > maxParses {
		return d.giveUp(mail, raw)
	}
	if count > 1 && d.cfg.ProbeParse != nil {
		if err := d.cfg.ProbeParse(ctx, raw); err != nil {
			if !errors.Is(err, ErrProbeDied) || ctx.Err() != nil {
				d.cfg.Store.EndParse(mail.ID)
			}
			return nil, fmt.Errorf("parsing message %s apart, try %d: %w", mail.ID, count, err)
		}
	}
	defer d.cfg.Store.EndParse(mail.ID)
	c, err := d.open(ctx, mail, source(raw), raw.Size(), desk)
	if err == nil {
		c.counted = true
	}
	return c, err
}

// source gives the parser the octets of a small mail where they lie.
func source(raw *storage.Raw) io.ReaderAt {
	if octets := raw.Octets(); octets != nil {
		return parser.Octets(octets)
	}
	return raw
}

// giveUp makes the content of a mail that the parser must not touch. Its parse count stays, so that the next attempt does
// not touch it either.
func (d *Dispatcher) giveUp(mail *storage.Mail, raw io.ReaderAt) (*content, error) {
	header, err := plainHeader(raw)
	if err != nil {
		return nil, err
	}
	data := unparsed(header, d.cfg.Version)
	weighReversePath(data, mail.Envelope.ReversePath)
	return &content{data: data, summary: summaryOf(data, nil)}, nil
}

// open parses the mail and stores its attachments. A parser that panics makes the mail go out unparsed.
func (d *Dispatcher) open(ctx context.Context, mail *storage.Mail, raw io.ReaderAt, size int64, desk *share) (c *content, err error) {
	defer func() {
		if p := recover(); p != nil {
			d.metrics.panics.Inc()
			d.log.Error("the parser panicked; the mail goes out unparsed", "message", mail.ID, "panic", fmt.Sprint(p))
			c, err = d.giveUp(mail, raw)
		}
	}()
	msg, err := d.parseAtDesk(ctx, raw, size, desk)
	if err != nil {
		return nil, fmt.Errorf("parsing message %s: %w", mail.ID, err)
	}
	d.step("parsed")
	c = &content{}
	if len(msg.Attachments) > 0 {
		if !d.uploads.TryAcquire(1) {
			msg = nil // not to be kept for as long as that takes
			desk.release()
			if err := d.awaitUpload(ctx); err != nil {
				return nil, err
			}
		}
		defer d.uploads.Release(1)
		if msg, err = d.upload(ctx, mail, msg, raw, size, desk, c); err != nil {
			return nil, err
		}
	}
	d.step("attachments-stored")
	if mail.Envelope.ReversePath == (inbound.Path{}) {
		msg.NullReversePath()
	}
	c.data = contentOf(msg, c.found, d.cfg.Version)
	if mail.Summary == nil {
		c.summary = summaryOf(c.data, c.found)
	}
	return c, nil
}

// parseAtDesk parses when there is room for it and the right to keep a processor busy.
func (d *Dispatcher) parseAtDesk(ctx context.Context, raw io.ReaderAt, size int64, desk *share) (*parser.Message, error) {
	if err := desk.take(ctx, deskCost(size)); err != nil {
		return nil, err
	}
	release, err := d.claimCPU(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return d.parse(raw, size, parser.Limits{})
}

// awaitUpload waits for the right to store attachments. However slow the blobs are, no more than a part of all attempts
// waits here; the others are put off.
func (d *Dispatcher) awaitUpload(ctx context.Context) error {
	if !d.waiting.TryAcquire(1) {
		return errUploadsBusy
	}
	defer d.waiting.Release(1)
	return d.uploads.Acquire(ctx, 1)
}

// upload stores the attachments of a mail, which it parses again when msg is nil. The desk is left to others meanwhile: what
// is in memory is bounded by the number of uploads.
func (d *Dispatcher) upload(ctx context.Context, mail *storage.Mail, msg *parser.Message, raw io.ReaderAt, size int64, desk *share, c *content) (*parser.Message, error) {
	if msg == nil {
		var err error
		if msg, err = d.parseAtDesk(ctx, raw, size, desk); err != nil {
			return nil, fmt.Errorf("parsing message %s: %w", mail.ID, err)
		}
	}
	desk.release()
	var kept bytes.Buffer
	for _, part := range msg.Attachments {
		a, err := storeAttachment(ctx, d.cfg.Blobs, mail, part, &kept)
		if err != nil {
			return nil, err
		}
		c.found = append(c.found, *a)
		c.links = append(c.links, storage.Link{Filename: part.Filename, ContentType: part.ContentType})
	}
	return msg, desk.take(ctx, deskCost(size))
}

// event makes the event of the mail for one endpoint, with links that are fresh at the time now.
func (d *Dispatcher) event(ctx context.Context, mail *storage.Mail, c *content, endpoint string, now time.Time) (*Event, error) {
	data := *c.data
	address(&data, mail, endpoint)
	until := now.Add(d.cfg.LinkLifetime).Truncate(time.Second)
	raw := d.cfg.Links.Raw(mail.ID, until)
	data.Raw.URL, data.Raw.URLExpiresAt = &raw, Time{until}
	data.Attachments = append([]Attachment{}, data.Attachments...)
	for i := range data.Attachments {
		link := c.links[i]
		link.Expires = until
		url, expires, err := d.cfg.Blobs.URL(ctx, c.found[i].key, link)
		if err != nil {
			return nil, fmt.Errorf("linking attachment %s: %w", c.found[i].part, err)
		}
		data.Attachments[i].URL, data.Attachments[i].URLExpiresAt = &url, Time{expires}
	}
	data.Parse.Truncated = []string{}
	return &Event{Type: EventReceived, Version: EventVersion, Timestamp: data.ReceivedAt, Data: &data}, nil
}

// claimCPU waits for the right to do work that keeps a processor busy. Mails that wait to be accepted go first, for a
// bounded while: their peers wait for an answer, ours wait for nothing.
func (d *Dispatcher) claimCPU(ctx context.Context) (release func(), err error) {
	if err := giveWay(ctx, d.cfg.Store.AcceptsPress); err != nil {
		return nil, err
	}
	select {
	case d.cpu <- struct{}{}:
		return func() { <-d.cpu }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// giveWay waits while they press, but not for ever: what waits here has a promise to keep too.
func giveWay(ctx context.Context, they func() storage.Press) error {
	for began := time.Now(); time.Since(began) < yieldTo(they()); {
		select {
		case <-time.After(yieldStep):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// yieldTo is how long to wait at most. A crowd is soon over, or goes on for so long that what waits here would be late anyway; and the later
// that is begun, the sooner the peers of the crowd are answered.
func yieldTo(press storage.Press) time.Duration {
	switch press {
	case storage.PressCrowd:
		return crowdYield
	case storage.PressSome:
		return someYield
	default:
		return 0
	}
}

// ErrProbeDied says that the process which parsed a mail apart did not survive it.
var ErrProbeDied = errors.New("the process that parsed the mail died")

// errNoEndpoint says that a lane's endpoint is not in the directory, or disabled: the delivery waits.
var errNoEndpoint = errors.New("the endpoint is not declared")

// errUploadsBusy says that as many attempts as may wait for their attachments do.
var errUploadsBusy = errors.New("too many mails wait for their attachments to be stored")
