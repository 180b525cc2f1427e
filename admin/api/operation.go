package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/admin/reading"
	"github.com/letterhook/letterhook/storage"
)

// securityKey is the name of the scheme of authentication in the document.
const securityKey = "key"

// maxBody bounds the body of a request, in octets. The largest are endpoints with certificates.
const maxBody = 256 << 10

// operation is what is said about an operation before it is served.
type operation struct {
	method, path string
	id           string // unique; becomes the name of a method in clients
	tag          string
	summary      string
	about        string // more than the summary; empty: nothing
	scope        access.Scope
	anyScope     bool   // any key will do
	operator     bool   // the operator alone
	status       int    // of success; 0: 200, or 204 where there is no body
	produces     string // type of the body where that is not JSON
	line         any    // what each line of that is, as JSON; nil: octets
}

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: tagAccess, Description: "Accounts, keys, and who did what with them."},
		{Name: tagEndpoints, Description: "Where events are posted, and how."},
		{Name: tagRouting, Description: "Domains and routes: where mail goes."},
		{Name: tagMessages, Description: "Messages, what became of them, and what was refused."},
		{Name: tagReplay, Description: "Deliveries made again."},
		{Name: tagOperation, Description: "What an operator looks at, and what he pulls."},
	}
}

// The tags of operations.
const (
	tagAccess    = "Access"
	tagEndpoints = "Endpoints"
	tagRouting   = "Routing"
	tagMessages  = "Messages"
	tagReplay    = "Replay"
	tagOperation = "Operation"
)

// register serves an operation. Its handler is only called for a principal with the scope; whatever error it gives is turned into a
// problem here, in one place.
func register[I, O any](s *service, o operation, handle func(context.Context, access.Principal, *I) (*O, error)) {
	huma.Register(s.api, s.described(o), func(ctx context.Context, in *I) (*O, error) {
		p, ok := access.Of(ctx)
		if !ok {
			return nil, problem.New(http.StatusUnauthorized, "Send a valid key.")
		}
		out, err := handle(ctx, p, in)
		if err != nil {
			return nil, s.explain(ctx, o, err)
		}
		return out, nil
	})
}

// described is the operation as the document has it.
func (s *service) described(o operation) huma.Operation {
	d := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Summary: o.summary, Description: o.describe(), Tags: []string{o.tag},
		DefaultStatus: o.status, MaxBodyBytes: maxBody,
		Security:    []map[string][]string{{securityKey: {}}},
		Middlewares: huma.Middlewares{s.admit(o)},
		Responses:   s.problems(),
		Parameters:  o.parameters(),
		Extensions:  o.extensions(),
	}
	if o.produces != "" {
		schema := &huma.Schema{Type: huma.TypeString, Format: "binary"}
		if o.line != nil {
			schema = s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(o.line), true, "")
		}
		d.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{o.produces: {Schema: schema}}}
	}
	return d
}

func (o *operation) describe() string {
	needs := "Needs the scope `" + string(o.scope) + "`"
	if o.anyScope {
		needs = "Any key will do"
	}
	if o.operator {
		needs += " and a key of the operator"
	}
	if o.about == "" {
		return needs + "."
	}
	return o.about + "\n\n" + needs + "."
}

// extensions tell programs what the description tells people.
func (o *operation) extensions() map[string]any {
	e := map[string]any{"x-operator": o.operator}
	if !o.anyScope {
		e["x-scope"] = string(o.scope)
	}
	return e
}

// parameters are those that the handlers do not see.
func (o *operation) parameters() []*huma.Param {
	if o.method != http.MethodPost {
		return nil
	}
	length := maxOnceKey
	return []*huma.Param{{
		Name: onceHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &length},
		Description: "Any text of your own: the same request with the same text within a day is answered as it was the first time, and does nothing again.",
	}}
}

// problems are the answers of an operation that are none of success.
func (s *service) problems() map[string]*huma.Response {
	schema := s.api.OpenAPI().Components.Schemas.Schema(problemType, true, "Problem")
	answers := map[string]*huma.Response{}
	add := func(status, description string) {
		answers[status] = &huma.Response{Description: description, Content: map[string]*huma.MediaType{problem.ContentType: {Schema: schema}}}
	}
	add("4XX", "The request was refused; the detail says why.")
	add("5XX", "Trouble of the server; the same request may do later.")
	return answers
}

// admit lets those through who may have the operation carried out, before anything of the request is read.
func (s *service) admit(o operation) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		p, ok := access.Of(ctx.Context())
		switch {
		case !ok:
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="Letterhook"`)
			s.refuse(ctx, problem.New(http.StatusUnauthorized, "Send a valid key: Authorization: Bearer lhk_..."))
		case o.operator && !p.Operator():
			s.refuse(ctx, problem.New(http.StatusForbidden, "Only the operator may do this."))
		case !o.anyScope && !p.May(o.scope):
			s.refuse(ctx, problem.New(http.StatusForbidden, "The key needs the scope "+string(o.scope)+"."))
		default:
			next(ctx)
		}
	}
}

func (s *service) refuse(ctx huma.Context, p *problem.Problem) {
	ctx.SetHeader("Content-Type", problem.ContentType)
	ctx.SetStatus(p.Status)
	if err := s.api.Marshal(ctx.BodyWriter(), "application/json", p); err != nil {
		return // the peer is gone
	}
}

// explain turns an error into what may be told.
func (s *service) explain(ctx context.Context, o operation, err error) error {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	switch {
	case errors.Is(err, storage.ErrErased): // who hears it may see that the message was there
		return problem.New(http.StatusNotFound, "The message was erased.")
	case errors.Is(err, storage.ErrNotFound):
		return problem.New(http.StatusNotFound, "There is no such thing, or it is not yours.")
	case errors.Is(err, reading.ErrBusy):
		return busy()
	case errors.Is(err, storage.ErrSweeping):
		return problem.New(http.StatusServiceUnavailable, "Attachments of the message are being removed. Try again in a minute.")
	case errors.Is(err, storage.ErrNotAccepted):
		return problem.New(http.StatusConflict, "The message was not accepted: only its sender can send it again.")
	case ctx.Err() != nil:
		return problem.New(http.StatusServiceUnavailable, "The request was given up.")
	}
	s.Log.Error("an operation of the API failed", "operation", o.id, "error", err)
	return problem.New(http.StatusInternalServerError, internalDetail)
}

// notFound answers for what is not there and for what is another account's: nobody can tell the two apart.
func notFound() error {
	return problem.New(http.StatusNotFound, "There is no such thing, or it is not yours.")
}

// invalid answers a request whose values make no sense together.
func invalid(faults ...problem.Fault) error {
	return problem.New(http.StatusUnprocessableEntity, "The request is not valid.", faults...)
}

func fault(location, message string) problem.Fault {
	return problem.Fault{Location: location, Message: message}
}

// accountOf is the account that a request of a principal is about: its own, or for the operator the one that it names.
func accountOf(p access.Principal, named string) (string, error) {
	switch {
	case p.Operator():
		return named, nil
	case named == "" || named == p.Account:
		return p.Account, nil
	}
	return "", notFound()
}

func hasAll(p access.Principal, scopes []access.Scope) bool {
	return !slices.ContainsFunc(scopes, func(s access.Scope) bool { return !p.May(s) })
}
