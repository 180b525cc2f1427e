package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/signin"
	"github.com/letterhook/letterhook/storage"
)

// loginPage is what the page of the login shows.
type loginPage struct {
	Back  string // where to go then
	Wrong bool   // the key is none, or has ended

	Provider string // by whom people may log in without a key; empty: nobody
	Denied   string // why that did not succeed
}

// toLogin asks somebody unknown who he is. What is not read by a page's visitor comes back without a page: a script's request, a form.
func (d *dashboard) toLogin(w http.ResponseWriter, r *http.Request) {
	to := d.Path + "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?back=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (d *dashboard) askForKey(w http.ResponseWriter, r *http.Request) {
	if _, ok := access.Of(r.Context()); ok {
		http.Redirect(w, r, d.Path+localPath(r.URL.Query().Get("back")), http.StatusSeeOther)
		return
	}
	d.showLogin(w, r, http.StatusOK, loginPage{Back: localPath(r.URL.Query().Get("back"))})
}

func (d *dashboard) showLogin(w http.ResponseWriter, r *http.Request, status int, p loginPage) {
	if d.SignIn != nil {
		p.Provider = d.SignIn.Name()
	}
	if err := d.show(w, r, nil, status, "login", page{Title: "Log in", Body: p}); err != nil {
		d.fail(w, r, nil, err)
	}
}

// logIn makes a session for the holder of a key. How often strangers may try is the gate's to bound.
func (d *dashboard) logIn(w http.ResponseWriter, r *http.Request) {
	back := localPath(r.FormValue("back"))
	_, err := d.Gate.Login(r.Context(), w, strings.TrimSpace(r.PostFormValue("key")))
	switch {
	case errors.Is(err, access.ErrBadKey):
		d.showLogin(w, r, http.StatusUnauthorized, loginPage{Back: back, Wrong: true})
	case err != nil:
		d.fail(w, r, nil, err)
	default:
		http.Redirect(w, r, d.Path+back, http.StatusSeeOther)
	}
}

// toProvider sends somebody to the provider of logins.
func (d *dashboard) toProvider(w http.ResponseWriter, r *http.Request) {
	back := localPath(r.URL.Query().Get("back"))
	if d.SignIn == nil {
		d.fail(w, r, nil, storage.ErrNotFound)
		return
	}
	if err := d.SignIn.Start(w, r, back); err != nil {
		d.Log.Error("the provider of logins was not reached", "error", err)
		d.showLogin(w, r, http.StatusServiceUnavailable, loginPage{Back: back, Denied: d.SignIn.Name() + " cannot be reached now. Try again later, or log in with a key."})
	}
}

// fromProvider lets somebody in who comes back from there.
func (d *dashboard) fromProvider(w http.ResponseWriter, r *http.Request) {
	if d.SignIn == nil {
		d.fail(w, r, nil, storage.ErrNotFound)
		return
	}
	back, err := d.SignIn.Finish(w, r)
	if err == nil {
		http.Redirect(w, r, d.Path+localPath(back), http.StatusSeeOther)
		return
	}
	p := loginPage{Back: "/", Denied: "The login did not succeed. The reason stands in the log of the server."}
	if denied, ok := errors.AsType[*signin.DeniedError](err); ok {
		p.Denied = denied.Text
	} else {
		d.Log.Error("a login by the provider failed", "error", err)
	}
	d.showLogin(w, r, http.StatusForbidden, p)
}

func (d *dashboard) logOut(w http.ResponseWriter, r *http.Request) {
	if err := d.Gate.Logout(w, r); err != nil {
		d.fail(w, r, nil, err)
		return
	}
	w.Header().Set("Clear-Site-Data", `"cache"`)
	http.Redirect(w, r, d.Path+"/login", http.StatusSeeOther)
}
