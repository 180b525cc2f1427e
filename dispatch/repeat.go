package dispatch

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// Repetition is a request that could be made by hand.
type Repetition struct {
	URL    string
	Header http.Header
	Body   []byte
	Proxy  string // the endpoint's; empty: none
	// NeedsIdentity says that the endpoint wants a client certificate, which is not here. NeedsToken: a token that expires, which
	// was not fetched.
	NeedsIdentity, NeedsToken bool
}

// Repeat makes the request of the next attempt of a delivery, finished or not, and sends nothing. The body is made anew from the
// stored mail; the signature is fresh. Without reveal, what is secret of the endpoint is masked, the signature not. Nothing is
// recorded. It is for a Dispatcher that does not run.
func (d *Dispatcher) Repeat(ctx context.Context, delivery *storage.Delivery, reveal bool) (*Repetition, error) {
	ep := d.cfg.Directory().Endpoints[delivery.Endpoint]
	if ep == nil || ep.Disabled {
		return nil, errNoEndpoint
	}
	l, err := d.reread(ctx, delivery.Message)
	if err != nil {
		return nil, err
	}
	desk := &share{from: d.desk}
	defer desk.release()
	post, _, err := d.compose(ctx, &job{delivery: *delivery, letter: l}, ep, desk)
	if err != nil {
		return nil, err
	}
	made, err := d.cfg.Store.Secrets(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	sealed, err := post.seal(ctx, now, ring(ep, made[ep.ID], now))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(sealed.open(ctx))
	if err != nil {
		return nil, fmt.Errorf("writing the body: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, ep.URL, nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	d.sender.setHeader(req, post, sealed, fixedAuthorization(&ep.Access))
	r := &Repetition{
		URL: ep.URL, Header: req.Header, Body: body, Proxy: ep.Access.Proxy,
		NeedsIdentity: len(ep.Access.Certificate) > 0, NeedsToken: ep.Access.OAuth != nil,
	}
	if req.Host != req.URL.Host {
		r.Header["Host"] = []string{req.Host}
	}
	if !reveal {
		r.mask(req, ep)
	}
	return r, nil
}

// mask takes the endpoint's secrets away. The signature stays: without it the request would be refused, and it is good for
// minutes.
func (r *Repetition) mask(req *http.Request, ep *storage.Endpoint) {
	shown := maskRequest(req, ep)
	for name, values := range req.Header {
		if strings.HasSuffix(name, "Signature") {
			shown[name] = values
		}
	}
	r.Header, r.URL = shown, maskURL(req.URL)
	if r.Proxy != "" {
		r.Proxy = masked
	}
}

// reread opens a mail once more. Unlike an attempt it does not count the parse: a mail that took the program down is given up on
// as it was before.
func (d *Dispatcher) reread(ctx context.Context, id string) (*letter, error) {
	mail, err := d.cfg.Store.Mail(ctx, id)
	if err != nil {
		return nil, err
	}
	raw, err := d.cfg.Store.OpenRaw(ctx, mail)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	l := newLetter(id)
	l.mail = mail
	if mail.ParseCount >= maxParses {
		l.content, err = d.giveUp(mail, raw)
		return l, err
	}
	desk := &share{from: d.desk}
	defer desk.release()
	l.content, err = d.open(ctx, mail, source(raw), raw.Size(), desk)
	return l, err
}

// fixedAuthorization is the value of the Authorization field where that is always the same; empty: it is not, or there is none.
func fixedAuthorization(a *storage.Access) string {
	switch {
	case a.Username != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(a.Username+":"+a.Password))
	case a.Bearer != "":
		return "Bearer " + a.Bearer
	}
	return ""
}
