package api

import (
	"context"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/admin/access"
)

// Node is a process that serves.
type Node struct {
	Name          string    `json:"name"`
	Here          bool      `json:"here" doc:"It is the one that answers."`
	Version       string    `json:"version" doc:"Empty: of an older one, which does not say."`
	Roles         []string  `json:"roles" nullable:"false" doc:"Of smtp, dispatch, admin."`
	StartedAt     time.Time `json:"started_at"`
	SilentSeconds float64   `json:"silent_seconds" doc:"Since it last said that it serves, which each does every five seconds. One that died is forgotten after a minute."`
	Ready         bool      `json:"ready" doc:"It takes mail, or would if it had the role."`
	Reasons       []string  `json:"reasons" nullable:"false" doc:"Why not."`
	Warnings      []string  `json:"warnings" nullable:"false" doc:"What somebody should look at although mail is taken."`
	Lease         *Lease    `json:"lease,omitempty" doc:"By which it makes attempts, where several nodes share a database; left out: it has none."`
}

// Lease is by what a node makes attempts.
type Lease struct {
	Epoch      int64   `json:"epoch" doc:"Never used again."`
	Seconds    float64 `json:"seconds" doc:"What is left of it, by the clock of the database. It is renewed every two seconds."`
	Lanes      int     `json:"lanes" doc:"Endpoints whose attempts it makes."`
	KeepsHouse bool    `json:"keeps_house" doc:"It does what one node at a time does for all: sweeping, replays, notices."`
}

func (s *service) registerNodes() {
	register(s, operation{
		method: http.MethodGet, path: "/nodes", id: "list-nodes", tag: tagOperation, scope: access.ScopeRead, operator: true,
		summary: "List the processes that serve", about: "All that share the database, as each last told of itself.",
	}, func(ctx context.Context, _ access.Principal, _ *noInput) (*output[List[Node]], error) {
		nodes, err := s.Nodes(ctx)
		if err != nil {
			return nil, err
		}
		return &output[List[Node]]{List[Node]{Items: append([]Node{}, nodes...)}}, nil
	})
}
