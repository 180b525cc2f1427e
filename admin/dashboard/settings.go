package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/inbound/guard"
	"github.com/letterhook/letterhook/storage"
)

// settingsPage is what the settings show.
type settingsPage struct {
	MayAdmin  bool
	Operator  bool
	Keys      []keyLine
	Scopes    []access.Scope
	Accounts  []accountLine
	Choices   []choice
	Retention []fact
	Levers    *guard.State // nil: the viewer has none
	Nodes     []api.Node   // of the operator alone
	Pull      *pull        // to be confirmed
	Changes   []changeLine
	Token     string // of a key that was made just now
	TokenName string
}

// accountLine is an account in the list, with what it has now.
type accountLine struct {
	api.Account

	Now api.Stock
}

// keyLine is a key in the list.
type keyLine struct {
	api.Key

	State  string
	Used   time.Time
	May    string
	Whose  string
	IsMine bool
}

// changeLine is a line of the audit log.
type changeLine struct {
	storage.AuditLine

	Who string
}

// pull is a lever about to be pulled.
type pull struct {
	Lever string // drain or defer
	On    bool   // what it will stand at
	Text  string
}

// pulls say what happens when a lever is pulled.
var pulls = map[string]string{
	"drain-on":  "No new connection is taken; those that are open end after their transaction. Senders keep their mail and come again. Use it before the machine goes away.",
	"drain-off": "Connections are taken again.",
	"defer-on":  "Every mail is put off with 4xx. Senders keep it and come again, most of them for days. Use it while something behind must not get mail.",
	"defer-off": "Mail is taken again.",
}

// settings are the page of that name.
func (d *dashboard) settings(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	return d.showSettings(w, r, v, func(p *settingsPage) {
		if text := pulls[r.URL.Query().Get("pull")]; text != "" && p.Levers != nil {
			lever, to, _ := strings.Cut(r.URL.Query().Get("pull"), "-")
			p.Pull = &pull{lever, to == "on", text}
		}
	})
}

// changesShown is how many lines of the audit log the page has.
const changesShown = 25

func (d *dashboard) showSettings(w http.ResponseWriter, r *http.Request, v *access.Principal, add func(*settingsPage)) error {
	p := &settingsPage{MayAdmin: v.May(access.ScopeAdmin), Operator: v.Operator(), Scopes: v.Scopes, Retention: retentionFacts(d.Retention())}
	if p.Operator && p.MayAdmin {
		state := d.Levers()
		p.Levers = &state
	}
	if p.Operator {
		var nodes api.List[api.Node]
		if err := d.ask(r, http.MethodGet, "/nodes", nil, &nodes); err != nil {
			return err
		}
		p.Nodes = nodes.Items
	}
	if err := d.readAccounts(r, p); err != nil {
		return err
	}
	for _, a := range p.Accounts {
		p.Choices = append(p.Choices, choice{a.ID, a.Name})
	}
	if p.MayAdmin {
		if err := d.readKeys(r, v, p); err != nil {
			return err
		}
		lines, err := d.Store.AuditLines(r.Context(), storage.AuditQuery{Account: v.Account, Limit: changesShown})
		if err != nil {
			return err
		}
		for _, l := range lines {
			p.Changes = append(p.Changes, changeLine{l, l.Name})
		}
	}
	add(p)
	return d.show(w, r, v, http.StatusOK, "settings", page{Title: "Settings", Here: "/settings", Body: p})
}

func (d *dashboard) readAccounts(r *http.Request, p *settingsPage) error {
	accounts, err := askAll[api.Account](d, r, "/accounts")
	if err != nil {
		return err
	}
	var stocks api.List[api.Stock]
	if err := d.ask(r, http.MethodGet, "/usage/now", nil, &stocks); err != nil {
		return err
	}
	now := map[string]api.Stock{}
	for _, k := range stocks.Items {
		now[k.Account] = k
	}
	for _, a := range accounts {
		p.Accounts = append(p.Accounts, accountLine{a, now[a.ID]})
	}
	return nil
}

func (d *dashboard) readKeys(r *http.Request, v *access.Principal, p *settingsPage) error {
	keys, err := askAll[api.Key](d, r, "/keys")
	if err != nil {
		return err
	}
	for _, k := range keys {
		line := keyLine{Key: k, State: "enabled", IsMine: k.ID == v.Key, Whose: "the operator"}
		for _, a := range p.Accounts {
			if a.ID == k.Account {
				line.Whose = a.Name
			}
		}
		switch {
		case k.RevokedAt != nil:
			line.State = "revoked"
		case k.ExpiresAt != nil && k.ExpiresAt.Before(time.Now()):
			line.State = "expired"
		}
		if k.UsedAt != nil {
			line.Used = *k.UsedAt
		}
		words := make([]string, len(k.Scopes))
		for i, s := range k.Scopes {
			words[i] = string(s)
		}
		line.May = strings.Join(words, ", ")
		p.Keys = append(p.Keys, line)
	}
	slices.SortStableFunc(p.Keys, func(a, b keyLine) int { return strings.Compare(a.State, b.State) })
	return nil
}

// retentionFacts say how long what is kept.
func retentionFacts(r storage.Retention) []fact {
	long := func(d time.Duration) string {
		if d <= 0 {
			return "for ever"
		}
		return plural(int64(d/(24*time.Hour)), "day") + " after the last result"
	}
	return []fact{{Name: "Mail", Text: long(r.Messages)}, {Name: "Attachments", Text: long(r.Attachments)}, {Name: "Attempts", Text: long(r.Attempts)}}
}

// makeKey makes a key and shows its token, this once.
func (d *dashboard) makeKey(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	in := api.KeySettings{Name: oneLine(r.PostFormValue("name")), Account: r.PostFormValue("account"), Scopes: []access.Scope{}}
	for _, s := range r.PostForm["scope"] {
		in.Scopes = append(in.Scopes, access.Scope(s))
	}
	var made api.NewKey
	if err := d.ask(r, http.MethodPost, "/keys", in, &made); err != nil {
		return err
	}
	return d.showSettings(w, r, v, func(p *settingsPage) { p.Token, p.TokenName = made.Token, made.Name })
}

func (d *dashboard) revokeKey(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	if err := d.ask(r, http.MethodDelete, "/keys/"+url.PathEscape(r.PathValue("key")), nil, nil); err != nil {
		return err
	}
	d.goTo(w, r, "/settings", "revoked")
	return nil
}

func (d *dashboard) makeAccount(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	if err := d.ask(r, http.MethodPost, "/accounts", map[string]string{"name": oneLine(r.PostFormValue("name"))}, nil); err != nil {
		return err
	}
	d.goTo(w, r, "/settings", "account")
	return nil
}

// pullLever pulls one, after it was confirmed.
func (d *dashboard) pullLever(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	if !v.Operator() || !v.May(access.ScopeAdmin) {
		return errNoPermission
	}
	lever := r.PostFormValue("lever")
	if lever != "drain" && lever != "defer" {
		return badInput("There is no such lever.")
	}
	if err := d.ask(r, http.MethodPatch, "/levers", map[string]bool{lever: r.PostFormValue("to") == "on"}, nil); err != nil {
		return err
	}
	d.goTo(w, r, "/settings", "pulled")
	return nil
}
