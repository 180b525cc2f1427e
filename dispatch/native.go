package dispatch

import (
	"context"

	"github.com/letterhook/letterhook/storage"
)

// native is the format of the contract (docs/payload.md).
type native struct{ render renderer }

// Form implements [Format].
func (n *native) Form(_ context.Context, c *Copy) (*Form, error) {
	body, err := n.render.render(c.Event, c.Endpoint.MaxBody, c.Smallest)
	if err != nil {
		return nil, err
	}
	return &Form{MediaType: "application/json", Body: body}, nil
}

// Refuses implements [Format]: every failure is tried again.
func (*native) Refuses(*storage.Endpoint, int) bool { return false }
