package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/storage"
)

// replayLine is a replay as it is printed.
type replayLine struct {
	ID         string             `json:"id"`
	State      string             `json:"state"` // running, paused, delivering, done, cancelling or cancelled
	Reason     string             `json:"reason"`
	Endpoint   string             `json:"endpoint_id"`
	Name       string             `json:"endpoint"`
	Target     string             `json:"target"` // name of the endpoint that gets it, or the URL
	Spec       storage.ReplaySpec `json:"spec"`
	CreatedAt  time.Time          `json:"created_at"`
	FinishedAt *time.Time         `json:"finished_at"` // when the last delivery was made, or it was cancelled; null: not yet
	Total      int64              `json:"total"`       // to be made, as counted at the beginning
	Made       int64              `json:"made"`
	Owed       int64              `json:"owed"` // passed over: owed already
	Gone       int64              `json:"gone"` // passed over: retention has taken the message
	Pending    int64              `json:"pending"`
	Finished   map[string]int64   `json:"finished"` // by state
}

func replayLineOf(r *storage.Replay, p storage.ReplayProgress, known endpoints) replayLine {
	l := replayLine{
		ID: r.ID, State: string(r.State), Endpoint: r.Spec.Endpoint, Name: known.name(r.Spec.Endpoint),
		Target: cmp.Or(r.Spec.URL, known.name(r.Target())), Spec: r.Spec, CreatedAt: r.CreatedAt, FinishedAt: optionalTime(r.FinishedAt),
		Total: r.Total, Made: r.Made, Owed: r.Owed, Gone: r.Gone, Pending: p.Pending, Finished: p.Finished,
	}
	if l.Finished == nil {
		l.Finished = map[string]int64{}
	}
	switch e, ok := known[r.Target()]; {
	case r.State == storage.ReplayMade && p.Pending > 0:
		l.State = "delivering"
	case r.State == storage.ReplayMade:
		l.State = "done"
	case r.State != storage.ReplayRunning || !ok:
	case !e.Declared:
		l.Reason = notConfigured
	case e.Life.State != storage.EndpointEnabled:
		l.Reason = "endpoint is " + string(e.Life.State)
	}
	return l
}

func newReplayList(at *place) *cobra.Command {
	return at.printing("list", "List replays, the newest first", "print one JSON object per replay", cobra.NoArgs, listFarReplays,
		func(cmd *cobra.Command, store *storage.Store, _ []string, asJSON bool) error {
			list, err := store.Replays(cmd.Context())
			if err != nil {
				return err
			}
			return printReplays(cmd, store, list, asJSON)
		})
}

func printReplays(cmd *cobra.Command, store *storage.Store, list []*storage.Replay, asJSON bool) error {
	known, err := readEndpoints(cmd.Context(), store)
	if err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, "REPLAY\tENDPOINT\tTARGET\tSTATE\tMADE\tOF\tPENDING\tGONE\tREASON")
	}
	for _, r := range list {
		p, err := store.ReplayProgress(cmd.Context(), r.ID)
		if err != nil {
			return err
		}
		l := replayLineOf(r, p, known)
		if asJSON {
			if err := printJSON(w, l); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\n", l.ID, printable(l.Name, false), printable(l.Target, false), l.State,
			l.Made, l.Total, l.Pending, l.Gone, l.Reason)
	}
	return table.Flush()
}

func newReplayShow(at *place) *cobra.Command {
	return at.printing("show ID", "Show how far a replay is", "print JSON", cobra.ExactArgs(1), showFarReplay,
		func(cmd *cobra.Command, store *storage.Store, args []string, asJSON bool) error {
			r, err := store.Replay(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p, err := store.ReplayProgress(cmd.Context(), r.ID)
			if err != nil {
				return err
			}
			known, err := readEndpoints(cmd.Context(), store)
			if err != nil {
				return err
			}
			l := replayLineOf(r, p, known)
			if asJSON {
				return printJSON(cmd.OutOrStdout(), l)
			}
			return printReplay(cmd.OutOrStdout(), &l)
		})
}

func printReplay(w io.Writer, l *replayLine) error {
	state := l.State
	if l.Reason != "" {
		state += ", waits: " + l.Reason
	}
	finished := make([]string, 0, len(l.Finished))
	for _, s := range slices.Sorted(maps.Keys(l.Finished)) {
		finished = append(finished, fmt.Sprintf("%d %s", l.Finished[s], s))
	}
	_, err := fmt.Fprintf(w, `replay     %s
created    %s
endpoint   %s
target     %s
state      %s
made       %d of %d
pending    %d
finished   %s
owed       %d passed over: the endpoint was owed them already
gone       %d passed over: retention has taken the message
`, l.ID, moment(l.CreatedAt), printable(l.Name, false), printable(l.Target, false), state, l.Made, l.Total, l.Pending,
		cmp.Or(strings.Join(finished, ", "), "none"), l.Owed, l.Gone)
	return err
}

// printPlans tells what would be made.
func printPlans(w io.Writer, plans []plan, known endpoints, asJSON bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, "ENDPOINT\tWOULD MAKE\tOWED ALREADY\tGONE")
	}
	for _, p := range plans {
		if asJSON {
			err := printJSON(w, struct {
				Endpoint string `json:"endpoint_id"`
				Name     string `json:"endpoint"`
				Make     int64  `json:"would_make"`
				Owed     int64  `json:"owed"`
				Gone     int64  `json:"gone"`
			}{p.spec.Endpoint, known.name(p.spec.Endpoint), p.count.Made, p.count.Owed, p.count.Gone})
			if err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\n", printable(known.name(p.spec.Endpoint), false), p.count.Made, p.count.Owed, p.count.Gone)
	}
	return table.Flush()
}
