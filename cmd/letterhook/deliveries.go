package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

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
	at.flags(cmd)
	cmd.AddCommand(newDeliveriesList(&at), newDeliveriesShow(&at), newDeliveriesRetry(&at))
	return cmd
}

func newDeliveriesList(at *place) *cobra.Command {
	var filter storage.DeliveryFilter
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deliveries, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch filter.State {
			case "", storage.StatePending, storage.StateDelivered, storage.StateDead:
			default:
				return &exitError{exitUsage, fmt.Errorf("--state is pending, delivered or dead, not %q", filter.State)}
			}
			return at.use(cmd.Context(), cmd.ErrOrStderr(), func(store *storage.Store) error {
				rows, err := store.Deliveries(cmd.Context(), filter)
				if err != nil {
					return err
				}
				return printDeliveries(cmd.OutOrStdout(), rows, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&filter.State, "state", "", "only pending, delivered or dead ones")
	cmd.Flags().StringVar(&filter.Message, "message", "", "only of the message with this `id`")
	cmd.Flags().StringVar(&filter.Endpoint, "endpoint", "", "only to the endpoint with this `id`")
	cmd.Flags().IntVarP(&filter.Limit, "limit", "n", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per delivery")
	return cmd
}

// deliveryLine is a delivery as it is printed.
type deliveryLine struct {
	ID         string     `json:"id"`
	Message    string     `json:"message_id"`
	Endpoint   string     `json:"endpoint_id"`
	State      string     `json:"state"`
	Reason     string     `json:"reason"` // of a finished one
	Attempts   int        `json:"attempts"`
	Replay     bool       `json:"replay"`
	CreatedAt  time.Time  `json:"created_at"`
	DueAt      *time.Time `json:"due_at"`      // null: finished
	FinishedAt *time.Time `json:"finished_at"` // null: pending
	ReplayedBy string     `json:"replayed_by"` // the delivery that was made to replay this one
}

func deliveryLines(rows []storage.DeliveryRow) []deliveryLine {
	lines := make([]deliveryLine, len(rows))
	for i, r := range rows {
		lines[i] = deliveryLine{
			r.ID, r.Message, r.Endpoint, r.State, r.Reason, r.Attempts, r.Replay, r.CreatedAt,
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

func printDeliveries(w io.Writer, rows []storage.DeliveryRow, asJSON bool) error {
	if asJSON {
		for _, l := range deliveryLines(rows) {
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
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", r.ID, r.Endpoint, r.State, r.Attempts, moment(r.CreatedAt), moment(at), printable(r.Reason, false))
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
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%d\t%s\n", a.Delivery, a.N, moment(a.At), a.Duration.Round(time.Millisecond),
			a.Outcome, a.Status, printable(a.Detail.Error, false))
	}
	return table.Flush()
}

func newDeliveriesShow(at *place) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a delivery with its attempts",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return at.use(cmd.Context(), cmd.ErrOrStderr(), func(store *storage.Store) error {
				return showDelivery(cmd.Context(), store, args[0], cmd.OutOrStdout(), asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
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
	if asJSON {
		return printJSON(w, struct {
			deliveryLine
			Log []attemptLine `json:"log"`
		}{deliveryLines(rows)[0], attemptLines(attempts)})
	}
	if err := printDeliveries(w, rows, false); err != nil {
		return err
	}
	return printAttempts(w, attempts)
}

func newDeliveriesRetry(at *place) *cobra.Command {
	return &cobra.Command{
		Use:   "retry ID...",
		Short: "Try deliveries again, at once",
		Long: `Try deliveries again, at once. A finished one is replayed under the same webhook-id; one that waits for its next
attempt waits no longer. A running server notices within a second.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return at.use(cmd.Context(), cmd.ErrOrStderr(), func(store *storage.Store) error {
				for _, id := range args {
					if err := store.Retry(cmd.Context(), id); err != nil {
						return err
					}
					fmt.Fprintf(cmd.OutOrStdout(), "%s is tried again\n", id)
				}
				return nil
			})
		},
	}
}
