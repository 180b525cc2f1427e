package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// Account owns domains, endpoints, routes, keys and messages.
type Account struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	ReadOnly bool   `json:"read_only" doc:"The operator's file declares it, and it can only be changed there."`

	AccountSettings
}

// AccountPath names an account.
type AccountPath struct {
	ID string `path:"account" maxLength:"100" doc:"The id of the account."`
}

type accountOutput struct {
	ETagged

	Body Account
}

func (s *service) registerAccounts() {
	register(s, operation{
		method: http.MethodGet, path: "/accounts", id: "list-accounts", tag: tagAccess, scope: access.ScopeRead, summary: "List accounts",
		about: "An account sees itself alone.",
	}, s.listAccounts)
	register(s, operation{
		method: http.MethodPost, path: "/accounts", id: "create-account", tag: tagAccess, scope: access.ScopeAdmin, operator: true, status: http.StatusCreated,
		summary: "Make an account",
	}, s.createAccount)
	register(s, operation{
		method: http.MethodGet, path: "/accounts/{account}", id: "get-account", tag: tagAccess, scope: access.ScopeRead, summary: "Show an account",
	}, s.getAccount)
	register(s, operation{
		method: http.MethodDelete, path: "/accounts/{account}", id: "delete-account", tag: tagAccess, scope: access.ScopeAdmin, operator: true, summary: "Delete an account",
		about: "Its keys end. One that has domains or endpoints is answered 409; its messages stay until retention takes them.",
	}, s.deleteAccount)
	s.registerAccountSettings()
}

// accounts are those that the principal may see, with their settings by id.
func (s *service) accounts(ctx context.Context, p access.Principal) ([]Account, map[string]*storage.Setting, error) {
	known, err := s.Store.KnownAccounts(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := s.Store.Configuration(ctx)
	if err != nil {
		return nil, nil, err
	}
	settings := map[string]*storage.Setting{}
	for i := range c.Settings {
		if c.Settings[i].Kind == storage.SettingAccount {
			settings[c.Settings[i].ID] = &c.Settings[i]
		}
	}
	var list []Account
	d := s.Configuration.Directory()
	for _, a := range known {
		if a.Declared && p.Sees(a.ID) {
			list = append(list, Account{ID: a.ID, Name: a.Name, ReadOnly: settings[a.ID] == nil, AccountSettings: accountSettings(d, a.ID)})
		}
	}
	return list, settings, nil
}

func (s *service) listAccounts(ctx context.Context, p access.Principal, in *struct{ PageQuery }) (*pageOutput[Account], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	list, _, err := s.accounts(ctx, p)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(a Account) bool { return a.ID <= after })
	return page(list, in.Limit, func(a Account) Account { return a }, func(a Account) string { return a.ID }), nil
}

func (s *service) getAccount(ctx context.Context, p access.Principal, in *AccountPath) (*accountOutput, error) {
	list, settings, err := s.accounts(ctx, p)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(a Account) bool { return a.ID == in.ID })
	if i < 0 {
		return nil, notFound()
	}
	return &accountOutput{ETagged{etagOf(settings[in.ID], in.ID)}, list[i]}, nil
}

func (s *service) createAccount(ctx context.Context, p access.Principal, in *struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"100" pattern:"^[^\\s\\x00-\\x1f\\x7f]+$" doc:"It never changes."`

		AccountSettings
	}
}) (*accountOutput, error) {
	made := &storage.Setting{Kind: storage.SettingAccount, Name: in.Body.Name, Body: body(in.Body.AccountSettings)}
	err := s.change(ctx, func(c *storage.Configuration) (storage.SettingChange, error) {
		made.ID, made.Position = "", nextPosition(c, storage.SettingAccount)
		return storage.SettingChange{Put: made, Line: s.line(p, "", "account.create", "", nil, in.Body)}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.getAccount(ctx, p, &AccountPath{made.ID})
}

func (s *service) deleteAccount(ctx context.Context, p access.Principal, in *struct {
	AccountPath
	IfMatch
}) (*struct{}, error) {
	if _, err := s.getAccount(ctx, p, &in.AccountPath); err != nil {
		return nil, err
	}
	err := s.change(ctx, func(c *storage.Configuration) (storage.SettingChange, error) {
		t := find(c, p, storage.SettingAccount, in.ID)
		if t == nil {
			return storage.SettingChange{}, declaredByFile("account", "the operator's file")
		}
		if err := in.check(t); err != nil {
			return storage.SettingChange{}, err
		}
		return storage.SettingChange{Delete: t.ID, Line: s.line(p, "", "account.delete", t.ID, map[string]string{"name": t.Name}, nil)}, nil
	})
	if err != nil {
		return nil, err
	}
	for after := ""; ; {
		keys, err := s.Store.APIKeys(ctx, storage.APIKeyQuery{Account: in.ID, After: after, Limit: 200})
		if err != nil || len(keys) == 0 {
			return nil, err
		}
		for _, k := range keys {
			if after = k.ID; !k.RevokedAt.IsZero() {
				continue
			}
			if err := s.Store.RevokeAPIKey(ctx, k.ID, s.line(p, k.Account, "key.revoke", k.ID, showKey(k), nil)); err != nil {
				return nil, err
			}
		}
	}
}
