package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

func newEndpointsCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "endpoints",
		Short: "List, show, make, change, pause, resume and test endpoints, and rotate their secrets",
		Long: `List, show, make, change, pause, resume and test endpoints, and rotate their secrets. A running server notices within a second. Mail for an
endpoint is accepted and kept whatever its state is. Those of the configuration file are changed there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	at.anywhere(cmd)
	cmd.AddCommand(newEndpointsList(&at), newEndpointsShow(&at), newEndpointsPause(&at), newEndpointsResume(&at), newEndpointsTest(&at),
		newEndpointsSecrets(&at), newEndpointsRotate(&at), newEndpointsCreate(&at), newEndpointsChange(&at), newEndpointsDisable(&at), newEndpointsDelete(&at))
	return cmd
}

// endpointLine is an endpoint as it is printed.
type endpointLine struct {
	ID      string                `json:"id"`
	Name    string                `json:"name"`
	Account string                `json:"account_id"`
	State   storage.EndpointState `json:"state"` // "undeclared": no configuration names it
	Text    string                `json:"text"`  // the state for people
	Reason  string                `json:"reason"`
	Since   *time.Time            `json:"since"`   // null: always
	Pending int64                 `json:"pending"` // deliveries that are owed to it

	RestUntil    *time.Time `json:"rest_until"`    // no attempt begins before; null: at once
	FailingSince *time.Time `json:"failing_since"` // the first failure since the last success; null: none
	Warned       int        `json:"warned"`        // percent of the time until it is disabled of which a warning told
}

func endpointLineOf(e *storage.KnownEndpoint, now time.Time) endpointLine {
	l := endpointLine{
		ID: e.ID, Name: e.Name, Account: e.Account, State: e.Life.State, Text: dispatch.DescribeEndpoint(&e.Life, now),
		Reason: e.Life.Reason, Since: optionalTime(e.Life.Since), Pending: e.Pending,
		FailingSince: optionalTime(e.Life.FailingSince), Warned: e.Life.Warned,
	}
	if now.Before(e.Life.RestUntil) {
		l.RestUntil = optionalTime(e.Life.RestUntil)
	}
	if !e.Declared {
		l.State, l.Text = "undeclared", notConfigured
	}
	return l
}

func newEndpointsList(at *place) *cobra.Command {
	return at.printing("list", "List endpoints with their state and what they are owed", "print one JSON object per endpoint", cobra.NoArgs, listFarEndpoints,
		func(cmd *cobra.Command, store *storage.Store, _ []string, asJSON bool) error {
			known, err := readEndpoints(cmd.Context(), store)
			if err != nil {
				return err
			}
			return printEndpoints(cmd.OutOrStdout(), known, asJSON)
		})
}

func printEndpoints(w io.Writer, known endpoints, asJSON bool) error {
	now := time.Now().UTC()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, "ENDPOINT\tID\tPENDING\tSINCE\tSTATE")
	}
	sorted := slices.SortedFunc(maps.Values(known), func(a, b storage.KnownEndpoint) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Name, b.Name))
	})
	for i := range sorted {
		l := endpointLineOf(&sorted[i], now)
		if asJSON {
			if err := printJSON(w, l); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", printable(l.Name, false), l.ID, l.Pending, moment(sorted[i].Life.Since), printable(l.Text, false))
	}
	return table.Flush()
}

func newEndpointsShow(at *place) *cobra.Command {
	cmd := at.printing("show NAME", "Show an endpoint, by its name or id", "print JSON", cobra.ExactArgs(1), showFarEndpoint,
		func(cmd *cobra.Command, store *storage.Store, args []string, asJSON bool) error {
			known, err := readEndpoints(cmd.Context(), store)
			if err != nil {
				return err
			}
			id, err := known.find(args[0])
			if err != nil {
				return err
			}
			e := known[id]
			l := endpointLineOf(&e, time.Now().UTC())
			if asJSON {
				return printJSON(cmd.OutOrStdout(), l)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), `name           %s
id             %s
account        %s
state          %s
since          %s
pending        %d
failing since  %s
`, printable(l.Name, false), l.ID, l.Account, printable(l.Text, false), moment(e.Life.Since), l.Pending, moment(e.Life.FailingSince))
			return err
		})
	cmd.ValidArgsFunction = first(at.endpointNames)
	return cmd
}

func newEndpointsPause(at *place) *cobra.Command {
	var reason string
	cmd := newEndpointsSet(at, "pause NAME...", "Make no attempts at endpoints until they are resumed", storage.EndpointPaused, &reason)
	cmd.Flags().StringVar(&reason, "reason", "by the operator", "why; shown with the state")
	return cmd
}

func newEndpointsResume(at *place) *cobra.Command {
	reason := "resumed by the operator"
	cmd := newEndpointsSet(at, "resume NAME...", "Enable endpoints that are paused, broken or disabled", storage.EndpointEnabled, &reason)
	cmd.Aliases = []string{"enable"}
	cmd.Long = `Enable endpoints that are paused, broken or disabled, and end the rest of those that have one. What waits is sent, slowly
at first.`
	return cmd
}

// verbOf is the word of the audit log for a change of the state.
func verbOf(state storage.EndpointState) string {
	switch state {
	case storage.EndpointPaused:
		return "pause"
	case storage.EndpointDisabled:
		return "disable"
	default:
		return "enable"
	}
}

// newEndpointsSet makes a command that sets the state of endpoints.
func newEndpointsSet(at *place, use, short string, state storage.EndpointState, reason *string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.MinimumNArgs(1), ValidArgsFunction: every(at.endpointNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				return setFarEndpoints(cmd.Context(), cmd.OutOrStdout(), c, args, state)
			}, func(store *storage.Store) error {
				known, err := readEndpoints(cmd.Context(), store)
				if err != nil {
					return err
				}
				ids := make([]string, len(args))
				for i, word := range args { // all of them are known, or nothing is done
					if ids[i], err = known.find(word); err != nil {
						return err
					}
				}
				for _, id := range ids {
					if err := store.SetEndpointState(cmd.Context(), id, state, *reason); err != nil {
						return err
					}
					if err := noteHere(cmd.Context(), store, known[id].Account, "endpoint."+verbOf(state), id, map[string]any{"state": state}); err != nil {
						return err
					}
					fmt.Fprintf(cmd.OutOrStdout(), "%s is %s; %d pending\n", printable(known.name(id), false), state, known[id].Pending)
				}
				return nil
			})
		},
	}
}

func newEndpointsTest(at *place) *cobra.Command {
	wait := time.Minute
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "test NAME",
		Short: "Have the running server send a test event to an endpoint",
		Long: `Have the running server send an event of the type webhook.test to an endpoint, signed like any other. When it is answered
2xx, an endpoint that is broken or disabled is enabled; one that is paused stays so. The exit status says whether it was.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: first(at.endpointNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				return testFarEndpoint(cmd.Context(), cmd.OutOrStdout(), c, args[0], wait, asJSON)
			}, func(store *storage.Store) error {
				known, err := readEndpoints(cmd.Context(), store)
				if err != nil {
					return err
				}
				id, err := known.find(args[0])
				if err != nil {
					return err
				}
				if err := noteHere(cmd.Context(), store, known[id].Account, "endpoint.test", id, nil); err != nil {
					return err
				}
				made, err := awaitTest(cmd.Context(), store, id, wait)
				if err != nil {
					return err
				}
				return printTest(cmd.OutOrStdout(), &made, asJSON)
			})
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", wait, "how long to wait for the server")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// awaitTest asks for a test and waits until the server has made it.
func awaitTest(ctx context.Context, store *storage.Store, endpoint string, wait time.Duration) (storage.EndpointTest, error) {
	id, err := store.AskTest(ctx, endpoint)
	if err != nil {
		return storage.EndpointTest{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return storage.EndpointTest{}, errors.New("no server has made the test yet; it is made as soon as one runs")
		case <-ticker.C:
		}
		made, err := store.Test(context.WithoutCancel(ctx), endpoint, id)
		if err != nil || !made.At.IsZero() {
			return made, err
		}
	}
}

// testLine is a test as it is printed.
type testLine struct {
	ID         string                `json:"id"`
	Endpoint   string                `json:"endpoint_id"`
	At         time.Time             `json:"at"`
	DurationMS int64                 `json:"duration_ms"`
	Outcome    string                `json:"outcome"`
	Status     int                   `json:"status"` // 0: no response
	Detail     storage.AttemptDetail `json:"detail"`
}

func printTest(w io.Writer, t *storage.EndpointTest, asJSON bool) error {
	if asJSON {
		if err := printJSON(w, testLine{t.ID, t.Endpoint, t.At, t.Duration.Milliseconds(), t.Outcome, t.Status, t.Detail}); err != nil {
			return err
		}
	} else {
		words := strings.Fields(fmt.Sprintf("%s %s in %s: %s", t.Outcome, status(t.Status), t.Duration.Round(time.Millisecond), printable(t.Detail.Error, false)))
		fmt.Fprintln(w, strings.TrimSuffix(strings.Join(words, " "), ":"))
	}
	if t.Outcome != dispatch.OutcomeDelivered {
		return errors.New("the test event was not delivered")
	}
	return nil
}
