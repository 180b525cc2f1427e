package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

func newRoutesCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "routes",
		Short: "List, show, make, change and delete routes; letterhook why tells what they make of an address",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	at.anywhere(cmd)
	cmd.AddCommand(newRoutesList(&at), newRoutesShow(&at), newRoutesCreate(&at), newRoutesChange(&at), newRoutesOrder(&at),
		at.removing("routes that were made by the API, by their ids", asIs, (*apiclient.Client).DeleteRoute))
	return cmd
}

func newRoutesList(at *place) *cobra.Command {
	var domain string
	var asJSON bool
	cmd := at.asking("list", "List routes, of each domain in the order in which they are tried", cobra.NoArgs, func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
		list, err := pages(0, func(cursor string, size int64) ([]apiclient.Route, string, error) {
			p, err := c.ListRoutes(cmd.Context(), apiclient.ListRoutesParams{Domain: domain, Cursor: cursor, Limit: size})
			if err != nil {
				return nil, "", err
			}
			return p.Items, p.NextCursor, nil
		})
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), list, asJSON, "DOMAIN|MATCH|KIND|LEADS TO|ID|DECLARED IN", func(r *apiclient.Route) []any {
			return []any{r.Domain, r.Match, orWord(string(r.Kind), "does not hold"), leadsTo(r), r.ID, r.Source}
		})
	})
	cmd.Flags().StringVar(&domain, "domain", "", "those of this `domain` alone")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per route")
	complete(cmd, "domain", at.domainNames)
	return cmd
}

func leadsTo(r *apiclient.Route) string {
	switch {
	case r.Refuse != "":
		return "refuse: " + r.Refuse
	case r.Discard:
		return "discard"
	case r.Sync:
		return strings.Join(r.Endpoints, ", ") + ", whose answer decides"
	}
	return strings.Join(r.Endpoints, ", ")
}

func newRoutesShow(at *place) *cobra.Command {
	var asJSON bool
	cmd := at.asking("show ID", "Show a route", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		r, err := c.GetRoute(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), r)
		}
		printFieldsOf(cmd.OutOrStdout(), append([]field{
			{"id", r.ID}, {"domain", r.Domain}, {"match", r.Match}, {"kind", string(r.Kind)}, {"leads to", leadsTo(r)}, {"position", fmt.Sprint(r.Position)},
			{"account", r.AccountID}, {"declared in", r.Source},
		}, faultFields(r.Faults)...)...)
		return nil
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newRoutesCreate(at *place) *cobra.Command {
	var s settings
	var endpoints []string
	var refuse string
	var discard, asJSON bool
	cmd := at.asking("create DOMAIN MATCH", "Lead mail to some recipients of a domain somewhere", cobra.ExactArgs(2), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		body, err := s.read(cmd.InOrStdin())
		if err != nil {
			return err
		}
		body["domain"], body["match"] = args[0], args[1]
		if len(endpoints) > 0 {
			body["endpoints"] = endpoints
		}
		if refuse != "" {
			body["refuse"] = refuse
		}
		if discard {
			body["discard"] = true
		}
		var made apiclient.Route
		if err := c.Do(cmd.Context(), http.MethodPost, "/routes", nil, body, &made); err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), made)
		}
		fmt.Fprintln(cmd.OutOrStdout(), made.ID)
		return nil
	})
	cmd.Example = "  letterhook routes create in.example.com support --endpoint app\n  letterhook routes create in.example.com '*' --refuse 'No such mailbox'"
	s.flags(cmd)
	cmd.Flags().StringSliceVar(&endpoints, "endpoint", nil, "`name` of an endpoint that gets the mail; several for several")
	cmd.Flags().StringVar(&refuse, "refuse", "", "`text` of the 550 that the sender hears instead")
	cmd.Flags().BoolVar(&discard, "discard", false, "accept and forget instead")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	complete(cmd, "endpoint", at.endpointNames)
	cmd.ValidArgsFunction = first(at.domainNames)
	return cmd
}

func newRoutesChange(at *place) *cobra.Command {
	var s settings
	cmd := at.asking("set ID", "Change a route that was made by the API", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		body, err := s.changes(cmd.InOrStdin())
		if err != nil {
			return err
		}
		_, err = c.UpdateRoute(cmd.Context(), args[0], body)
		return err
	})
	s.flags(cmd)
	return cmd
}

func newRoutesOrder(at *place) *cobra.Command {
	cmd := at.asking("order DOMAIN ID...", "Put the routes of a domain that were made by the API into an order", cobra.MinimumNArgs(2),
		func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			_, err := c.OrderRoutes(cmd.Context(), args[0], apiclient.RouteOrder{Routes: args[1:]})
			return err
		})
	cmd.ValidArgsFunction = first(at.domainNames)
	return cmd
}

// accountNames are those of the server or the store that the command is about.
func (p *place) accountNames(cmd *cobra.Command) (list []string) {
	ctx, cancel := context.WithTimeout(completionContext(cmd), completionPatience)
	defer cancel()
	err := p.client(ctx, io.Discard, func(c *apiclient.Client) error {
		all, err := farAccounts(ctx, c)
		for i := range all {
			list = append(list, all[i].Name)
		}
		return err
	})
	if err != nil {
		return nil
	}
	return list
}
