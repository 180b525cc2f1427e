package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// Suppression is mail that an account does not want.
type Suppression struct {
	ID        string    `json:"id"`
	Account   string    `json:"account_id"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by,omitempty" doc:"The name of the key at that time; left out: it was not noted."`

	SuppressionSettings
}

// SuppressionSettings say what is not wanted: one of sender and recipient.
type SuppressionSettings struct {
	Sender    string     `json:"sender,omitempty" maxLength:"400" doc:"A reverse-path, or @ and a domain for all of it. It is compared without regard to case." example:"@spam.example"`
	Recipient string     `json:"recipient,omitempty" maxLength:"400" doc:"A forward-path, or @ and a domain for all of it."`
	Action    string     `json:"action,omitempty" enum:"refuse,discard" doc:"refuse, with 550 at RCPT (left out means it), or discard: it is accepted and kept like any other, and no endpoint gets it."`
	Until     *time.Time `json:"until,omitempty" doc:"Left out: for good."`
	Note      string     `json:"note,omitempty" maxLength:"400" doc:"For people."`
}

// storedSuppression is the body of the setting.
type storedSuppression struct {
	SuppressionSettings

	CreatedBy string `json:"created_by,omitempty"`
}

// NewSuppression is mail that an account does not want any more.
type NewSuppression struct {
	Account string `json:"account_id,omitempty" maxLength:"100" doc:"For the operator: whose it is; may be left out where there is one account."`

	SuppressionSettings
}

// maxSuppressions bounds those of an account: all of them are in memory.
const maxSuppressions = 10_000

func (s *service) registerSuppressions() {
	register(s, operation{
		method: http.MethodGet, path: "/suppressions", id: "list-suppressions", tag: tagRouting, scope: access.ScopeRead, summary: "List what mail is not wanted",
		about: "The newest first.",
	}, s.listSuppressions)
	register(s, operation{
		method: http.MethodPost, path: "/suppressions", id: "create-suppression", tag: tagRouting, scope: access.ScopeWrite, status: http.StatusCreated, summary: "Want mail of a sender, or for a recipient, no more",
		about: "It holds on every node within a second, for the account alone. postmaster and abuse get all mail.",
	}, s.createSuppression)
	register(s, operation{
		method: http.MethodDelete, path: "/suppressions/{suppression}", id: "delete-suppression", tag: tagRouting, scope: access.ScopeWrite, summary: "Want it again",
	}, s.deleteSuppression)
}

// Suppressions are those among settings.
func Suppressions(settings []storage.Setting) (list []storage.Suppression, err error) {
	for i := range settings {
		t := &settings[i]
		if t.Kind != storage.SettingSuppression {
			continue
		}
		v, err := unbody[SuppressionSettings](t)
		if err != nil {
			return nil, err
		}
		one := storage.Suppression{Account: t.Account, Name: t.Name, Discard: v.Action == "discard"}
		if v.Until != nil {
			one.Until = *v.Until
		}
		list = append(list, one)
	}
	return list, nil
}

func showSuppression(t *storage.Setting) (Suppression, error) {
	v, err := unbody[storedSuppression](t)
	return Suppression{t.ID, t.Account, t.CreatedAt.UTC(), v.CreatedBy, v.SuppressionSettings}, err
}

// has says whether the address or the note of a suppression, which is t, has a text in lower case.
func (v *Suppression) has(t *storage.Setting, text string) bool {
	_, compared, _ := strings.Cut(t.Name, " ") // a domain may be written in two ways
	return slices.ContainsFunc([]string{compared, v.Sender, v.Recipient, v.Note}, func(one string) bool { return strings.Contains(strings.ToLower(one), text) })
}

func (s *service) listSuppressions(ctx context.Context, p access.Principal, in *struct {
	PageQuery

	Account string `query:"account_id" maxLength:"100" doc:"Of this account alone."`
	Text    string `query:"q" maxLength:"400" doc:"Those whose address or note has this text, without regard to case."`
}) (*pageOutput[Suppression], error) {
	account, err := accountOf(p, in.Account)
	if err != nil {
		return nil, err
	}
	before, err := in.after()
	if err != nil {
		return nil, err
	}
	c, err := s.Store.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	var list []Suppression
	text := strings.ToLower(strings.TrimSpace(in.Text))
	for i := range c.Settings {
		t := &c.Settings[i]
		if t.Kind != storage.SettingSuppression || before != "" && t.ID >= before || account != "" && t.Account != account {
			continue
		}
		one, err := showSuppression(t)
		if err != nil {
			return nil, err
		}
		if one.has(t, text) {
			list = append(list, one)
		}
	}
	slices.SortFunc(list, func(a, b Suppression) int { return strings.Compare(b.ID, a.ID) })
	return page(list, in.Limit, func(v Suppression) Suppression { return v }, func(v Suppression) string { return v.ID }), nil
}

// name is that of the setting.
func (v *SuppressionSettings) name() (string, error) {
	direction, address, location := storage.SuppressFrom, v.Sender, "body.sender"
	if v.Recipient != "" {
		direction, address, location = storage.SuppressTo, v.Recipient, "body.recipient"
	}
	if (v.Sender == "") == (v.Recipient == "") {
		return "", invalid(fault("body", "give one of sender and recipient"))
	}
	name, ok := storage.SuppressionName(direction, address)
	if !ok {
		return "", invalid(fault(location, "is neither a mail address nor @ and a domain"))
	}
	return name, nil
}

func (s *service) createSuppression(ctx context.Context, p access.Principal, in *struct{ Body NewSuppression }) (*output[Suppression], error) {
	account, err := s.owner(ctx, p, in.Body.Account)
	if err != nil {
		return nil, err
	}
	v := in.Body.SuppressionSettings
	name, err := v.name()
	if err != nil {
		return nil, err
	}
	made := &storage.Setting{Kind: storage.SettingSuppression, Account: account, Name: name, Body: body(storedSuppression{v, p.Name})}
	err = s.change(ctx, func(c *storage.Configuration) (storage.SettingChange, error) {
		n := 0
		for i := range c.Settings {
			if t := &c.Settings[i]; t.Kind == storage.SettingSuppression && t.Account == account {
				n++
			}
		}
		if n >= maxSuppressions {
			return storage.SettingChange{}, problem.New(http.StatusConflict, fmt.Sprintf("An account has %d of them at most. Name whole domains, as @ and the domain.", maxSuppressions))
		}
		made.ID, made.Position = "", nextPosition(c, storage.SettingSuppression)
		return storage.SettingChange{Put: made, Line: s.line(p, account, "suppression.create", "", nil, v)}, nil
	})
	if err != nil {
		return nil, err
	}
	return &output[Suppression]{Suppression{made.ID, account, made.CreatedAt.UTC(), p.Name, v}}, nil
}

func (s *service) deleteSuppression(ctx context.Context, p access.Principal, in *struct {
	ID string `path:"suppression" maxLength:"100"`
}) (*struct{}, error) {
	return nil, s.change(ctx, func(c *storage.Configuration) (storage.SettingChange, error) {
		t := find(c, p, storage.SettingSuppression, in.ID)
		if t == nil {
			return storage.SettingChange{}, notFound()
		}
		was, err := unbody[SuppressionSettings](t)
		return storage.SettingChange{Delete: t.ID, Line: s.lineOf(p, t, "suppression.delete", was, nil)}, err
	})
}
