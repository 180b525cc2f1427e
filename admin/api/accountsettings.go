package api

import (
	"context"
	"net/http"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// AccountSettings are what an account may have and how long it is kept. The keys are those of the file.
type AccountSettings struct {
	Limits    *AccountLimits    `json:"limits,omitempty" doc:"Beyond one of them its recipients hear 452; left out: there are none."`
	Retention *AccountRetention `json:"retention,omitempty" doc:"Left out: that of the server holds."`
}

// AccountLimits bound what an account may have.
type AccountLimits struct {
	Stored            int64 `json:"stored,omitempty" minimum:"0" maximum:"9007199254740991" doc:"Octets of raw messages; 0: any."`
	Backlog           int64 `json:"backlog,omitempty" minimum:"0" maximum:"1000000000" doc:"Deliveries that are not finished; 0: any."`
	MessagesPerMinute int64 `json:"messages_per_minute,omitempty" minimum:"0" maximum:"1000000000" doc:"Accepted, in any 60 seconds; 0: any."`
	MessagesPerHour   int64 `json:"messages_per_hour,omitempty" minimum:"0" maximum:"1000000000" doc:"Accepted, in any 60 minutes; 0: any."`
}

// AccountRetention says how long the messages of an account are kept.
type AccountRetention struct {
	Messages    string `json:"messages,omitempty" maxLength:"40" doc:"Rows and raw bytes, after the last result; left out: as all others." example:"7d"`
	Attachments string `json:"attachments,omitempty" maxLength:"40" doc:"After the last result; left out: as all others." example:"3d"`
}

// accountSettings are those that hold.
func accountSettings(d *storage.Directory, id string) (v AccountSettings) {
	if l, ok := d.Limits[id]; ok {
		v.Limits = &AccountLimits{Stored: l.Octets, Backlog: l.Backlog, MessagesPerMinute: l.PerMinute, MessagesPerHour: l.PerHour}
	}
	if r, ok := d.Retention[id]; ok {
		v.Retention = &AccountRetention{Messages: span(r.Messages), Attachments: span(r.Attachments)}
	}
	return v
}

func (s *service) registerAccountSettings() {
	register(s, operation{
		method: http.MethodPatch, path: "/accounts/{account}", id: "update-account", tag: tagAccess, scope: access.ScopeAdmin, operator: true, summary: "Change limits and retention of an account",
		about: "They hold at once, for what is stored already too.",
	}, s.updateAccount)
	register(s, operation{
		method: http.MethodGet, path: "/usage/now", id: "get-usage-now", tag: tagOperation, scope: access.ScopeRead, summary: "Show what is stored and waits now, by account",
	}, s.usageNow)
}

func (s *service) updateAccount(ctx context.Context, p access.Principal, in *struct {
	AccountPath
	IfMatch

	Body Patch[AccountSettings]
}) (*accountOutput, error) {
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
		old, err := unbody[AccountSettings](t)
		if err != nil {
			return storage.SettingChange{}, err
		}
		next, err := patched(old, in.Body)
		if err != nil {
			return storage.SettingChange{}, err
		}
		t.Body = body(next)
		return storage.SettingChange{Put: t, Line: s.line(p, "", "account.update", t.ID, namedAccount{t.Name, old}, namedAccount{t.Name, next})}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.getAccount(ctx, p, &in.AccountPath)
}

// namedAccount is an account in the audit log.
type namedAccount struct {
	Name string `json:"name"`

	AccountSettings
}

// Stock is what an account has now.
type Stock struct {
	Account  string         `json:"account_id"`
	Messages int64          `json:"messages" doc:"That are kept, erased ones included."`
	Octets   int64          `json:"octets" doc:"Of the raw messages."`
	Backlog  int64          `json:"backlog" doc:"Deliveries that are not finished."`
	Limits   *AccountLimits `json:"limits,omitempty"`
	Reached  string         `json:"reached,omitempty" enum:"quota,backlog,account_rate" doc:"The limit for which its recipients are refused now."`
}

func (s *service) usageNow(ctx context.Context, p access.Principal, in *struct {
	Account string `query:"account_id" maxLength:"100" doc:"Of this account alone."`
}) (*output[List[Stock]], error) {
	account, err := accountOf(p, in.Account)
	if err != nil {
		return nil, err
	}
	known, _, err := s.accounts(ctx, p)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Stocks(ctx, account)
	if err != nil {
		return nil, err
	}
	has := map[string]storage.Stock{}
	for _, k := range list {
		has[k.Account] = k
	}
	out := &output[List[Stock]]{List[Stock]{Items: []Stock{}}}
	for _, a := range known {
		if account != "" && a.ID != account {
			continue
		}
		k := has[a.ID]
		one := Stock{Account: a.ID, Messages: k.Messages, Octets: k.Octets, Backlog: k.Backlog, Limits: a.Limits}
		if over := s.Store.Exceeds(a.ID, 0); over != nil {
			one.Reached = string(over.Reason)
		}
		out.Body.Items = append(out.Body.Items, one)
	}
	return out, nil
}
