package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/letterhook/letterhook/admin/dnscheck"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/admin/reading"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/guard"
	"github.com/letterhook/letterhook/storage"
)

// Prefix is the path that everything lies below.
const Prefix = "/api/v1"

// Config is what the API needs.
type Config struct {
	Store   *storage.Store
	Version string // of the program
	Log     *slog.Logger
	// Configuration is what the operations on accounts, domains, endpoints and routes work on.
	Configuration Configuration
	// Desk opens mails.
	Desk *reading.Desk
	// LookupTXT asks DNS for the proofs of domains.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
	// CheckDNS holds DNS against what the server and a domain need.
	CheckDNS func(ctx context.Context, domain string) (dnscheck.Report, error)
	// Levers says what those of this node stand at, and Pull changes them, as [inbound.Server.Pull] does.
	Levers func() guard.State
	Pull   func(guard.Change) (guard.State, error)
	// Nodes lists the processes that serve.
	Nodes func(context.Context) ([]Node, error)
	// Mirror makes the requests that endpoints get, as [dispatch.Dispatcher.Mirror] does.
	Mirror func(ctx context.Context, message string, ep *storage.Endpoint, wanted func(*inbound.Recipient) bool, signed bool, send func(*dispatch.Mirrored) error) error
	// Wake has the delivery look at once at what was changed in the store. Nil: it looks by itself.
	Wake func()
	// Stopping says that the server ends: streams end then. Nil: never.
	Stopping func() bool
	Now      func() time.Time // nil: time.Now
}

// service serves the operations.
type service struct {
	Config

	api       huma.API
	readers   readers
	listeners listeners
}

// New makes the handler of everything below [Prefix]. Serve it behind a gate of package access, which says who asks.
func New(cfg Config) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &service{Config: cfg}
	mux := http.NewServeMux()
	s.api = humago.NewWithPrefix(mux, Prefix, s.config())
	s.registerAll()
	document := sync.OnceValue(s.document)
	mux.HandleFunc("GET "+Prefix+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = w.Write(document())
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { notServed(mux, w, r) })
	return safely(cfg.Log, s.once(mux))
}

// registerAll adds every operation. They stand in the document in this order.
func (s *service) registerAll() {
	s.registerSelf()
	s.registerAccounts()
	s.registerKeys()
	s.registerAudit()
	s.registerMessages()
	s.registerErasures()
	s.registerContent()
	s.registerDeliveries()
	s.registerRefusals()
	s.registerOverview()
	s.registerStream()
	s.registerListen()
	s.registerEndpoints()
	s.registerEndpointLife()
	s.registerDomains()
	s.registerRoutes()
	s.registerRouteOrder()
	s.registerSuppressions()
	s.registerResolve()
	s.registerReplyAddresses()
	s.registerReplays()
	s.registerLevers()
	s.registerUsage()
}

func (s *service) config() huma.Config {
	formats := map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Letterhook", Version: s.Version,
				Description: "Mail in, signed webhook out: everything that an operator and an application can see and change.",
				License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					securityKey: {Type: "http", Scheme: "bearer", BearerFormat: "lhk_", Description: "A key: letterhook keys create makes the first one."},
				},
			},
			Tags: tags(),
		},
		Formats: formats, DefaultFormat: "application/json", NoFormatFallback: false, RejectUnknownQueryParameters: true,
		Transformers: []huma.Transformer{ownProblem},
	}
}

// ownProblem turns the errors of huma, which are about the request, into ours.
func ownProblem(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	faults := make([]problem.Fault, 0, len(e.Errors))
	for _, d := range e.Errors {
		if d != nil {
			faults = append(faults, problem.Fault{Location: d.Location, Message: d.Message})
		}
	}
	return problem.New(e.Status, detailOf(e), faults...), nil
}

func detailOf(e *huma.ErrorModel) string {
	if e.Status == http.StatusUnsupportedMediaType {
		return "Send the body with Content-Type: application/json, as curl --json does."
	}
	if e.Detail == "validation failed" {
		return "The request is not valid."
	}
	if e.Status >= http.StatusInternalServerError {
		return internalDetail
	}
	return strings.ToUpper(e.Detail[:1]) + e.Detail[1:] + "."
}

const internalDetail = "Something went wrong on the server. Its log says what."

// notServed answers what no operation is for.
func notServed(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		problem.Write(w, http.StatusMethodNotAllowed, "This can only be asked with "+strings.Join(allowed, ", ")+".")
		return
	}
	problem.Write(w, http.StatusNotFound, "There is no such operation. "+Prefix+"/openapi.json lists them all.")
}

// safely sets what every answer has, and has a panic end one request alone.
func safely(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				log.Error("an operation of the API panicked", "path", r.URL.Path, "panic", v)
				problem.Write(w, http.StatusInternalServerError, internalDetail)
			}
		}()
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		next.ServeHTTP(w, r)
	})
}
