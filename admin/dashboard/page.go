package dashboard

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/reading"
	"github.com/letterhook/letterhook/storage"
)

// policy of every page but the HTML of mails: what is in the binary, and nothing else. There is no inline script or style.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// page is what the layout needs. Body is for the template of the page.
type page struct {
	Title  string
	Here   string // path of the entry of the navigation that is lit
	Path   string // that was asked for, to come back to
	Theme  string // light or dark; empty: as the system
	Viewer *access.Principal
	Nav    []entry
	Notice string // what was just done; empty: nothing
	Plots  bool

	Hostname, Version string

	Body any
}

// entry is one of the navigation.
type entry struct{ Path, Name string }

// pages are the templates, one set for each page.
type pages struct {
	sets map[string]*template.Template
}

// newPages reads the templates, which are part of the program: what is wrong with them is a bug.
func newPages(base string) *pages {
	funcs := words(base)
	layout := template.Must(template.New("").Funcs(funcs).ParseFS(templates, "templates/layout.html", "templates/parts.html"))
	p := &pages{sets: map[string]*template.Template{}}
	names, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		set := template.Must(template.Must(layout.Clone()).ParseFS(templates, name))
		p.sets[strings.TrimSuffix(path.Base(name), ".html")] = set
	}
	return p
}

// show answers with a page. Nothing is sent before all of it is made.
func (d *dashboard) show(w http.ResponseWriter, r *http.Request, v *access.Principal, status int, name string, p page) error {
	p.Viewer, p.Path, p.Hostname, p.Version = v, r.URL.RequestURI(), d.Hostname, d.Version
	p.Theme = themeOf(r)
	if v != nil {
		p.Nav = d.navigation(v)
	}
	if p.Notice == "" {
		p.Notice = notices[r.URL.Query().Get("done")]
	}
	var b bytes.Buffer
	if err := d.pages.sets[name].ExecuteTemplate(&b, "layout", p); err != nil {
		return fmt.Errorf("making the page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	protect(h)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser may be gone, which is its own affair
	return nil
}

// protect sets the fields that every answer with something of an account's has.
func protect(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-DNS-Prefetch-Control", "off")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

// navigation is what a viewer can go to.
func (d *dashboard) navigation(v *access.Principal) []entry {
	list := []entry{{"/", "Overview"}, {"/messages", "Messages"}, {"/endpoints", "Endpoints"}, {"/domains", "Domains"}, {"/refusals", "Refusals"}, {"/suppressions", "Suppressions"}, {"/settings", "Settings"}}
	if d.Send != nil && v.Operator() {
		list = append(list, entry{"/compose", "Compose"})
	}
	return list
}

// trouble is a page that says what went wrong and what to do.
type trouble struct {
	Title, Text string
	Back        string // path of the link; empty: none
	BackTo      string
}

var errNoPermission = errors.New("no permission")

// fail answers with what went wrong. The text of an error of ours is logged and not shown. v is nil for whoever did not log in.
func (d *dashboard) fail(w http.ResponseWriter, r *http.Request, v *access.Principal, err error) {
	t, status := trouble{Title: "Something went wrong", Text: "The server could not answer. The reason stands in its log. Try again; if it stays so, look at GET /readyz of the private listener.", Back: "/", BackTo: "To the overview"}, http.StatusInternalServerError
	var bad *badInputError
	switch {
	case errors.Is(err, storage.ErrNotFound):
		t, status = trouble{"There is nothing here", "It does not exist, is no longer kept, or belongs to an account that you cannot see.", "/messages", "To the messages"}, http.StatusNotFound
	case errors.Is(err, errNoPermission) && v != nil:
		t, status = trouble{"You may not do that", "The key that you logged in with (" + v.Name + ") lacks the scope for it. Log out, and in again with a key that has it; a key with the scope admin makes others.", "/", "To the overview"}, http.StatusForbidden
	case errors.Is(err, reading.ErrBusy):
		w.Header().Set("Retry-After", "1")
		t, status = trouble{"Busy", "Too many mails are being opened at this moment. Try again in a second.", r.URL.Path, "Try again"}, http.StatusServiceUnavailable
	case errors.As(err, &bad):
		back := r.URL.Path
		if r.PostForm.Get("back") != "" {
			back = localPath(r.PostForm.Get("back"))
		}
		t, status = trouble{"That cannot be done", bad.text, back, "Back"}, http.StatusUnprocessableEntity
	case r.Context().Err() != nil:
		return // nobody waits for it
	default:
		d.Log.Error("page not served", "path", r.URL.Path, "error", err)
	}
	if err := d.show(w, r, v, status, "trouble", page{Title: t.Title, Body: t}); err != nil {
		d.Log.Error("page not served", "path", r.URL.Path, "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
	}
}

// badInputError is a mistake of whoever filled in a form. Its text is for him.
type badInputError struct{ text string }

func (e *badInputError) Error() string { return e.text }

func badInput(format string, args ...any) error { return &badInputError{fmt.Sprintf(format, args...)} }

func (d *dashboard) nothing(http.ResponseWriter, *http.Request, *access.Principal) error {
	return storage.ErrNotFound
}

// notices are what pages say after something was done, by the word in the address that they are come to by.
var notices = map[string]string{
	"again":    "It is being sent again. The new attempt shows in the time line.",
	"changed":  "It is changed, from the next attempt on.",
	"deleted":  "It is deleted.",
	"domain":   "The domain is there. Below stands what is left to do.",
	"verified": "The proof is there: mail is taken for the domain.",
	"route":    "The route is there, and holds at once.",
	"reroute":  "It is changed, and holds at once.",
	"unwanted": "It is added, and holds for mail that comes from now on.",
	"wanted":   "It is removed: such mail is wanted again, from now on.",
	"revoked":  "The key is worth nothing any more.",
	"account":  "The account is there.",
	"pulled":   "It is done, and holds until it is undone or the server is started anew.",
	"enabled":  "It is enabled. What waits is sent, slowly at first.",
	"paused":   "It is paused. Mail for it is accepted and kept, and nothing is sent before somebody enables it.",
	"replayed": "The replay runs. Its progress shows below.",
	"turned":   "Done. The server obeys within a second.",
	"sent":     "The mail was taken. It shows in the list.",
}

// goTo answers a form that did what it was to: the page at path is shown, with a notice.
func (d *dashboard) goTo(w http.ResponseWriter, r *http.Request, to, done string) {
	if done != "" {
		to += "?done=" + url.QueryEscape(done)
	}
	http.Redirect(w, r, d.Path+to, http.StatusSeeOther)
}
