package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// Endpoint is a webhook receiver.
type Endpoint struct {
	ID       string        `json:"id"`
	Account  string        `json:"account_id"`
	Name     string        `json:"name"`
	Source   string        `json:"source" doc:"api, or where the operator's file declares it; empty: it is declared no more, and what it is owed waits."`
	ReadOnly bool          `json:"read_only" doc:"It is declared in the operator's file and can only be changed there."`
	Faults   []Fault       `json:"faults,omitempty" doc:"Why it does not hold now, for example because of a change of the operator's file."`
	State    EndpointState `json:"state"`

	EndpointSettings
}

// Fault is why something that was set does not hold.
type Fault = problem.Fault

// EndpointState is what is known of the health of an endpoint.
type EndpointState struct {
	State        storage.EndpointState `json:"state" enum:"enabled,paused,broken,disabled"`
	Reason       string                `json:"reason,omitempty"`
	Since        *time.Time            `json:"since,omitempty"`
	RestUntil    *time.Time            `json:"rest_until,omitempty" doc:"No attempt before."`
	RestReason   string                `json:"rest_reason,omitempty"`
	FailingSince *time.Time            `json:"failing_since,omitempty" doc:"The first failure since the last success."`
	Pending      int64                 `json:"pending" doc:"Deliveries that are not finished."`
}

// NewEndpoint is an endpoint to be made.
type NewEndpoint struct {
	Account string `json:"account_id,omitempty" maxLength:"100" doc:"For the operator: whose it is; may be left out where there is one account."`
	Name    string `json:"name" minLength:"1" maxLength:"100" pattern:"^[^\\s\\x00-\\x1f\\x7f]+$" doc:"Unique within the account. It never changes."`

	EndpointSettings
}

// CreatedEndpoint is an endpoint with its first secret.
type CreatedEndpoint struct {
	Endpoint

	Secret string `json:"secret" doc:"What its requests are signed with. It is shown this once; a new one is made by rotation."`
}

// EndpointPath names an endpoint.
type EndpointPath struct {
	ID string `path:"endpoint" maxLength:"100" doc:"The id of the endpoint."`
}

type endpointOutput struct {
	ETagged

	Body Endpoint
}

func (s *service) registerEndpoints() {
	register(s, operation{
		method: http.MethodGet, path: "/endpoints", id: "list-endpoints", tag: tagEndpoints, scope: access.ScopeRead, summary: "List endpoints",
	}, s.listEndpoints)
	register(s, operation{
		method: http.MethodPost, path: "/endpoints", id: "create-endpoint", tag: tagEndpoints, scope: access.ScopeWrite, status: http.StatusCreated,
		summary: "Make an endpoint", about: "Its signing secret is made here and shown in the answer.",
	}, s.createEndpoint)
	register(s, operation{
		method: http.MethodGet, path: "/endpoints/{endpoint}", id: "get-endpoint", tag: tagEndpoints, scope: access.ScopeRead, summary: "Show an endpoint",
	}, s.getEndpoint)
	register(s, operation{
		method: http.MethodPatch, path: "/endpoints/{endpoint}", id: "update-endpoint", tag: tagEndpoints, scope: access.ScopeWrite, summary: "Change an endpoint",
		about: "It holds from the next attempt on.",
	}, s.updateEndpoint)
	register(s, operation{
		method: http.MethodDelete, path: "/endpoints/{endpoint}", id: "delete-endpoint", tag: tagEndpoints, scope: access.ScopeWrite, summary: "Delete an endpoint",
		about: "What it is still owed waits until there is an endpoint of its name again. One that a route leads to is answered 409.",
	}, s.deleteEndpoint)
}

// knownEndpoint gives an endpoint that the principal may see.
func (s *service) knownEndpoint(ctx context.Context, p access.Principal, id string) (storage.KnownEndpoint, error) {
	known, err := s.Store.KnownEndpoints(ctx)
	if err != nil {
		return storage.KnownEndpoint{}, err
	}
	for _, k := range known {
		if k.ID == id && p.Sees(k.Account) {
			return k, nil
		}
	}
	return storage.KnownEndpoint{}, notFound()
}

func (s *service) listEndpoints(ctx context.Context, p access.Principal, in *struct {
	PageQuery

	Account string `query:"account_id" maxLength:"100" doc:"Of this account alone."`
}) (*pageOutput[Endpoint], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	known, err := s.Store.KnownEndpoints(ctx)
	if err != nil {
		return nil, err
	}
	known = slices.DeleteFunc(known, func(k storage.KnownEndpoint) bool {
		return !p.Sees(k.Account) || in.Account != "" && k.Account != in.Account || k.ID <= after || !k.Declared && k.Pending == 0
	})
	faults, err := s.faults(ctx)
	if err != nil {
		return nil, err
	}
	show := func(k storage.KnownEndpoint) Endpoint { return s.showEndpoint(&k, faults) }
	return page(known, in.Limit, show, func(k storage.KnownEndpoint) string { return k.ID }), nil
}

// faults are what of the settings does not hold now, by their ids.
func (s *service) faults(ctx context.Context) (map[string][]Fault, error) {
	c, err := s.Store.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	return s.Configuration.Check(ctx, c.Settings)
}

func (s *service) showEndpoint(k *storage.KnownEndpoint, faults map[string][]Fault) Endpoint {
	l := &k.Life
	v := Endpoint{ID: k.ID, Account: k.Account, Name: k.Name, Faults: faults[k.ID], State: EndpointState{
		State: l.State, Reason: l.Reason, Since: optionalTime(l.Since), RestUntil: optionalTime(l.RestUntil), RestReason: l.RestReason,
		FailingSince: optionalTime(l.FailingSince), Pending: k.Pending,
	}}
	if e := s.Configuration.Directory().Endpoints[k.ID]; e != nil && !e.Disabled {
		v.Source, v.ReadOnly = e.Source, e.Source != storage.SourceAPI
		v.EndpointSettings = settingsOf(e)
	}
	return v
}

// tagOf is the entity tag of something by its id.
func (s *service) tagOf(ctx context.Context, id string) (string, error) {
	c, err := s.Store.Configuration(ctx)
	if err != nil {
		return "", err
	}
	for i := range c.Settings {
		if c.Settings[i].ID == id {
			return tag(&c.Settings[i]), nil
		}
	}
	return fileTag(id), nil
}

func (s *service) getEndpoint(ctx context.Context, p access.Principal, in *EndpointPath) (*endpointOutput, error) {
	return s.endpoint(ctx, p, in.ID)
}

func (s *service) endpoint(ctx context.Context, p access.Principal, id string) (*endpointOutput, error) {
	k, err := s.knownEndpoint(ctx, p, id)
	if err != nil {
		return nil, err
	}
	faults, err := s.faults(ctx)
	if err != nil {
		return nil, err
	}
	etag, err := s.tagOf(ctx, id)
	return &endpointOutput{ETagged{etag}, s.showEndpoint(&k, faults)}, err
}

// owner is the account that something new is for.
func (s *service) owner(ctx context.Context, p access.Principal, named string) (string, error) {
	account, err := accountOf(p, named)
	if err != nil {
		return "", err
	}
	known, err := s.Store.KnownAccounts(ctx)
	if err != nil {
		return "", err
	}
	known = slices.DeleteFunc(known, func(a storage.KnownAccount) bool { return !a.Declared })
	for _, a := range known {
		if a.ID == account {
			return account, nil
		}
	}
	switch {
	case account != "":
		return "", invalid(fault("body.account_id", "there is no such account"))
	case len(known) == 1:
		return known[0].ID, nil
	}
	return "", invalid(fault("body.account_id", "is required where there are several accounts"))
}

// operators answers settings that the operator alone may set.
func operators(p access.Principal, names []string) error {
	if p.Operator() || len(names) == 0 {
		return nil
	}
	return problem.New(http.StatusForbidden, "Only the operator may set "+strings.Join(names, " and ")+".")
}

func (s *service) createEndpoint(ctx context.Context, p access.Principal, in *struct{ Body NewEndpoint }) (*struct {
	ETagged

	Body CreatedEndpoint
}, error) {
	b := &in.Body
	account, err := s.owner(ctx, p, b.Account)
	if err != nil {
		return nil, err
	}
	if err := operators(p, b.operatorsOnly(&EndpointSettings{})); err != nil {
		return nil, err
	}
	made := &storage.Setting{Kind: storage.SettingEndpoint, Account: account, Name: b.Name, Body: body(b.EndpointSettings)}
	err = s.change(ctx, func(c *storage.Configuration) (storage.SettingChange, error) {
		made.ID, made.Position = "", nextPosition(c, storage.SettingEndpoint)
		return storage.SettingChange{Put: made, Line: s.line(p, account, "endpoint.create", "", nil, b.shown())}, nil
	})
	if err != nil {
		return nil, err
	}
	secrets, err := s.Store.Secrets(ctx)
	if err != nil {
		return nil, err
	}
	shown, err := s.endpoint(ctx, p, made.ID)
	if err != nil {
		return nil, err
	}
	out := &struct {
		ETagged

		Body CreatedEndpoint
	}{shown.ETagged, CreatedEndpoint{Endpoint: shown.Body}}
	for i := range secrets[made.ID] {
		if one := &secrets[made.ID][i]; one.Kind == storage.SecretHMAC && one.Until.IsZero() {
			out.Body.Secret = formatSecret(one)
			break
		}
	}
	return out, nil
}

// nextPosition puts something new behind the others of its kind.
func nextPosition(c *storage.Configuration, kind storage.SettingKind) int64 {
	last := int64(0)
	for i := range c.Settings {
		if t := &c.Settings[i]; t.Kind == kind {
			last = max(last, t.Position)
		}
	}
	return last + 1
}

func (s *service) updateEndpoint(ctx context.Context, p access.Principal, in *struct {
	EndpointPath
	IfMatch

	Body Patch[EndpointSettings]
}) (*endpointOutput, error) {
	if _, err := s.knownEndpoint(ctx, p, in.ID); err != nil {
		return nil, err
	}
	err := s.change(ctx, func(c *storage.Configuration) (storage.SettingChange, error) {
		t := find(c, p, storage.SettingEndpoint, in.ID)
		if t == nil {
			return storage.SettingChange{}, s.notOurs(in.ID)
		}
		if err := in.check(t); err != nil {
			return storage.SettingChange{}, err
		}
		old, err := unbody[EndpointSettings](t)
		if err != nil {
			return storage.SettingChange{}, err
		}
		next, err := patched(old, in.Body)
		if err != nil {
			return storage.SettingChange{}, err
		}
		next.keep(&old)
		if err := operators(p, next.operatorsOnly(&old)); err != nil {
			return storage.SettingChange{}, err
		}
		t.Body = body(next)
		return storage.SettingChange{Put: t, Line: s.line(p, t.Account, "endpoint.update", t.ID, old.shown(), next.shown())}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.endpoint(ctx, p, in.ID)
}

// notOurs answers a change of an endpoint that did not come by the API.
func (s *service) notOurs(id string) error {
	e := s.Configuration.Directory().Endpoints[id]
	if e == nil || e.Disabled {
		return problem.New(http.StatusConflict, "It is declared no more.")
	}
	return declaredByFile("endpoint", cmp.Or(e.Source, "the operator's file"))
}

func (s *service) deleteEndpoint(ctx context.Context, p access.Principal, in *struct {
	EndpointPath
	IfMatch
}) (*struct{}, error) {
	if _, err := s.knownEndpoint(ctx, p, in.ID); err != nil {
		return nil, err
	}
	return nil, s.change(ctx, func(c *storage.Configuration) (storage.SettingChange, error) {
		t := find(c, p, storage.SettingEndpoint, in.ID)
		if t == nil {
			return storage.SettingChange{}, s.notOurs(in.ID)
		}
		if err := in.check(t); err != nil {
			return storage.SettingChange{}, err
		}
		old, err := unbody[EndpointSettings](t)
		return storage.SettingChange{Delete: t.ID, Line: s.lineOf(p, t, "endpoint.delete", old.shown(), nil)}, err
	})
}

// lineOf is line about a setting.
func (s *service) lineOf(p access.Principal, t *storage.Setting, action string, was, became any) storage.AuditLine {
	return s.line(p, t.Account, action, t.ID, was, became)
}
