package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// poisonous is how many parses of a mail may have failed to come back before it is not parsed here: it may take the process with it.
const poisonous = 2

// content is an opened mail. Close it.
type content struct {
	raw     *storage.Raw
	message *parser.Message // nil: it is not parsed, because that failed before
}

// Close gives the mail back.
func (c *content) Close() error { return c.raw.Close() }

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

// turnPatience is how long a page waits for its turn at the parser.
const turnPatience = 10 * time.Second

// open reads and parses a mail. The limits of the parser bound the work, and only a few are parsed at a time. The turn at the parser ends
// with the parsing: how long a browser takes to read what was found is its own affair.
func (d *dashboard) open(ctx context.Context, mail *storage.Mail) (_ *content, err error) {
	waiting, cancel := context.WithTimeout(ctx, turnPatience)
	defer cancel()
	select {
	case d.reading <- struct{}{}:
		defer func() { <-d.reading }()
	case <-waiting.Done():
		return nil, errTooMany
	}
	c := &content{}
	if c.raw, err = d.Store.OpenRaw(ctx, mail); err != nil {
		return nil, err
	}
	if mail.ParseCount >= poisonous {
		return c, nil
	}
	if c.message, err = parser.Parse(c.raw, c.raw.Size(), parser.Limits{}); err != nil {
		return nil, errors.Join(fmt.Errorf("parsing %s: %w", mail.ID, err), c.Close())
	}
	return c, nil
}

// part finds a part among those of the message by its number; nil: there is none.
func (c *content) part(id string) *parser.Part {
	if c.message == nil {
		return nil
	}
	for _, r := range c.message.Explain() {
		if r.Part.ID == id && r.As != parser.AsMultipart {
			return r.Part
		}
	}
	return nil
}

// head reads the beginning of the raw mail, at most limit octets.
func (c *content) head(limit int64) (text string, cut bool, err error) {
	b, err := io.ReadAll(io.NewSectionReader(c.raw, 0, min(limit, c.raw.Size())))
	return string(b), c.raw.Size() > limit, err
}
