package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/storage"
)

func newDeliveriesCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "List, show and retry deliveries",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	at.anywhere(cmd)
	cmd.AddCommand(newDeliveriesList(&at), newDeliveriesShow(&at), newDeliveriesRetry(&at))
	return cmd
}

func newDeliveriesList(at *place) *cobra.Command {
	var filter storage.DeliveryFilter
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deliveries, those of the newest message first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch filter.State {
			case "", storage.StatePending, storage.StateDelivered, storage.StateDead, storage.StateMissed, storage.StateFiltered, storage.StateHeld, storage.StateWithdrawn, storage.StateRefused:
			default:
				return &exitError{exitUsage, fmt.Errorf("--state is pending, delivered, dead, missed, filtered, held, withdrawn or refused, not %q", filter.State)}
			}
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				return listFarDeliveries(cmd.Context(), cmd.OutOrStdout(), c, filter, asJSON)
			}, func(store *storage.Store) error {
				known, err := readEndpoints(cmd.Context(), store)
				if err != nil {
					return err
				}
				if filter.Endpoint != "" {
					if filter.Endpoint, err = known.find(filter.Endpoint); err != nil {
						return err
					}
				}
				rows, err := store.Deliveries(cmd.Context(), filter)
				if err != nil {
					return err
				}
				return printDeliveries(cmd.OutOrStdout(), rows, known, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&filter.State, "state", "", "only pending, delivered, dead, missed, filtered, held, withdrawn or refused ones")
	cmd.Flags().StringVar(&filter.Message, "message", "", "only of the message with this `id`")
	cmd.Flags().StringVar(&filter.Endpoint, "endpoint", "", "only to the endpoint with this `name` or id")
	cmd.Flags().IntVarP(&filter.Limit, "limit", "n", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per delivery")
	complete(cmd, "endpoint", at.endpointNames)
	complete(cmd, "state", among(storage.StatePending, storage.StateDelivered, storage.StateDead, storage.StateMissed, storage.StateFiltered, storage.StateHeld, storage.StateWithdrawn, storage.StateRefused))
	return cmd
}

// deliveryLine is a delivery as it is printed.
type deliveryLine struct {
	ID         string     `json:"id"`
	Message    string     `json:"message_id"`
	Endpoint   string     `json:"endpoint_id"`
	Name       string     `json:"endpoint"` // its name
	Part       int        `json:"part"`     // the number of the recipient in the envelope that it is for alone; 0: for all
	State      string     `json:"state"`
	Reason     string     `json:"reason"` // of a finished one, or why it waits
	Attempts   int        `json:"attempts"`
	Replay     bool       `json:"replay"`
	CreatedAt  time.Time  `json:"created_at"`
	DueAt      *time.Time `json:"due_at"`      // null: finished
	FinishedAt *time.Time `json:"finished_at"` // null: pending
	ReplayedBy string     `json:"replayed_by"` // the delivery that was made to replay this one
}

func deliveryLines(rows []storage.DeliveryRow, known endpoints) []deliveryLine {
	lines := make([]deliveryLine, len(rows))
	for i, r := range rows {
		reason := r.Reason
		if r.State == storage.StatePending {
			reason = known.reason(&r)
		}
		lines[i] = deliveryLine{
			r.ID, r.Message, r.Endpoint, known.name(r.Endpoint), r.Part, r.State, reason, r.Attempts, r.Replay, r.CreatedAt,
			optionalTime(r.DueAt), optionalTime(r.FinishedAt), r.ReplayedBy,
		}
	}
	return lines
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// attemptLine is an attempt as it is printed.
type attemptLine struct {
	Delivery   string                `json:"delivery_id"`
	Endpoint   string                `json:"endpoint_id"`
	N          int                   `json:"n"`
	At         time.Time             `json:"at"`
	DurationMS int64                 `json:"duration_ms"`
	Outcome    string                `json:"outcome"`
	Status     int                   `json:"status"` // 0: no response
	Detail     storage.AttemptDetail `json:"detail"`
}

func attemptLines(attempts []storage.Attempt) []attemptLine {
	lines := make([]attemptLine, len(attempts))
	for i, a := range attempts {
		lines[i] = attemptLine{a.Delivery, a.Endpoint, a.N, a.At, a.Duration.Milliseconds(), a.Outcome, a.Status, a.Detail}
	}
	return lines
}

func printDeliveries(w io.Writer, rows []storage.DeliveryRow, known endpoints, asJSON bool) error {
	if asJSON {
		for _, l := range deliveryLines(rows, known) {
			if err := printJSON(w, l); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DELIVERY\tENDPOINT\tSTATE\tATTEMPTS\tCREATED\tDUE OR FINISHED\tREASON")
	for _, r := range rows {
		at := r.DueAt
		if at.IsZero() {
			at = r.FinishedAt
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", r.ID, printable(known.name(r.Endpoint), false), r.State, r.Attempts,
			moment(r.CreatedAt), moment(at), printable(known.reason(&r), false))
	}
	return table.Flush()
}

func printAttempts(w io.Writer, attempts []storage.Attempt) error {
	if len(attempts) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nATTEMPT OF\tN\tAT\tTOOK\tOUTCOME\tSTATUS\tERROR")
	for _, a := range attempts {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", a.Delivery, a.N, moment(a.At), a.Duration.Round(time.Millisecond),
			a.Outcome, status(a.Status), printable(strings.Join(append([]string{a.Detail.Error}, a.Detail.Filtered...), " "), false))
	}
	return table.Flush()
}

func newDeliveriesShow(at *place) *cobra.Command {
	var asJSON, curl, reveal bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a delivery with its attempts",
		Long: `Show a delivery with its attempts: where the time went, the address and TLS session, the request with secrets masked (of one that
was not delivered), and the answer.

--curl prints a command that makes the next attempt by hand, with the body made anew from the stored mail and signed now; receivers
take the signature for five minutes. Secrets in the URL and the headers are *** in it, unless --reveal asks for them. It is printed and
not run, and nothing is recorded of it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if curl {
				return printCurl(cmd.Context(), at, args[0], reveal, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				return showFarDelivery(cmd.Context(), cmd.OutOrStdout(), c, args[0], asJSON)
			}, func(store *storage.Store) error {
				return showDelivery(cmd.Context(), store, args[0], cmd.OutOrStdout(), asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&curl, "curl", false, "print the request as a command of curl")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "with --curl: print secrets too")
	cmd.MarkFlagsMutuallyExclusive("json", "curl")
	return cmd
}

func showDelivery(ctx context.Context, store *storage.Store, id string, w io.Writer, asJSON bool) error {
	rows, err := store.Deliveries(ctx, storage.DeliveryFilter{ID: id})
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return fmt.Errorf("delivery %s: %w", id, storage.ErrNotFound)
	}
	attempts, err := store.Attempts(ctx, id)
	if err != nil {
		return err
	}
	known, err := readEndpoints(ctx, store)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, struct {
			deliveryLine
			Log []attemptLine `json:"log"`
		}{deliveryLines(rows, known)[0], attemptLines(attempts)})
	}
	if err := printDeliveries(w, rows, known, false); err != nil {
		return err
	}
	if err := printAttempts(w, attempts); err != nil {
		return err
	}
	for i := range attempts {
		printDetail(w, &attempts[i])
	}
	return nil
}

func newDeliveriesRetry(at *place) *cobra.Command {
	return &cobra.Command{
		Use:   "retry ID...",
		Short: "Try deliveries again, at once",
		Long: `Try deliveries again, at once. A finished one is replayed under the same webhook-id; one that waits for its next
attempt waits no longer. A running server notices within a second.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				for _, id := range args {
					if err := retryFarDelivery(cmd.Context(), cmd.OutOrStdout(), c, id); err != nil {
						return err
					}
				}
				return nil
			}, func(store *storage.Store) error {
				for _, id := range args {
					if err := retryDelivery(cmd.Context(), store, id, cmd.OutOrStdout()); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// retryDelivery says under which id the delivery goes on.
func retryDelivery(ctx context.Context, store *storage.Store, id string, w io.Writer) error {
	if err := store.Retry(ctx, id); err != nil {
		return err
	}
	rows, err := store.Deliveries(ctx, storage.DeliveryFilter{ID: id})
	if err != nil {
		return err
	}
	if len(rows) == 1 {
		if err := noteHere(ctx, store, accountOfMessage(ctx, store, rows[0].Message), "delivery.retry", id, nil); err != nil {
			return err
		}
	}
	if len(rows) == 1 && rows[0].ReplayedBy != "" {
		_, err = fmt.Fprintf(w, "%s is tried again as %s\n", id, rows[0].ReplayedBy)
	} else {
		_, err = fmt.Fprintf(w, "%s is tried again\n", id)
	}
	return err
}

// status writes the status of a response; there is none when the connection failed.
func status(code int) string {
	if code == 0 {
		return ""
	}
	return strconv.Itoa(code)
}
