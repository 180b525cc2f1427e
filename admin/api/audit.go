package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// AuditLine is one change that somebody made.
type AuditLine struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Account string    `json:"account_id,omitempty" doc:"The account that it concerns; left out: the whole installation."`
	Actor   string    `json:"actor,omitempty" doc:"The key that did it; left out: the command line."`
	Name    string    `json:"actor_name" doc:"The name of the key at that time."`
	Address string    `json:"address,omitempty" doc:"The client's."`
	Action  string    `json:"action" example:"endpoint.create"`
	Object  string    `json:"object" doc:"What was changed."`
	Before  any       `json:"before,omitempty" doc:"As it was, without secrets; left out: it was not there."`
	After   any       `json:"after,omitempty" doc:"As it became, without secrets; left out: it is gone."`
}

func (s *service) registerAudit() {
	register(s, operation{
		method: http.MethodGet, path: "/audit", id: "list-audit", tag: tagAccess, scope: access.ScopeAdmin, summary: "List who changed what",
		about: "The newest first.",
	}, s.listAudit)
}

type auditInput struct {
	PageQuery

	Object string `query:"object" maxLength:"300" doc:"Changes of this alone."`
}

func (s *service) listAudit(ctx context.Context, p access.Principal, in *auditInput) (*pageOutput[AuditLine], error) {
	before, err := in.after()
	if err != nil {
		return nil, err
	}
	list, err := s.Store.AuditLines(ctx, storage.AuditQuery{Account: p.Account, Object: in.Object, Before: before, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	return page(list, in.Limit, showAuditLine, func(l storage.AuditLine) string { return l.ID }), nil
}

func showAuditLine(l storage.AuditLine) AuditLine {
	v := AuditLine{
		ID: l.ID, At: l.At.UTC(), Account: l.Account, Actor: l.Actor, Name: l.Name, Address: l.Address, Action: l.Action, Object: l.Object,
	}
	if l.Was != "" {
		v.Before = json.RawMessage(l.Was)
	}
	if l.Became != "" {
		v.After = json.RawMessage(l.Became)
	}
	return v
}

// line is what the audit log says about a change. was and became are as the API shows them, which is without secrets; nil: nothing.
func (s *service) line(p access.Principal, account, action, object string, was, became any) storage.AuditLine {
	return storage.AuditLine{
		Account: account, Actor: p.Key, Name: p.Name, Address: p.Address, Action: action, Object: object, Was: asText(was), Became: asText(became),
	}
}

// note has the delivery heed at once what was changed in the store, and writes it into the audit log.
func (s *service) note(ctx context.Context, l storage.AuditLine) error {
	if s.Wake != nil {
		s.Wake()
	}
	return s.Store.Audit(ctx, l)
}

func asText(v any) string {
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // only what the API shows comes here
	}
	return string(text)
}
