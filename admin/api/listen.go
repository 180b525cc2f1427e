package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// Heard is one line of what a listener hears.
type Heard struct {
	Type     string            `json:"type" enum:"listening,request,skipped,alive" doc:"listening: the first line. request: what an endpoint gets. skipped: a message that none could be made of. alive: nothing has happened for a while."`
	At       time.Time         `json:"at"`
	Message  string            `json:"message_id,omitempty" doc:"Of request and skipped; send the last one as after to go on where you were."`
	Endpoint string            `json:"endpoint_id,omitempty" doc:"Whose requests these are."`
	ID       string            `json:"webhook_id,omitempty" doc:"Of request: the header field webhook-id. You may get one twice after you went on; it is the same then."`
	Header   map[string]string `json:"header,omitempty" doc:"Header fields of the request, without those that the endpoint's declaration adds."`
	Body     []byte            `json:"body,omitempty" doc:"Of the request, in base64."`
	Reason   string            `json:"reason,omitempty" doc:"Why it was skipped."`
}

const (
	linesType = "application/x-ndjson"

	listenersOfKey = 4  // at once
	listenersOfAll = 32 // of this process
)

type listenInput struct {
	Endpoint  string `query:"endpoint" maxLength:"100" doc:"Id of the endpoint whose requests are wanted; left out: requests in the native format, with all recipients of the message."`
	Recipient string `query:"recipient" maxLength:"320" doc:"For this address alone, or this domain."`
	Route     string `query:"route" maxLength:"100" doc:"For recipients that this route took."`
	Account   string `query:"account_id" maxLength:"100" doc:"For the operator: of this account alone."`
	After     string `query:"after" maxLength:"100" doc:"message_id of the last line that you have: what came since is sent first, of an hour at most."`
	Sign      bool   `query:"sign" doc:"Sign with the secrets of the endpoint. It needs the scope replay. Left out: nothing is signed."`
	Seconds   int    `query:"seconds" minimum:"1" maximum:"86400" doc:"End after so long; left out: never."`
}

func (s *service) registerListen() {
	o := operation{
		method: http.MethodGet, path: "/listen", id: "listen", tag: tagMessages, scope: access.ScopeRead, summary: "Hear the requests that endpoints get, as mail comes",
		about:    "One JSON object per line, for a developer's machine: letterhook listen posts them there. They are copies: no delivery waits for a listener or hears of it. It has the mail that every node takes, but for that whose sender waits for the answer of an endpoint. Four listeners of a key at once.",
		produces: linesType, line: &Heard{},
	}
	register(s, o, s.listen)
}

// listeners counts who listens.
type listeners struct {
	mu    sync.Mutex
	total int
	of    map[string]int // by the id of the key
}

// enter lets one more listen, until leave is called. It is nil where that would be too many.
func (l *listeners) enter(key string) (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= listenersOfAll || l.of[key] >= listenersOfKey {
		return nil
	}
	if l.of == nil {
		l.of = map[string]int{}
	}
	l.total++
	l.of[key]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.total--
		if l.of[key]--; l.of[key] == 0 {
			delete(l.of, key)
		}
	}
}

// listen checks what is wanted, then answers with lines until the listener is gone.
func (s *service) listen(_ context.Context, p access.Principal, in *listenInput) (*huma.StreamResponse, error) {
	if s.Mirror == nil {
		return nil, problem.New(http.StatusServiceUnavailable, "Only a running server can be listened to.")
	}
	w := &wish{principal: p, signed: in.Sign, route: in.Route}
	var err error
	if w.account, err = accountOf(p, in.Account); err != nil {
		return nil, err
	}
	if err := s.chooseEndpoint(w, in); err != nil {
		return nil, err
	}
	if w.address, w.domain, err = readRecipient(in.Recipient); err != nil {
		return nil, err
	}
	w.since = s.Now()
	if in.After != "" {
		at := storage.MessageTime(in.After)
		if at.IsZero() {
			return nil, invalid(fault("query.after", "is not the id of a message"))
		}
		w.since = at.Add(-settling)
		if oldest := s.Now().Add(-listenBack); w.since.Before(oldest) {
			w.since = oldest
		}
	}
	leave := s.listeners.enter(p.Key)
	if leave == nil {
		return nil, problem.New(http.StatusTooManyRequests, "Too many listen already.")
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer leave()
		ctx := hc.Context()
		if in.Seconds > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(in.Seconds)*time.Second)
			defer cancel()
		}
		hc.SetHeader("Content-Type", linesType)
		hc.SetHeader("X-Accel-Buffering", "no") // a proxy must not wait for more
		s.tell(ctx, w, newLines(hc.BodyWriter()))
	}}, nil
}

// chooseEndpoint finds the endpoint whose requests are wanted.
func (s *service) chooseEndpoint(w *wish, in *listenInput) error {
	if in.Sign && !w.principal.May(access.ScopeReplay) {
		return problem.New(http.StatusForbidden, "Signatures of an endpoint need the scope replay.")
	}
	if in.Endpoint == "" {
		if in.Sign {
			return invalid(fault("query.sign", "needs an endpoint"))
		}
		return nil
	}
	if d := s.Configuration.Directory; d != nil {
		w.endpoint = d().Endpoints[in.Endpoint]
	}
	if w.endpoint == nil || !w.principal.Sees(w.endpoint.Account) || w.account != "" && w.endpoint.Account != w.account {
		return notFound()
	}
	w.account = w.endpoint.Account
	return nil
}

// readRecipient reads a filter: an address, or a domain.
func readRecipient(text string) (address *inbound.Path, domain string, err error) {
	switch {
	case text == "":
		return nil, "", nil
	case !strings.Contains(text, "@"):
		return nil, text, nil
	}
	path, err := inbound.ParsePath(text, true)
	if err != nil {
		return nil, "", invalid(fault("query.recipient", "is neither an address nor a domain"))
	}
	return &path, "", nil
}

// wish is what a listener wants to hear.
type wish struct {
	principal access.Principal
	account   string
	endpoint  *storage.Endpoint // nil: all of them in one
	address   *inbound.Path     // nil: any
	domain    string            // empty: any
	route     string            // empty: any
	signed    bool
	since     time.Time

	asked time.Time // when it was last asked whether it may hear more
	ended bool      // it may not
}

func (w *wish) wants(r *inbound.Recipient) bool {
	switch {
	case w.address != nil && (!strings.EqualFold(r.Path.LocalPart, w.address.LocalPart) || !strings.EqualFold(r.Path.Domain, w.address.Domain)):
		return false
	case w.domain != "" && !strings.EqualFold(r.Path.Domain, w.domain):
		return false
	}
	return w.route == "" || r.Route == w.route
}

// mirror sends the requests that are made of one message.
func (s *service) mirror(ctx context.Context, w *wish, mail *storage.Mail, out *lines) error {
	endpoint := ""
	if w.endpoint != nil {
		endpoint = w.endpoint.ID
	}
	sent := errors.New("sending")
	err := s.Mirror(ctx, mail.ID, w.endpoint, w.wants, w.signed, func(m *dispatch.Mirrored) error {
		header := make(map[string]string, len(m.Header))
		for name := range m.Header {
			header[name] = m.Header.Get(name)
		}
		if err := out.send(Heard{Type: "request", At: s.Now().UTC(), Message: mail.ID, Endpoint: endpoint, ID: m.ID, Header: header, Body: m.Body}); err != nil {
			return errors.Join(sent, err)
		}
		return nil
	})
	switch {
	case err == nil || errors.Is(err, storage.ErrErased) || errors.Is(err, storage.ErrNotFound):
		return nil
	case errors.Is(err, sent) || ctx.Err() != nil:
		return err
	}
	reason := "it cannot be read now"
	if errors.Is(err, dispatch.ErrMirrorTooLarge) {
		reason = err.Error()
	} else {
		s.Log.Warn("a message was not sent to a listener", "message", mail.ID, "error", err)
	}
	return out.send(Heard{Type: "skipped", At: s.Now().UTC(), Message: mail.ID, Endpoint: endpoint, Reason: reason})
}
