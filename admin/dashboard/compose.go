package dashboard

import (
	"net/http"
	"strings"

	"github.com/letterhook/letterhook/admin/access"
)

// Draft is a mail that was written on the page Compose.
type Draft struct{ From, To, Subject, Text string }

// composePage is what the page shows.
type composePage struct {
	Draft

	Fault string
}

// compose is the form, which is there in dev alone: it makes a mail of whomever.
func (d *dashboard) compose(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	if d.Send == nil || !v.Operator() {
		return d.nothing(w, r, v)
	}
	draft := Draft{"ann@sender.example", "hello@in.example.com", "Hello", "Hello,\n\nthis is a mail to try it out.\n\nAnn\n"}
	return d.show(w, r, v, http.StatusOK, "compose", page{Title: "Compose", Here: "/compose", Body: composePage{Draft: draft}})
}

// sendDraft takes the mail to the server's own SMTP, as any sender's would come.
func (d *dashboard) sendDraft(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	if d.Send == nil || !v.Operator() {
		return d.nothing(w, r, v)
	}
	draft := Draft{
		From: oneLine(r.PostFormValue("from")), To: oneLine(r.PostFormValue("to")), Subject: oneLine(r.PostFormValue("subject")),
		Text: strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n"),
	}
	if !strings.Contains(draft.To, "@") {
		return d.show(w, r, v, http.StatusUnprocessableEntity, "compose", page{Title: "Compose", Here: "/compose", Body: composePage{draft, "To is one address."}})
	}
	if _, err := d.Send(r.Context(), draft); err != nil {
		return d.show(w, r, v, http.StatusUnprocessableEntity, "compose", page{Title: "Compose", Here: "/compose", Body: composePage{draft, "The mail was not taken: " + err.Error()}})
	}
	d.goTo(w, r, "/messages", "sent")
	return nil
}

// oneLine is a text without what would end a line of a header.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
