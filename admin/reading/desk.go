// Package reading opens stored mails for people and programs that look at them, beside the delivery.
//
// The promise of this package: looking never stands in the way of delivery. Few mails are parsed at a time, whoever asks, and a mail that
// may take the process down is not parsed here.
package reading

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

const (
	// atOnce bounds the mails that are parsed at one time.
	atOnce = 2
	// patience is how long somebody waits for a turn at the parser.
	patience = 10 * time.Second
	// poisonous is how many parses of a mail may have failed to come back before it is not parsed here: it may take the process with it.
	poisonous = 2
)

// ErrBusy says that too many mails are being parsed at this moment.
var ErrBusy = errors.New("too many mails are being parsed")

// Desk is where mails are opened. It is safe for concurrent use.
type Desk struct {
	store   *storage.Store
	version string
	turns   chan struct{}
}

// New makes a desk for the mails of a store. version is the program's.
func New(store *storage.Store, version string) *Desk {
	return &Desk{store: store, version: version, turns: make(chan struct{}, atOnce)}
}

// take waits for a turn at the parser.
func (d *Desk) take(ctx context.Context) (release func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case d.turns <- struct{}{}:
		return func() { <-d.turns }, nil
	case <-waiting.Done():
		return nil, ErrBusy
	}
}

// Mail is an opened mail. Close it.
type Mail struct {
	*storage.Mail

	Raw     *storage.Raw
	Message *parser.Message // nil: it is not parsed, because that failed before
}

// Open reads and parses a mail. The limits of the parser bound the work. The turn at the parser ends with the parsing: how long somebody
// takes to read what was found is his own affair. Too many at a time give an error that Is [ErrBusy].
func (d *Desk) Open(ctx context.Context, mail *storage.Mail) (*Mail, error) {
	release, err := d.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return d.open(ctx, mail)
}

func (d *Desk) open(ctx context.Context, mail *storage.Mail) (_ *Mail, err error) {
	m := &Mail{Mail: mail}
	if m.Raw, err = d.store.OpenRaw(ctx, mail); err != nil {
		return nil, err
	}
	if mail.ParseCount >= poisonous {
		return m, nil
	}
	if m.Message, err = parser.Parse(m.Raw, m.Raw.Size(), parser.Limits{}); err != nil {
		return nil, errors.Join(fmt.Errorf("parsing %s: %w", mail.ID, err), m.Close())
	}
	return m, nil
}

// View is the data object of a mail as a whole, see [dispatch.View]. It has one turn for all of it: whoever waits for one has opened nothing.
func (d *Desk) View(ctx context.Context, mail *storage.Mail) (_ *dispatch.EventData, err error) {
	release, err := d.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	m, err := d.open(ctx, mail)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	return dispatch.View(mail, m.Message, m.Raw, d.version)
}

// Close gives the mail back.
func (m *Mail) Close() error { return m.Raw.Close() }

// Part finds a part among those of the message by its number; nil: there is none.
func (m *Mail) Part(id string) *parser.Part {
	if m.Message == nil {
		return nil
	}
	for _, r := range m.Message.Explain() {
		if r.Part.ID == id && r.As != parser.AsMultipart {
			return r.Part
		}
	}
	return nil
}

// Head reads the beginning of the raw mail, at most limit octets.
func (m *Mail) Head(limit int64) (text string, cut bool, err error) {
	b, err := io.ReadAll(io.NewSectionReader(m.Raw, 0, min(limit, m.Raw.Size())))
	return string(b), m.Raw.Size() > limit, err
}
