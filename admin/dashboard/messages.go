package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// messagesPerPage is how many rows a page of the list has.
const messagesPerPage = 50

// messagesPage is what the list of messages shows.
type messagesPage struct {
	Query   string
	Fault   string // what of the query was not understood
	Rows    []messageRow
	First   bool   // it is the first page: it is kept up to date
	Next    string // query of the next page; empty: this is the last one
	Newest  string // query of the first page
	Partial bool   // the search has stopped before it had enough
	Example string // address that mail is taken at, for whoever has none yet
}

// messageRow is a message in the list.
type messageRow struct {
	storage.Listed

	From, To, Subject, Kind string
	More                    int // recipients beside To
}

// messages is the list, with its search.
func (d *dashboard) messages(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	p := &messagesPage{Query: strings.TrimSpace(r.URL.Query().Get("q"))}
	search, err := storage.ParseSearch(p.Query, time.Now())
	if err != nil {
		p.Fault = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	search.Account, search.Limit, search.Before = v.Account, messagesPerPage, r.URL.Query().Get("page")
	found, err := d.Store.Search(r.Context(), search)
	if several, ok := errors.AsType[*storage.AmbiguousError](err); ok {
		p.Fault, err = several.Error()+".", nil
	}
	if err != nil {
		return err
	}
	for i := range found.Messages {
		p.Rows = append(p.Rows, rowOf(&found.Messages[i]))
	}
	p.First, p.Partial = search.Before == "", found.Partial
	p.Newest = "?" + url.Values{"q": {p.Query}}.Encode()
	if found.Next != "" {
		p.Next = "?" + url.Values{"q": {p.Query}, "page": {found.Next}}.Encode()
	}
	if len(d.SMTP) > 0 {
		p.Example = d.SMTP[0]
	}
	return d.show(w, r, v, http.StatusOK, "messages", page{Title: "Messages", Here: "/messages", Body: p})
}

// erasedWord stands where something was before a message was erased: <> would be the null reverse-path.
const erasedWord = "(erased)"

// rowOf is what the list shows of a message. What the header says is known once it was parsed.
func rowOf(l *storage.Listed) messageRow {
	if l.Erased {
		return messageRow{Listed: *l, From: erasedWord, To: erasedWord}
	}
	row := messageRow{Listed: *l, From: reverse(&l.Envelope)}
	if n := len(l.Envelope.Recipients); n > 0 {
		row.To, row.More = l.Envelope.Recipients[0].Path.String(), n-1
	}
	if s := l.Summary; s != nil {
		row.Subject, row.Kind = s.Subject, s.Kind
		if s.From != "" {
			row.From = s.From
		}
	}
	if row.From == "" {
		row.From = "<>"
	}
	return row
}
