package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

func listFarEndpoints(cmd *cobra.Command, c *apiclient.Client, _ []string, asJSON bool) error {
	known, err := farEndpoints(cmd.Context(), c)
	if err != nil {
		return err
	}
	list := make([]apiclient.Endpoint, 0, len(known))
	for _, e := range known {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b apiclient.Endpoint) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.Name, b.Name))
	})
	return printList(cmd.OutOrStdout(), list, asJSON, "ENDPOINT|ID|PENDING|SINCE|STATE", func(e *apiclient.Endpoint) []any {
		return []any{e.Name, e.ID, e.State.Pending, moment(e.State.Since), stateOf(e)}
	})
}

// stateOf is the state of an endpoint of a server, for people.
func stateOf(e *apiclient.Endpoint) string {
	if e.Source == "" {
		return notConfigured
	}
	return dispatch.DescribeEndpoint(&storage.EndpointLife{
		State: storage.EndpointState(e.State.State), Reason: e.State.Reason, Since: e.State.Since, RestUntil: e.State.RestUntil, RestReason: e.State.RestReason,
		FailingSince: e.State.FailingSince,
	}, time.Now().UTC())
}

func showFarEndpoint(cmd *cobra.Command, c *apiclient.Client, args []string, asJSON bool) error {
	id, err := farEndpoint(cmd.Context(), c, args[0])
	if err != nil {
		return err
	}
	e, err := c.GetEndpoint(cmd.Context(), id)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), e)
	}
	printFieldsOf(cmd.OutOrStdout(), append([]field{
		{"name", e.Name}, {"id", e.ID}, {"account", e.AccountID}, {"url", e.URL}, {"state", stateOf(e)}, {"since", moment(e.State.Since)},
		{"pending", fmt.Sprint(e.State.Pending)}, {"failing since", moment(e.State.FailingSince)}, {"declared in", e.Source},
	}, faultFields(e.Faults)...)...)
	return nil
}

func faultFields(faults []apiclient.Fault) (list []field) {
	for _, f := range faults {
		list = append(list, field{"does not hold", f.Location + " " + f.Message})
	}
	return list
}

// setFarEndpoints sets the state of endpoints of a server. All of them are known, or nothing is done.
func setFarEndpoints(ctx context.Context, w io.Writer, c *apiclient.Client, names []string, state storage.EndpointState) error {
	known, err := farEndpoints(ctx, c)
	if err != nil {
		return err
	}
	ids := make([]string, len(names))
	for i, word := range names {
		if ids[i], err = known.find(word); err != nil {
			return err
		}
	}
	set := map[storage.EndpointState]func(context.Context, string) (*apiclient.Endpoint, error){
		storage.EndpointEnabled: c.EnableEndpoint, storage.EndpointPaused: c.PauseEndpoint, storage.EndpointDisabled: c.DisableEndpoint,
	}[state]
	for _, id := range ids {
		e, err := set(ctx, id)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s is %s; %d pending\n", printable(e.Name, false), e.State.State, e.State.Pending)
	}
	return nil
}

// testLook is how often a server is asked whether it has made a test.
const testLook = 200 * time.Millisecond

func testFarEndpoint(ctx context.Context, w io.Writer, c *apiclient.Client, word string, wait time.Duration, asJSON bool) error {
	id, err := farEndpoint(ctx, c, word)
	if err != nil {
		return err
	}
	made, err := c.TestEndpoint(ctx, id)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ticker := time.NewTicker(testLook)
	defer ticker.Stop()
	for !made.Done {
		select {
		case <-waiting.Done():
			return errors.New("the server has not made the test yet; it is made as soon as it can")
		case <-ticker.C:
		}
		if made, err = c.GetTest(ctx, id, made.ID); err != nil {
			return err
		}
	}
	t := &storage.EndpointTest{
		ID: made.ID, Endpoint: id, At: made.At, Duration: time.Duration(made.DurationMs * float64(time.Millisecond)), Outcome: made.Outcome, Status: int(made.Status),
	}
	if asJSON {
		if err := printJSON(w, made); err != nil {
			return err
		}
		w = io.Discard
	}
	return printTest(w, t, false)
}

func rotateFarSecret(ctx context.Context, w io.Writer, c *apiclient.Client, word string, kind storage.SecretKind, overlap time.Duration, asJSON bool) error {
	id, err := farEndpoint(ctx, c, word)
	if err != nil {
		return err
	}
	var made apiclient.NewSecret // asked for by hand: an overlap of 0 must be sent too
	err = c.Do(ctx, http.MethodPost, "/endpoints/"+url.PathEscape(id)+"/secrets", nil, map[string]any{"kind": kind, "overlap_seconds": int64(overlap.Seconds())}, &made)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, made)
	}
	fmt.Fprintln(w, cmp.Or(made.Secret, made.PublicKey))
	return nil
}

func listFarSecrets(ctx context.Context, w io.Writer, c *apiclient.Client, word string, reveal, asJSON bool) error {
	if reveal {
		return &exitError{exitUsage, errors.New("--reveal: a server shows a secret once, when it is made")}
	}
	id, err := farEndpoint(ctx, c, word)
	if err != nil {
		return err
	}
	list, err := c.ListSecrets(ctx, id)
	if err != nil {
		return err
	}
	return printList(w, list.Items, asJSON, "ID|KIND|CREATED|UNTIL|SECRET OR PUBLIC KEY", func(s *apiclient.Secret) []any {
		return []any{s.ID, s.Kind, moment(s.CreatedAt), moment(s.Until), cmp.Or(s.PublicKey, "hidden")}
	})
}
