package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/storage"
)

// farPlan is a replay that a server may make.
type farPlan struct {
	settings apiclient.ReplaySettings
	count    apiclient.ReplayCount
}

// createFar has a server make deliveries again: one job for each endpoint that has some.
func (o *replayOptions) createFar(cmd *cobra.Command, c *apiclient.Client) error {
	ctx, w := cmd.Context(), cmd.OutOrStdout()
	known, err := farEndpoints(ctx, c)
	if err != nil {
		return err
	}
	plans, err := o.farPlans(ctx, c, known)
	if err != nil {
		return err
	}
	if o.dryRun {
		return printFarPlans(w, plans, known, o.json)
	}
	var made []string
	for _, p := range plans {
		if p.count.Made == 0 {
			if !o.json && p.count.Owed+p.count.Gone > 0 {
				fmt.Fprintf(w, "%s: nothing to replay, %s\n", printable(known.name(p.settings.EndpointID), false), passedFar(p.count))
			}
			continue
		}
		r, err := c.CreateReplay(ctx, newReplay(&p.settings, o.all))
		if err != nil {
			return err
		}
		made = append(made, r.ID)
		if o.json {
			if err := printJSON(w, r); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(w, "%s replays %s of %s, %s\n", r.ID, plural(p.count.Made, "delivery"), printable(known.name(p.settings.EndpointID), false), passedFar(p.count))
	}
	if len(made) == 0 && !o.json {
		fmt.Fprintln(w, "nothing to replay")
	}
	if o.wait {
		return awaitReplays(ctx, cmd.ErrOrStderr(), made, farProgress(c))
	}
	return nil
}

func newReplay(s *apiclient.ReplaySettings, all bool) apiclient.NewReplay {
	n := apiclient.NewReplay{
		EndpointID: s.EndpointID, Missing: s.Missing, MessageID: s.MessageID, Domain: s.Domain, Recipient: s.Recipient, Sender: s.Sender, Kind: s.Kind,
		From: s.From, Until: s.Until, ToEndpointID: s.ToEndpointID, URL: s.URL, Rate: s.Rate, IgnoreFilters: s.IgnoreFilters, All: all || s.EndpointID != "",
	}
	for _, state := range s.States {
		n.States = append(n.States, apiclient.NewReplayStates(state))
	}
	return n
}

func passedFar(c apiclient.ReplayCount) string {
	return passed(storage.ReplayCount{Made: c.Made, Owed: c.Owed, Gone: c.Gone})
}

// farPlans counts what would be made for each endpoint.
func (o *replayOptions) farPlans(ctx context.Context, c *apiclient.Client, known farEndpointsByID) ([]farPlan, error) {
	p := &o.spec
	base := apiclient.ReplaySettings{
		Missing: p.Missing, MessageID: p.Message, Domain: p.Domain, Recipient: p.Recipient, Sender: p.Sender, Kind: p.Kind, From: p.From, Until: p.Until,
		URL: p.URL, Rate: p.Rate, IgnoreFilters: p.IgnoreFilters,
	}
	for _, state := range p.States {
		base.States = append(base.States, apiclient.ReplaySettingsStates(state))
	}
	var sources []string
	var err error
	if o.endpoint != "" {
		id, err := known.find(o.endpoint)
		if err != nil {
			return nil, err
		}
		sources = []string{id}
	} else {
		for id := range known {
			sources = append(sources, id)
		}
		slices.Sort(sources)
	}
	if o.to != "" {
		if base.ToEndpointID, err = known.find(o.to); err != nil {
			return nil, err
		}
		target := known[base.ToEndpointID]
		if o.endpoint == "" { // only those of its account can be led there
			sources = slices.DeleteFunc(sources, func(id string) bool { return known[id].AccountID != target.AccountID })
		}
	}
	var plans []farPlan
	for _, id := range sources {
		plan := farPlan{settings: base}
		plan.settings.EndpointID = id
		count, err := c.CountReplay(ctx, plan.settings)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", known.name(id), err)
		}
		if plan.count = *count; plan.count != (apiclient.ReplayCount{}) {
			plans = append(plans, plan)
		}
	}
	if (o.to != "" || p.URL != "") && len(plans) > 1 {
		return nil, &exitError{exitUsage, errors.New("several endpoints had this mail; name one with --endpoint, or the target gets it several times")}
	}
	return plans, nil
}

func printFarPlans(w io.Writer, plans []farPlan, known farEndpointsByID, asJSON bool) error {
	type line struct {
		Endpoint string `json:"endpoint_id"`
		Name     string `json:"endpoint"`
		Make     int64  `json:"would_make"`
		Owed     int64  `json:"owed"`
		Gone     int64  `json:"gone"`
	}
	lines := make([]line, len(plans))
	for i, p := range plans {
		lines[i] = line{p.settings.EndpointID, known.name(p.settings.EndpointID), p.count.Made, p.count.Owed, p.count.Gone}
	}
	return printList(w, lines, asJSON, "ENDPOINT|WOULD MAKE|OWED ALREADY|GONE", func(l *line) []any { return []any{l.Name, l.Make, l.Owed, l.Gone} })
}

func listFarReplays(cmd *cobra.Command, c *apiclient.Client, _ []string, asJSON bool) error {
	ctx := cmd.Context()
	list, err := pages(0, func(cursor string, size int64) ([]apiclient.Replay, string, error) {
		p, err := c.ListReplays(ctx, apiclient.ListReplaysParams{Cursor: cursor, Limit: size})
		if err != nil {
			return nil, "", err
		}
		return p.Items, p.NextCursor, nil
	})
	if err != nil {
		return err
	}
	known, err := farEndpoints(ctx, c)
	if err != nil {
		return err
	}
	return printList(cmd.OutOrStdout(), list, asJSON, "REPLAY|ENDPOINT|TARGET|STATE|MADE|OF|PENDING|GONE|REASON", func(r *apiclient.Replay) []any {
		l := farReplayLine(r, known)
		return []any{l.ID, l.Name, l.Target, l.State, l.Made, l.Total, l.Pending, l.Gone, l.Reason}
	})
}

// farReplayLine is a replay of a server as it is printed.
func farReplayLine(r *apiclient.Replay, known farEndpointsByID) replayLine {
	target := cmp.Or(r.ToEndpointID, r.EndpointID)
	l := replayLine{
		ID: r.ID, State: string(r.State), Endpoint: r.EndpointID, Name: known.name(r.EndpointID), Target: cmp.Or(r.URL, known.name(target)),
		CreatedAt: r.CreatedAt, FinishedAt: optionalTime(r.FinishedAt), Total: r.Total, Made: r.Made, Owed: r.Owed, Gone: r.Gone, Pending: r.Pending, Finished: r.Finished,
	}
	e, ok := known[target]
	switch {
	case r.State == "made" && r.Pending > 0:
		l.State = "delivering"
	case r.State == "made":
		l.State = "done"
	case r.State != "running" || !ok:
	case e.Source == "":
		l.Reason = notConfigured
	case e.State.State != "enabled":
		l.Reason = "endpoint is " + string(e.State.State)
	}
	return l
}

func showFarReplay(cmd *cobra.Command, c *apiclient.Client, args []string, asJSON bool) error {
	r, err := c.GetReplay(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), r)
	}
	known, err := farEndpoints(cmd.Context(), c)
	if err != nil {
		return err
	}
	l := farReplayLine(r, known)
	return printReplay(cmd.OutOrStdout(), &l)
}
