package dashboard

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
)

// suppressionsPerPage is how many rows a page of the list has.
const suppressionsPerPage = 50

// suppressionsPage is what the list of suppressions shows.
type suppressionsPage struct {
	Query, Account string // what was looked for
	First          bool   // it is the first page
	Rows           []suppressionRow
	Next           string // query of the next page; empty: this is the last one
	Newest         string // query of the first page
	Here           string // query of this one
	Remove         *suppressionRow
	MayWrite       bool
	Accounts       []choice // to choose from; none: there is no choice
}

// suppressionRow is a suppression in the list.
type suppressionRow struct {
	api.Suppression

	Side    string // from or to
	Address string
	State   string // refused, thrown away or over
	Colour  string
	Whose   string // account, for people
	Ask     string // query of the page that asks whether to remove it
}

// suppressions are what mail is not wanted, with what adds and removes it.
func (d *dashboard) suppressions(w http.ResponseWriter, r *http.Request, v *access.Principal) (err error) {
	q := r.URL.Query()
	p := &suppressionsPage{Query: strings.TrimSpace(q.Get("q")), First: q.Get("page") == "", MayWrite: v.May(access.ScopeWrite)}
	if p.Accounts, err = d.accountChoices(r, v); err != nil {
		return err
	}
	if p.Accounts != nil {
		p.Account = q.Get("account")
	}
	looked := url.Values{"q": {p.Query}, "account": {p.Account}}
	p.Newest = "?" + looked.Encode()
	var list api.Page[api.Suppression]
	path := "/suppressions?" + url.Values{
		"q": {p.Query}, "account_id": {p.Account}, "limit": {strconv.Itoa(suppressionsPerPage)}, "cursor": {q.Get("page")},
	}.Encode()
	if err := d.ask(r, http.MethodGet, path, nil, &list); err != nil {
		return err
	}
	if list.NextCursor != "" {
		p.Next = p.Newest + "&" + url.Values{"page": {list.NextCursor}}.Encode()
	}
	p.Here = p.Newest + "&" + url.Values{"page": {q.Get("page")}}.Encode()
	names := d.Directory().Accounts
	for i := range list.Items {
		row := suppressionRowOf(&list.Items[i], time.Now())
		row.Whose, row.Ask = names[row.Account], p.Here+"&remove="+url.QueryEscape(row.ID)
		if p.Rows = append(p.Rows, row); row.ID == q.Get("remove") && p.MayWrite {
			p.Remove = &row
		}
	}
	return d.show(w, r, v, http.StatusOK, "suppressions", page{Title: "Suppressions", Here: "/suppressions", Body: p})
}

func suppressionRowOf(s *api.Suppression, now time.Time) suppressionRow {
	row := suppressionRow{Suppression: *s, Side: "from", Address: s.Sender, State: "refused", Colour: "red"}
	if s.Recipient != "" {
		row.Side, row.Address = "to", s.Recipient
	}
	switch {
	case s.Until != nil && !now.Before(*s.Until):
		row.State, row.Colour = "over", "grey"
	case s.Action == "discard":
		row.State, row.Colour = "thrown away", "amber"
	}
	return row
}

// makeSuppression has an account want some mail no more.
func (d *dashboard) makeSuppression(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	in := api.NewSuppression{Account: r.PostFormValue("account")}
	in.Action, in.Note = r.PostFormValue("action"), oneLine(r.PostFormValue("note"))
	address := strings.Trim(strings.TrimSpace(r.PostFormValue("address")), "<>")
	if r.PostFormValue("side") == "to" {
		in.Recipient = address
	} else {
		in.Sender = address
	}
	var err error
	if in.Until, err = behindDay(r.PostFormValue("until")); err != nil {
		return err
	}
	if err := d.ask(r, http.MethodPost, "/suppressions", in, nil); err != nil {
		return err
	}
	d.goTo(w, r, "/suppressions", "unwanted")
	return nil
}

// behindDay is when something ends whose last day, in UTC, is written so; nil: it does not.
func behindDay(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return nil, badInput("The last day is written like 2027-01-31, or left empty.")
	}
	end := day.AddDate(0, 0, 1)
	return &end, nil
}

// deleteSuppression has the mail wanted again, and goes back to what was looked for.
func (d *dashboard) deleteSuppression(w http.ResponseWriter, r *http.Request, _ *access.Principal) error {
	if err := d.ask(r, http.MethodDelete, "/suppressions/"+url.PathEscape(r.PathValue("id")), nil, nil); err != nil {
		return err
	}
	looked := url.Values{"q": {r.PostFormValue("q")}, "account": {r.PostFormValue("account")}, "done": {"wanted"}}
	d.goTo(w, r, "/suppressions?"+looked.Encode(), "")
	return nil
}
