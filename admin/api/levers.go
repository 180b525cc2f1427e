package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/inbound/guard"
)

// Levers are what an operator pulls in an incident, on the node that answers.
type Levers struct {
	Drain  Lever   `json:"drain" doc:"No new connections; those that are open end after their transaction."`
	Defer  Lever   `json:"defer" doc:"Every mail is put off."`
	Blocks []Block `json:"blocks" nullable:"false"`
}

// Lever is on or off.
type Lever struct {
	On   bool `json:"on"`
	Keep bool `json:"keep" doc:"It stays so over a restart."`
}

// Block keeps somebody out. Exactly one of network and sender is given.
type Block struct {
	Network string     `json:"network,omitempty" maxLength:"60" doc:"Clients in it." example:"192.0.2.0/24"`
	Sender  string     `json:"sender,omitempty" maxLength:"400" doc:"A reverse-path, or all of a domain." example:"spam.example"`
	Until   *time.Time `json:"until,omitempty" nullable:"false" doc:"Left out: until it is lifted."`
	Reason  string     `json:"reason,omitempty" maxLength:"400"`
	Keep    bool       `json:"keep,omitempty" doc:"It stays over a restart."`
}

// LeverChange is a pull at the levers. What it does not name stays as it is.
type LeverChange struct {
	Drain *bool `json:"drain,omitempty" nullable:"false"`
	Defer *bool `json:"defer,omitempty" nullable:"false"`
	Keep  bool  `json:"keep,omitempty" doc:"What is set stays over a restart."`
}

func (s *service) registerLevers() {
	register(s, operation{
		method: http.MethodGet, path: "/levers", id: "get-levers", tag: tagOperation, scope: access.ScopeRead, operator: true, summary: "Show the levers and the block list",
		about: "Of the node that answers.",
	}, func(context.Context, access.Principal, *noInput) (*output[Levers], error) {
		return &output[Levers]{showLevers(s.Levers())}, nil
	})
	register(s, operation{
		method: http.MethodPatch, path: "/levers", id: "pull-levers", tag: tagOperation, scope: access.ScopeAdmin, operator: true, summary: "Drain or defer",
		about: "On the node that answers. Senders keep what they are not let deliver, and come again.",
	}, func(ctx context.Context, p access.Principal, in *struct{ Body LeverChange }) (*output[Levers], error) {
		return s.pull(ctx, p, "levers.pull", in.Body, guard.Change{Drain: in.Body.Drain, Defer: in.Body.Defer, Keep: in.Body.Keep})
	})
	register(s, operation{
		method: http.MethodPost, path: "/blocks", id: "create-block", tag: tagOperation, scope: access.ScopeAdmin, operator: true, status: http.StatusCreated,
		summary: "Keep a network or a sender out", about: "On the node that answers.",
	}, func(ctx context.Context, p access.Principal, in *struct{ Body Block }) (*output[Levers], error) {
		b, err := in.Body.block()
		if err != nil {
			return nil, err
		}
		return s.pull(ctx, p, "block.create", in.Body, guard.Change{Block: &b})
	})
	register(s, operation{
		method: http.MethodDelete, path: "/blocks", id: "delete-block", tag: tagOperation, scope: access.ScopeAdmin, operator: true, status: http.StatusOK,
		summary: "Let a network or a sender in again", about: "On the node that answers.",
	}, func(ctx context.Context, p access.Principal, in *struct {
		Network string `query:"network" maxLength:"60"`
		Sender  string `query:"sender" maxLength:"400"`
	}) (*output[Levers], error) {
		named := Block{Network: in.Network, Sender: in.Sender}
		b, err := named.block()
		if err != nil {
			return nil, err
		}
		return s.pull(ctx, p, "block.delete", named, guard.Change{Unblock: &b})
	})
}

// block reads a block.
func (b *Block) block() (guard.Block, error) {
	read := guard.Block{Sender: b.Sender, Reason: b.Reason, Keep: b.Keep}
	if (b.Network == "") == (b.Sender == "") {
		return read, invalid(fault("body", "names exactly one of network and sender"))
	}
	if b.Network != "" {
		network, err := netip.ParsePrefix(b.Network)
		if err != nil {
			return read, invalid(fault("body.network", "is not a network like 192.0.2.0/24"))
		}
		read.Network = network
	}
	if b.Until != nil {
		if y := b.Until.Year(); y < 1970 || y > 9000 {
			return read, invalid(fault("body.until", "is not a time that comes"))
		}
		read.Until = b.Until.UTC()
	}
	return read, nil
}

func (s *service) pull(ctx context.Context, p access.Principal, action string, said any, change guard.Change) (*output[Levers], error) {
	state, err := s.Pull(change)
	if bad, ok := errors.AsType[*guard.BadChangeError](err); ok {
		return nil, invalid(fault("body", bad.Reason))
	}
	if err != nil {
		return nil, err
	}
	return &output[Levers]{showLevers(state)}, s.note(ctx, s.line(p, "", action, "levers", nil, said))
}

func showLevers(state guard.State) Levers {
	v := Levers{Drain: Lever(state.Drain), Defer: Lever(state.Defer), Blocks: []Block{}}
	for _, b := range state.Blocks {
		one := Block{Sender: b.Sender, Until: optionalTime(b.Until), Reason: b.Reason, Keep: b.Keep}
		if b.Network.IsValid() {
			one.Network = b.Network.String()
		}
		v.Blocks = append(v.Blocks, one)
	}
	return v
}
