package dashboard

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/reading"
	"github.com/letterhook/letterhook/admin/signin"
	"github.com/letterhook/letterhook/inbound/guard"
	"github.com/letterhook/letterhook/storage"
)

// Config is what the dashboard shows and works on.
type Config struct {
	Store     *storage.Store
	Directory func() *storage.Directory // the current one
	// Path is the path of the public URL without a slash at the end, which every link begins with.
	Path string
	// Secure says that browsers come by HTTPS, so that cookies go nowhere else.
	Secure   bool
	Hostname string
	Version  string
	// SMTP are the addresses at which mail is taken, for the examples of the first steps.
	SMTP []string
	// Ready is why no mail is taken, or nil.
	Ready func() error
	// API is the handler of package api, which every change goes through, save for test events.
	API http.Handler
	// Desk opens mails.
	Desk *reading.Desk
	// Retention says how long what is kept.
	Retention func() storage.Retention
	// Levers says what the levers of SMTP stand at.
	Levers func() guard.State
	// Test sends a test event to an endpoint and waits for what came of it.
	Test func(ctx context.Context, endpoint string) (storage.EndpointTest, error)
	// Gate knows who logged in. The pages are to be served below its Handler.
	Gate *access.Gate
	// SignIn lets people in who have no key. Nil: everybody needs one.
	SignIn *signin.Provider
	// DNS asks DNS about a domain and says what is missing, with the records to publish.
	DNS func(ctx context.Context, domain string) ([]Finding, error)
	// Send takes a mail that was written on the page of that name to the server's own SMTP, and gives the answer to it. Nil:
	// there is no such page.
	Send func(ctx context.Context, d Draft) (reply string, err error)
	Log  *slog.Logger
}

type dashboard struct {
	Config

	pages *pages
}

// CallbackPath is the page that a provider of logins sends people back to, below the path of the public URL.
const CallbackPath = "/login/oidc/callback"

// New gives the pages. They are to be served at / and, where there is one, at the path of the public URL.
func New(cfg Config) http.Handler {
	d := &dashboard{Config: cfg, pages: newPages(cfg.Path)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/", serveAsset)
	mux.HandleFunc("POST /theme", d.setTheme)
	mux.HandleFunc("GET /login", d.askForKey)
	mux.HandleFunc("POST /login", d.logIn)
	mux.HandleFunc("GET /login/oidc", d.toProvider)
	mux.HandleFunc("GET "+CallbackPath, d.fromProvider)
	mux.HandleFunc("POST /logout", d.logOut)
	d.routes(mux)
	return d.stripPath(d.readForm(mux))
}

// readForm reads what was filled in, once and in the one form that the pages send: no files are taken.
func (d *dashboard) readForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); r.Method == http.MethodPost && err != nil {
			var v *access.Principal
			if p, ok := access.Of(r.Context()); ok {
				v = &p
			}
			d.fail(w, r, v, badInput("The form could not be read. It is too long, or came in part."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serveFunc serves a page to whoever proved who he is.
type serveFunc func(http.ResponseWriter, *http.Request, *access.Principal) error

// routes are the pages that need a viewer.
func (d *dashboard) routes(mux *http.ServeMux) {
	for pattern, serve := range map[string]serveFunc{
		"GET /{$}":                                   d.overview,
		"GET /messages":                              d.messages,
		"GET /messages/{id}":                         d.message,
		"GET /messages/{id}/html":                    d.mailHTML,
		"GET /messages/{id}/raw":                     d.mailRaw,
		"GET /messages/{id}/attachments/{part...}":   d.mailAttachment,
		"POST /messages/{id}/again":                  d.sendAgain,
		"GET /start":                                 d.start,
		"GET /domains":                               d.domains,
		"GET /domains/{name}":                        d.domain,
		"GET /endpoints":                             d.endpoints,
		"GET /endpoints/{id}":                        d.endpoint,
		"POST /endpoints/{id}/state":                 d.changeEndpoint,
		"POST /endpoints/{id}/test":                  d.testEndpoint,
		"POST /endpoints/{id}/secret":                d.rotateSecret,
		"POST /endpoints/{id}/replay":                d.planReplay,
		"POST /endpoints/{id}/replays/{replay}":      d.turnReplay,
		"POST /endpoints":                            d.makeEndpoint,
		"POST /endpoints/{id}/url":                   d.moveEndpoint,
		"POST /endpoints/{id}/delete":                d.deleteEndpoint,
		"POST /domains":                              d.makeDomain,
		"POST /domains/{name}/verify":                d.verifyDomain,
		"POST /domains/{name}/delete":                d.deleteDomain,
		"POST /domains/{name}/routes":                d.makeRoute,
		"POST /domains/{name}/routes/{route}/delete": d.deleteRoute,
		"POST /domains/{name}/reply-addresses":       d.mintReplyAddress,
		"GET /domains/{name}/routes/{route}":         d.route,
		"POST /domains/{name}/routes/{route}":        d.changeRoute,
		"POST /domains/{name}/order":                 d.moveRoute,
		"GET /settings":                              d.settings,
		"POST /settings/keys":                        d.makeKey,
		"POST /settings/keys/{key}/revoke":           d.revokeKey,
		"POST /settings/accounts":                    d.makeAccount,
		"POST /settings/levers":                      d.pullLever,
		"GET /refusals":                              d.refusals,
		"GET /refusals/{id}":                         d.refusal,
		"GET /suppressions":                          d.suppressions,
		"POST /suppressions":                         d.makeSuppression,
		"POST /suppressions/{id}/delete":             d.deleteSuppression,
		"GET /compose":                               d.compose,
		"POST /compose":                              d.sendDraft,
		"/":                                          d.nothing,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, ok := access.Of(r.Context())
			if !ok {
				d.toLogin(w, r)
				return
			}
			if err := serve(w, r, &v); err != nil {
				d.fail(w, r, &v, err)
			}
		})
	}
}

// stripPath takes off the path of the public URL, which a proxy in front may leave on the requests.
func (d *dashboard) stripPath(next http.Handler) http.Handler {
	if d.Path == "" {
		return next
	}
	stripped := http.StripPrefix(d.Path, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == d.Path:
			http.Redirect(w, r, d.Path+"/", http.StatusPermanentRedirect)
		case strings.HasPrefix(r.URL.Path, d.Path+"/"):
			stripped.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
