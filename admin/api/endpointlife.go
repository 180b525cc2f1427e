package api

import (
	"context"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// Secret is a signing secret that was made here.
type Secret struct {
	ID        string             `json:"id"`
	Kind      storage.SecretKind `json:"kind" enum:"v1,v1a" doc:"v1 is HMAC-SHA256, v1a is ed25519."`
	CreatedAt time.Time          `json:"created_at"`
	Until     *time.Time         `json:"until,omitempty" doc:"It does not sign from then on."`
	PublicKey string             `json:"public_key,omitempty" doc:"Of v1a."`
}

// NewSecret is a secret at the moment in which it is shown.
type NewSecret struct {
	Secret

	Value string `json:"secret,omitempty" doc:"Of v1. It is shown this once."`
}

func formatSecret(s *storage.EndpointSecret) string { return dispatch.FormatSecret(s.Key[:]) }

func showSecret(e *storage.EndpointSecret) Secret {
	v := Secret{ID: e.ID, Kind: e.Kind, CreatedAt: e.CreatedAt.UTC(), Until: optionalTime(e.Until)}
	if e.Kind == storage.SecretEd25519 {
		v.PublicKey = dispatch.FormatPublicKey(e)
	}
	return v
}

// EndpointTest is a test event.
type EndpointTest struct {
	ID         string     `json:"id" doc:"The webhook-id of the event."`
	AskedAt    time.Time  `json:"asked_at"`
	Done       bool       `json:"done"`
	At         *time.Time `json:"at,omitempty"`
	DurationMS float64    `json:"duration_ms,omitempty"`
	Outcome    string     `json:"outcome,omitempty" doc:"delivered, or why not."`
	Status     int        `json:"status,omitempty" doc:"Of the answer."`
}

func showTest(t *storage.EndpointTest) EndpointTest {
	return EndpointTest{
		ID: t.ID, AskedAt: t.AskedAt.UTC(), Done: !t.At.IsZero(), At: optionalTime(t.At), DurationMS: float64(t.Duration.Microseconds()) / 1000,
		Outcome: t.Outcome, Status: t.Status,
	}
}

func (s *service) registerEndpointLife() {
	for _, verb := range []struct {
		id, summary string
		state       storage.EndpointState
	}{
		{"pause", "Make no attempts", storage.EndpointPaused}, {"enable", "Make attempts again", storage.EndpointEnabled},
		{"disable", "Make no attempts until it is enabled", storage.EndpointDisabled},
	} {
		register(s, operation{
			method: http.MethodPost, path: "/endpoints/{endpoint}/" + verb.id, id: verb.id + "-endpoint", tag: tagEndpoints, scope: access.ScopeWrite,
			summary: verb.summary, about: "Mail for it is accepted and waits in every state. Endpoints of the operator's file too.",
		}, func(ctx context.Context, p access.Principal, in *EndpointPath) (*endpointOutput, error) {
			return s.setState(ctx, p, in.ID, verb.id, verb.state)
		})
	}
	register(s, operation{
		method: http.MethodGet, path: "/endpoints/{endpoint}/secrets", id: "list-secrets", tag: tagEndpoints, scope: access.ScopeRead, summary: "List secrets made here",
		about: "Without what they are. Those of the operator's file are not among them.",
	}, s.listSecrets)
	register(s, operation{
		method: http.MethodPost, path: "/endpoints/{endpoint}/secrets", id: "rotate-secret", tag: tagEndpoints, scope: access.ScopeWrite, status: http.StatusCreated,
		summary: "Make a new secret, and let the old one end", about: "Both sign until the overlap has passed.",
	}, s.rotateSecret)
	register(s, operation{
		method: http.MethodPost, path: "/endpoints/{endpoint}/tests", id: "test-endpoint", tag: tagEndpoints, scope: access.ScopeWrite, status: http.StatusAccepted,
		summary: "Send a test event", about: "Ask for its result with its id.",
	}, s.testEndpoint)
	register(s, operation{
		method: http.MethodGet, path: "/endpoints/{endpoint}/tests/{test}", id: "get-test", tag: tagEndpoints, scope: access.ScopeRead, summary: "Show what a test event met",
	}, s.getTest)
}

func (s *service) setState(ctx context.Context, p access.Principal, id, verb string, state storage.EndpointState) (*endpointOutput, error) {
	k, err := s.knownEndpoint(ctx, p, id)
	if err != nil {
		return nil, err
	}
	if err := s.Store.SetEndpointState(ctx, id, state, "by "+p.Name); err != nil {
		return nil, err
	}
	line := s.line(p, k.Account, "endpoint."+verb, id, map[string]any{"state": k.Life.State}, map[string]any{"state": state})
	if err := s.note(ctx, line); err != nil {
		return nil, err
	}
	return s.endpoint(ctx, p, id)
}

func (s *service) listSecrets(ctx context.Context, p access.Principal, in *EndpointPath) (*output[List[Secret]], error) {
	if _, err := s.knownEndpoint(ctx, p, in.ID); err != nil {
		return nil, err
	}
	all, err := s.Store.Secrets(ctx)
	if err != nil {
		return nil, err
	}
	out := &output[List[Secret]]{List[Secret]{Items: []Secret{}}}
	for i := range all[in.ID] {
		out.Body.Items = append(out.Body.Items, showSecret(&all[in.ID][i]))
	}
	return out, nil
}

func (s *service) rotateSecret(ctx context.Context, p access.Principal, in *struct {
	EndpointPath

	Body struct {
		Kind           storage.SecretKind `json:"kind,omitempty" enum:"v1,v1a" doc:"Left out: v1."`
		OverlapSeconds *int               `json:"overlap_seconds,omitempty" nullable:"false" minimum:"0" maximum:"2592000" doc:"How long the old one signs beside it; left out: a day."`
	}
}) (*output[NewSecret], error) {
	k, err := s.knownEndpoint(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	kind := in.Body.Kind
	if kind == "" {
		kind = storage.SecretHMAC
	}
	made, err := s.Store.RotateSecret(ctx, in.ID, kind, overlapOf(in.Body.OverlapSeconds))
	if err != nil {
		return nil, err
	}
	shown := showSecret(&made)
	if err := s.note(ctx, s.line(p, k.Account, "endpoint.rotate-secret", in.ID, nil, shown)); err != nil {
		return nil, err
	}
	out := &output[NewSecret]{NewSecret{Secret: shown}}
	if kind == storage.SecretHMAC {
		out.Body.Value = formatSecret(&made)
	}
	return out, nil
}

func (s *service) testEndpoint(ctx context.Context, p access.Principal, in *EndpointPath) (*output[EndpointTest], error) {
	k, err := s.knownEndpoint(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	if !k.Declared {
		return nil, s.notOurs(in.ID)
	}
	id, err := s.Store.AskTest(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.note(ctx, s.line(p, k.Account, "endpoint.test", in.ID, nil, nil)); err != nil {
		return nil, err
	}
	t, err := s.Store.Test(ctx, in.ID, id)
	return &output[EndpointTest]{showTest(&t)}, err
}

func (s *service) getTest(ctx context.Context, p access.Principal, in *struct {
	EndpointPath

	Test string `path:"test" maxLength:"100" doc:"The id of the test."`
}) (*output[EndpointTest], error) {
	if _, err := s.knownEndpoint(ctx, p, in.ID); err != nil {
		return nil, err
	}
	t, err := s.Store.Test(ctx, in.ID, in.Test)
	return &output[EndpointTest]{showTest(&t)}, err
}
