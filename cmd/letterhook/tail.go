package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/dispatch"
)

// tailOptions are the flags of tail.
type tailOptions struct {
	at       place
	only     string
	endpoint string
	address  string
	failed   bool
	count    int
	json     bool
}

func newTailCommand() *cobra.Command {
	var o tailOptions
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Follow what happens on a server: messages, attempts, refusals",
		Long: `Follow what happens on a running server: messages as they are accepted, attempts and refusals. Without a context in use it is the one
that dev runs on this machine. Where it is cut off it connects again; what happened meanwhile stands in the lists. It follows all nodes
that share a database, whichever answers: what happens on the others comes up to a second later, and for the operator a line ends with
the name of the node that it happened on.`,
		Example: "  letterhook tail\n  letterhook tail --failed --endpoint app\n  letterhook tail --only refusal --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.at.context, "context", "", "ask the server of this `context`")
	f.StringVar(&o.only, "only", "", "accepted, attempt or refusal")
	f.StringVar(&o.endpoint, "endpoint", "", "attempts at the endpoint with this `name` or id alone")
	f.StringVar(&o.address, "address", "", "messages and refusals whose sender or recipient has this `text` in it")
	f.BoolVar(&o.failed, "failed", false, "attempts that failed and refusals alone")
	f.IntVar(&o.count, "count", 0, "end after so many lines; 0: never")
	f.BoolVar(&o.json, "json", false, "print one JSON object per line: event and data as the API sends them")
	kinds := []string{"accepted", "attempt", "refusal"}
	complete(cmd, "context", contextNames)
	complete(cmd, "only", among(kinds...))
	complete(cmd, "endpoint", o.at.endpointNames)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if o.only != "" && !slices.Contains(kinds, o.only) {
			return fmt.Errorf("--only is accepted, attempt or refusal, not %q", o.only)
		}
		return nil
	}
	return cmd
}

func (o *tailOptions) run(ctx context.Context, out, messages io.Writer) error {
	c, url, err := o.at.live()
	if err != nil {
		return err
	}
	known, err := farEndpoints(ctx, c)
	if err != nil {
		return err
	}
	if o.endpoint != "" {
		if o.endpoint, err = known.find(o.endpoint); err != nil {
			return err
		}
	}
	fmt.Fprintf(messages, "Following %s\n", url)
	shown := 0
	return stay(ctx, messages, func(ctx context.Context) (*http.Response, error) {
		return c.StreamEvents(ctx, apiclient.StreamEventsParams{Only: o.only})
	}, func(r *bufio.Reader) error {
		return readEvents(r, func(event string, data []byte) error {
			line, err := o.line(event, data, known)
			if err != nil || line == "" {
				return err
			}
			if o.json {
				err = printJSON(out, struct {
					Event string          `json:"event"`
					Data  json.RawMessage `json:"data"`
				}{event, data})
			} else {
				_, err = fmt.Fprintln(out, printable(line, false))
			}
			if shown++; err == nil && o.count > 0 && shown >= o.count {
				err = errDone
			}
			return err
		})
	})
}

// line is an event for people; empty: it is not wanted.
func (o *tailOptions) line(event string, data []byte, known farEndpointsByID) (string, error) {
	read := func(v any) error {
		if err := json.Unmarshal(data, v); err != nil {
			return fmt.Errorf("reading what the server sent: %w", err)
		}
		return nil
	}
	switch event {
	case "accepted":
		var m apiclient.StreamAccepted
		if err := read(&m); err != nil || o.failed || o.endpoint != "" || !o.concerns(append(m.Recipients, m.MailFrom)...) {
			return "", err
		}
		return fmt.Sprintf("%s  accepted   %s  <%s> to %s, %s", clock(m.ReceivedAt), m.ID, m.MailFrom, firstOf(m.Recipients), plural(m.Size, "octet")) + on(m.Node), nil
	case "attempt":
		var a apiclient.StreamAttempt
		failed := func() bool { return a.Outcome != dispatch.OutcomeDelivered }
		if err := read(&a); err != nil || o.address != "" || o.failed && !failed() || o.endpoint != "" && o.endpoint != a.EndpointID {
			return "", err
		}
		return attemptText(&a, known.name(a.EndpointID)) + on(a.Node), nil
	case "refusal":
		var r apiclient.StreamRefusal
		if err := read(&r); err != nil || o.endpoint != "" || !o.concerns(append(r.Recipients, r.Sender, r.Recipient)...) {
			return "", err
		}
		return fmt.Sprintf("%s  refused    <%s> to %s from %s: %d %s", clock(r.At), r.Sender, orWord(r.Recipient, "nobody yet"), r.RemoteIP, r.Code, r.Reply) + on(r.Node), nil
	case "missed":
		var m apiclient.StreamMissed
		err := read(&m)
		return missedText(&m), err
	}
	return "", nil
}

func (o *tailOptions) concerns(addresses ...string) bool {
	return o.address == "" || slices.ContainsFunc(addresses, func(a string) bool { return strings.Contains(strings.ToLower(a), strings.ToLower(o.address)) })
}

// on names the node of a line; nodes that share no database are not told apart.
func on(node string) string {
	if node == "" {
		return ""
	}
	return "  on " + node
}

func missedText(m *apiclient.StreamMissed) string {
	switch {
	case m.N == 0:
		return clock(time.Now()) + "  events of other nodes may have been left out"
	case m.Unsure:
		return fmt.Sprintf("%s  %s left out, and perhaps more of other nodes", clock(time.Now()), plural(m.N, "event"))
	}
	return fmt.Sprintf("%s  %s left out: there were too many at once", clock(time.Now()), plural(m.N, "event"))
}

func attemptText(a *apiclient.StreamAttempt, endpoint string) string {
	verdict := a.Outcome
	if a.Outcome != dispatch.OutcomeDelivered {
		verdict = "failed"
	}
	text := fmt.Sprintf("%s  %-9s  %s  to %s, attempt %d, %s in %s", clock(a.At), verdict, a.MessageID, endpoint, a.N,
		orWord(status(int(a.Status)), a.Outcome), milliseconds(a.DurationMs))
	if a.Error != "" {
		text += ": " + a.Error
	}
	switch {
	case !a.RetryAt.IsZero():
		text += ", again at " + clock(a.RetryAt)
	case a.State != "" && a.State != verdict:
		text += ", " + a.State
	}
	return text
}

// clock writes the time of the day, in UTC like everything else that is printed.
func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }
