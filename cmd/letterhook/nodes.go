package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/admin"
	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
)

// nodesPath is where the private listener lists the processes that serve.
const nodesPath = "/nodes"

func newNodesCommand() *cobra.Command {
	var at place
	var asJSON bool
	cmd := at.asking("nodes", "Show the processes that serve, and whether they take mail", cobra.NoArgs, func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
		list, err := c.ListNodes(cmd.Context())
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), list.Items, asJSON, "NODE|VERSION|STARTED|TAKES MAIL|LOOK AT", func(n *apiclient.Node) []any {
			takes := "yes"
			if !n.Ready {
				takes = "no"
			}
			return []any{n.Name, n.Version, moment(n.StartedAt), takes, firstOf(append(slices.Clone(n.Reasons), n.Warnings...))}
		})
	})
	cmd.Long = `Show the processes that serve, and whether they take mail.

Beside servers that share a PostgreSQL database this is what each last told of itself there, and none of them has to run on this machine.
A server on SQLite is asked itself, through its private HTTP listener (http.private).`
	at.anywhere(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per node")
	return cmd
}

// nodesBeside lists the processes that serve on the data which this one looks at, and is none of them.
func (s *server) nodesBeside(ctx context.Context) ([]api.Node, error) {
	if s.store.Shared() {
		members, err := s.store.Members(ctx)
		nodes := make([]api.Node, len(members))
		for i := range members {
			nodes[i] = showNode(&members[i], false)
		}
		return nodes, err
	}
	address := s.cfg.HTTP.Private.Address
	dev := slices.ContainsFunc(s.cfg.Endpoints, func(e config.Endpoint) bool { return e.Source == devSource })
	if dev || address == s.cfg.HTTP.Public.Address {
		return nil, problem.New(http.StatusNotImplemented, "where public and private share a listener, as in dev, nodes are not listed beside the server; letterhook health --address tells whether it runs")
	}
	response, err := askPrivate(ctx, http.MethodGet, address, nodesPath, s.cfg.HTTP.Private.TLS, http.NoBody)
	if err != nil {
		return nil, problem.New(http.StatusServiceUnavailable, fmt.Sprintf("no server answers at %s (http.private): it does not run, or was started with another configuration: %v", address, err))
	}
	defer response.Body.Close()
	var nodes []api.Node
	if err = json.NewDecoder(http.MaxBytesReader(nil, response.Body, maxNodes)).Decode(&nodes); response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	if err != nil {
		return nil, problem.New(http.StatusServiceUnavailable, fmt.Sprintf("what answers at %s (http.private) lists no nodes: %v", address, err))
	}
	return nodes, nil
}

const maxNodes = 1 << 20 // octets of a list

// listNodes serves the list of nodes to the operator, beside next.
func (s *server) listNodes(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.Handle("GET "+nodesPath, admin.FromHere(func(w http.ResponseWriter, r *http.Request) {
		nodes, err := s.nodes(r.Context())
		if err != nil {
			s.log.Error("the nodes could not be listed", "error", err)
			problem.New(http.StatusServiceUnavailable, "The nodes cannot be read now; see the log.").Write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(nodes) // the peer may be gone, which is its own affair
	}))
	return mux
}
