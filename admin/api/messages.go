package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// Message is a message as lists show it.
type Message struct {
	ID         string    `json:"id"`
	Account    string    `json:"account_id"`
	ReceivedAt time.Time `json:"received_at"`
	Size       int64     `json:"size" doc:"In octets."`
	Erased     bool      `json:"erased,omitempty" doc:"It was erased: nothing is left but id, account, time, size and state; sender, recipients and content are gone."`
	MailFrom   string    `json:"mail_from" doc:"The reverse-path; empty: the null one, or erased."`
	Recipients []string  `json:"recipients" nullable:"false" doc:"The forward-paths of the account."`
	From       string    `json:"from,omitempty" doc:"First address of the From field; left out until it was parsed."`
	Subject    string    `json:"subject,omitempty"`
	MessageID  string    `json:"message_id,omitempty"`
	Kind       string    `json:"kind,omitempty"`
	State      string    `json:"state" doc:"That of its deliveries which asks for most attention: dead, retrying, pending, held, withdrawn, refused, filtered, missed or delivered; discarded where its routes owe it to nobody."`
}

// MessageDetail is a message with all that has happened to it.
type MessageDetail struct {
	Message

	SHA256         string               `json:"sha256,omitempty" doc:"Of the octets, in hexadecimal; left out: they were erased."`
	RemoteIP       string               `json:"remote_ip,omitempty"`
	Helo           string               `json:"helo"`
	TLS            *inbound.TLS         `json:"tls,omitempty"`
	Listener       string               `json:"listener"`
	Session        string               `json:"session,omitempty" doc:"What was said before the content, without credentials and the recipients of others."`
	Authentication *inbound.AuthResults `json:"authentication,omitempty" doc:"What the checks of the sender found out."`
	Scans          *inbound.ScanResults `json:"scans,omitempty"`
	Deliveries     []Delivery           `json:"deliveries" nullable:"false"`
	Attempts       []Attempt            `json:"attempts" nullable:"false"`
}

const rawType = "message/rfc822"

// MessagePath names a message.
type MessagePath struct {
	ID string `path:"message" maxLength:"100" doc:"The id of the message, or a webhook-id."`
}

func (s *service) registerMessages() {
	register(s, operation{
		method: http.MethodGet, path: "/messages", id: "list-messages", tag: tagMessages, scope: access.ScopeRead, summary: "Search messages",
		about: "The newest first. All that is given must hold; without anything all messages are listed. A message is found by its envelope as soon as it is accepted, by its header once it was parsed.",
	}, s.listMessages)
	register(s, operation{
		method: http.MethodGet, path: "/messages/{message}", id: "get-message", tag: tagMessages, scope: access.ScopeRead, summary: "Show a message with its deliveries, attempts and session",
	}, s.getMessage)
	register(s, operation{
		method: http.MethodGet, path: "/messages/{message}/raw", id: "get-raw-message", tag: tagMessages, scope: access.ScopeRead, summary: "Get the octets of a message as they were received",
		produces: rawType,
	}, s.getRaw)
	register(s, operation{
		method: http.MethodPost, path: "/messages/{message}/retry", id: "retry-message", tag: tagMessages, scope: access.ScopeReplay, summary: "Try the dead deliveries of a message again",
		about: "Those that wait for their next attempt are made at once.",
	}, s.retryMessage)
}

type messagesInput struct {
	PageQuery

	Q         string    `query:"q" maxLength:"500" doc:"What people type into a search box: words, and to:, from:, subject:, domain:, id:, message-id:, kind:, state:, endpoint:, before: and after: with a value."`
	To        string    `query:"to" maxLength:"320" doc:"Part of a forward-path, from where a word of it begins."`
	From      string    `query:"from" maxLength:"320" doc:"Part of the reverse-path or of the address in the From field."`
	Subject   string    `query:"subject" maxLength:"500" doc:"Words of the subject, or what they begin with."`
	Domain    string    `query:"domain" maxLength:"255" doc:"Of a forward-path, or one above it."`
	MessageID string    `query:"message_id" maxLength:"998"`
	Kind      string    `query:"kind" maxLength:"50"`
	State     string    `query:"state" enum:"pending,retrying,delivered,dead,filtered,missed,held,withdrawn,refused" doc:"Of one of its deliveries."`
	Endpoint  string    `query:"endpoint" maxLength:"100" doc:"Id of an endpoint that it is owed to."`
	Since     time.Time `query:"since" doc:"Received then or later."`
	Until     time.Time `query:"until" doc:"Received before."`
	Account   string    `query:"account_id" maxLength:"100" doc:"For the operator: of this account alone."`
}

// MessagePage is a page of messages.
type MessagePage struct {
	Page[Message]

	Partial bool `json:"partial,omitempty" doc:"Many messages were looked at for few; the next page goes on."`
}

func (in *messagesInput) search(p access.Principal, now time.Time) (storage.Search, error) {
	q, err := storage.ParseSearch(in.Q, now)
	if err != nil {
		return q, problem.New(http.StatusUnprocessableEntity, "The search cannot be understood.", fault("query.q", err.Error()))
	}
	set := func(field *string, value string) {
		if value != "" {
			*field = value
		}
	}
	set(&q.To, in.To)
	set(&q.From, in.From)
	set(&q.Subject, in.Subject)
	set(&q.Domain, in.Domain)
	set(&q.MessageID, in.MessageID)
	set(&q.Kind, in.Kind)
	set(&q.State, in.State)
	set(&q.Endpoint, in.Endpoint)
	if !in.Since.IsZero() {
		q.Since = in.Since
	}
	if !in.Until.IsZero() {
		q.Until = in.Until
	}
	q.Limit = in.Limit
	if q.Before, err = in.after(); err != nil {
		return q, err
	}
	q.Account, err = accountOf(p, in.Account)
	return q, err
}

func (s *service) listMessages(ctx context.Context, p access.Principal, in *messagesInput) (*output[MessagePage], error) {
	q, err := in.search(p, s.Now())
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Search(ctx, q)
	if several, ok := errors.AsType[*storage.AmbiguousError](err); ok {
		return nil, problem.New(http.StatusUnprocessableEntity, "The search cannot be understood.", fault("query", several.Error()))
	}
	if err != nil {
		return nil, err
	}
	out := &output[MessagePage]{MessagePage{Page: Page[Message]{Items: []Message{}, NextCursor: cursorOf(found.Next)}, Partial: found.Partial}}
	for i := range found.Messages {
		out.Body.Items = append(out.Body.Items, showMessage(&found.Messages[i]))
	}
	return out, nil
}

func showMessage(m *storage.Listed) Message {
	v := Message{
		ID: m.ID, Account: m.Account, ReceivedAt: m.ReceivedAt.UTC(), Size: m.Size, Erased: m.Erased, MailFrom: m.Envelope.ReversePath.String(), Recipients: []string{}, State: m.State,
	}
	for i := range m.Envelope.Recipients {
		v.Recipients = append(v.Recipients, m.Envelope.Recipients[i].Path.String())
	}
	if h := m.Summary; h != nil {
		v.From, v.Subject, v.MessageID, v.Kind = h.From, h.Subject, h.MessageID, h.Kind
	}
	return v
}

func (s *service) getMessage(ctx context.Context, p access.Principal, in *MessagePath) (*output[MessageDetail], error) {
	d, err := s.Store.Detail(ctx, p.Account, in.ID)
	if err != nil {
		return nil, err
	}
	e := &d.Envelope
	v := MessageDetail{
		Message: showMessage(&d.Listed), RemoteIP: e.RemoteAddress(), Helo: e.Helo, TLS: e.TLS,
		Listener: e.Listener, Session: e.Session, Authentication: e.AuthResults, Scans: e.ScanResults, Deliveries: []Delivery{}, Attempts: []Attempt{},
	}
	if !d.Erased {
		v.SHA256 = hex.EncodeToString(d.SHA256[:])
	}
	for i := range d.Deliveries {
		v.Deliveries = append(v.Deliveries, showDelivery(d.Deliveries[i]))
	}
	for i := range d.Attempts {
		v.Attempts = append(v.Attempts, showAttempt(&d.Attempts[i]))
	}
	return &output[MessageDetail]{v}, nil
}

func (s *service) getRaw(ctx context.Context, p access.Principal, in *MessagePath) (*huma.StreamResponse, error) {
	d, err := s.Store.Detail(ctx, p.Account, in.ID)
	if err != nil {
		return nil, err
	}
	raw, err := s.Store.OpenRaw(ctx, d.Mail)
	if err != nil {
		return nil, err
	}
	return s.download(d.ID+".eml", rawType, raw.Size(), io.NewSectionReader(raw, 0, raw.Size()), raw), nil
}

// Retried is what was put in motion.
type Retried struct {
	Deliveries []string `json:"deliveries" nullable:"false" doc:"Ids of the deliveries that are tried again."`
}

func (s *service) retryMessage(ctx context.Context, p access.Principal, in *MessagePath) (*output[Retried], error) {
	d, err := s.Store.Detail(ctx, p.Account, in.ID)
	if err != nil {
		return nil, err
	}
	out := &output[Retried]{Retried{Deliveries: []string{}}}
	for i := range d.Deliveries {
		row := &d.Deliveries[i]
		if row.State != storage.StateDead && row.State != storage.StatePending || row.ReplayedBy != "" {
			continue
		}
		if err = s.Store.Retry(ctx, row.ID); err != nil {
			break
		}
		out.Body.Deliveries = append(out.Body.Deliveries, row.ID)
	}
	if len(out.Body.Deliveries) > 0 { // what was done is told, whatever became of the rest
		err = errors.Join(err, s.note(ctx, s.line(p, d.Account, "message.retry", d.ID, nil, out.Body)))
	}
	return out, err
}

// cursorOf is the cursor behind an item.
func cursorOf(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }
