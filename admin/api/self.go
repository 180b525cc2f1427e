package api

import (
	"context"
	"net/http"

	"github.com/letterhook/letterhook/admin/access"
)

// Self is who asks.
type Self struct {
	Operator bool           `json:"operator" doc:"It sees all accounts."`
	Account  string         `json:"account_id,omitempty" doc:"The account that it sees; left out for the operator."`
	Key      string         `json:"key_id,omitempty" doc:"The key; left out where none is needed."`
	Name     string         `json:"name" doc:"The name of the key."`
	Scopes   []access.Scope `json:"scopes" nullable:"false" enum:"read,write,replay,admin" doc:"What it may do."`
}

func (s *service) registerSelf() {
	register(s, operation{
		method: http.MethodGet, path: "/self", id: "get-self", tag: tagAccess, anyScope: true,
		summary: "Tell who asks", about: "Whose key this is and what it may do.",
	}, func(_ context.Context, p access.Principal, _ *noInput) (*output[Self], error) {
		return &output[Self]{Self{
			Operator: p.Operator(), Account: p.Account, Key: p.Key, Name: p.Name, Scopes: append([]access.Scope{}, p.Scopes...),
		}}, nil
	})
}
