package dashboard

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// refusalsPage is what the list of refusals shows.
type refusalsPage struct {
	Reason string
	Sender string
	To     string
	Rows   []refusalRow
	Next   string
}

// refusalRow is a refusal with its explanation.
type refusalRow struct {
	storage.Refusal

	Words   string // what the reason means
	Advice  string // what to do about it, if it should not be
	Found   []fact
	Dialog  string
	Whoever string // the sender, for people
}

// refusalsPerPage is how many refusals a page of the list has.
const refusalsPerPage = 50

// refusals answers why a mail did not come in.
func (d *dashboard) refusals(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	q := r.URL.Query()
	p := &refusalsPage{Reason: q.Get("reason"), Sender: strings.TrimSpace(q.Get("from")), To: strings.TrimSpace(q.Get("to"))}
	list, err := d.Store.Refusals(r.Context(), storage.RefusalFilter{
		Account: v.Account, Reason: p.Reason, Sender: p.Sender, Recipient: p.To, Before: q.Get("page"), Limit: refusalsPerPage + 1,
	})
	if err != nil {
		return err
	}
	if len(list) > refusalsPerPage {
		list = list[:refusalsPerPage]
		p.Next = "?" + url.Values{"reason": {p.Reason}, "from": {p.Sender}, "to": {p.To}, "page": {list[len(list)-1].ID}}.Encode()
	}
	for i := range list {
		p.Rows = append(p.Rows, refusalRowOf(&list[i]))
	}
	return d.show(w, r, v, http.StatusOK, "refusals", page{Title: "Refusals", Here: "/refusals", Body: p})
}

// refusal is the page of one.
func (d *dashboard) refusal(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	found, err := d.Store.Refusal(r.Context(), v.Account, r.PathValue("id"))
	if err != nil {
		return err
	}
	row := refusalRowOf(found)
	return d.show(w, r, v, http.StatusOK, "refusal", page{Title: "Refused: " + row.Words, Here: "/refusals", Body: &row})
}

func refusalRowOf(r *storage.Refusal) refusalRow {
	row := refusalRow{Refusal: *r, Words: refusalWords(r.Reason), Advice: refusalAdvice(r.Reason), Whoever: r.Sender, Dialog: r.Session}
	if row.Whoever == "" {
		row.Whoever = r.Remote
	}
	found := r.Found
	for _, name := range slices.Sorted(maps.Keys(found)) {
		row.Found = append(row.Found, fact{Name: strings.ReplaceAll(name, "_", " "), Text: found[name]})
	}
	return row
}

// Said is the reply as it went to the peer.
func (r *refusalRow) Said() string { return fmt.Sprintf("%d %s", r.Code, r.Reply) }

// Suppression is what the suppression that refused it is found by: a domain, which stands in the address and in all of the domain.
func (r *refusalRow) Suppression() string {
	address := r.Sender
	if strings.HasPrefix(r.Reply, suppressedRecipient) {
		address = r.Recipient
	}
	return "@" + address[strings.LastIndexByte(address, '@')+1:]
}

// suppressedRecipient is the status of the answer where the recipient is suppressed and not the sender (RFC 3463 section 3.3).
const suppressedRecipient = "5.2.1 "

// For says whether the sender comes again by himself.
func (r *refusalRow) For() string {
	if r.Code < 500 {
		return "for now: the sender was asked to come again, and does so by itself"
	}
	return "for good: the sender was told so, and gets the mail back from his own server"
}
