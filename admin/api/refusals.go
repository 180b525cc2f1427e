package api

import (
	"context"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// Refusal is a reply of 4yz or 5yz that an SMTP peer was given.
type Refusal struct {
	ID         string            `json:"id"`
	Account    string            `json:"account_id,omitempty" doc:"Whose recipient it was; left out: nobody's."`
	At         time.Time         `json:"at"`
	Sender     string            `json:"sender" doc:"The reverse-path; empty: the null one, or there was none yet."`
	Recipient  string            `json:"recipient" doc:"The forward-path; empty: there was none yet."`
	RemoteIP   string            `json:"remote_ip,omitempty"`
	Reason     string            `json:"reason" doc:"One of the words that the metric has."`
	Code       int               `json:"code"`
	Reply      string            `json:"reply" doc:"What was said, with its enhanced status code."`
	Listener   string            `json:"listener"`
	Helo       string            `json:"helo,omitempty"`
	TLS        string            `json:"tls,omitempty" doc:"Version; left out: in clear."`
	Recipients []string          `json:"recipients" nullable:"false" doc:"Those of the account that were accepted before."`
	Found      map[string]string `json:"found,omitempty" doc:"What was found out about client or content."`
	Session    string            `json:"session,omitempty" doc:"What was said, without credentials and the recipients of others."`
	Unrecorded int               `json:"unrecorded,omitempty" doc:"So many before it were counted and not recorded, because too many came."`
}

func (s *service) registerRefusals() {
	register(s, operation{
		method: http.MethodGet, path: "/refusals", id: "list-refusals", tag: tagMessages, scope: access.ScopeRead, summary: "List what peers were refused",
		about: "The newest first; of the last week and the last ten thousand. Where many come they are a sample, and the counts of the overview are whole.",
	}, s.listRefusals)
	register(s, operation{
		method: http.MethodGet, path: "/refusals/{refusal}", id: "get-refusal", tag: tagMessages, scope: access.ScopeRead, summary: "Show a refusal with its session",
	}, s.getRefusal)
}

func showRefusal(r storage.Refusal) Refusal {
	v := Refusal{
		ID: r.ID, Account: r.Account, At: r.At.UTC(), Sender: r.Sender, Recipient: r.Recipient, RemoteIP: r.Remote, Reason: r.Reason, Code: r.Code, Reply: r.Reply,
		Listener: r.Listener, Helo: r.Helo, TLS: r.TLS, Recipients: r.Recipients, Found: r.Found, Session: r.Session, Unrecorded: r.Unrecorded,
	}
	if v.Recipients == nil {
		v.Recipients = []string{}
	}
	return v
}

type refusalsInput struct {
	PageQuery

	Sender    string    `query:"sender" maxLength:"320" doc:"The whole address."`
	Recipient string    `query:"recipient" maxLength:"320" doc:"The whole address."`
	RemoteIP  string    `query:"remote_ip" maxLength:"50"`
	Reason    string    `query:"reason" maxLength:"50"`
	Since     time.Time `query:"since"`
	Account   string    `query:"account_id" maxLength:"100" doc:"For the operator: of this account alone."`
}

func (s *service) listRefusals(ctx context.Context, p access.Principal, in *refusalsInput) (*pageOutput[Refusal], error) {
	account, err := accountOf(p, in.Account)
	if err != nil {
		return nil, err
	}
	before, err := in.after()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Refusals(ctx, storage.RefusalFilter{
		Account: account, Sender: in.Sender, Recipient: in.Recipient, Remote: in.RemoteIP, Reason: in.Reason, Since: in.Since, Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	return page(list, in.Limit, showRefusal, func(r storage.Refusal) string { return r.ID }), nil
}

func (s *service) getRefusal(ctx context.Context, p access.Principal, in *struct {
	ID string `path:"refusal" maxLength:"100" doc:"The id of the refusal."`
}) (*output[Refusal], error) {
	r, err := s.Store.Refusal(ctx, p.Account, in.ID)
	if err != nil {
		return nil, err
	}
	return &output[Refusal]{showRefusal(*r)}, nil
}
