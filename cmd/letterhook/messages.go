package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

func newMessagesCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "messages",
		Short: "List, show and retry messages, and read what is in them",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	at.anywhere(cmd)
	cmd.AddCommand(newMessagesList(&at), newMessagesShow(&at), newMessagesParsed(&at), newMessagesAttachments(&at), newMessagesRetry(&at))
	return cmd
}

func newMessagesList(at *place) *cobra.Command {
	var limit int
	var before string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [SEARCH]",
		Short: "List messages, the newest first, or search them",
		Long: `List messages, the newest first, or search them: by words of the subject and parts of addresses, and by to:, from:, subject:, domain:, id:,
message-id:, kind:, state:, endpoint: (a name or an id), before: and after: (a date, a time or an age).`,
		Example: "  letterhook messages list invoice from:acme.example state:dead after:2d",
		RunE: func(cmd *cobra.Command, words []string) error {
			text := strings.Join(words, " ")
			search, err := storage.ParseSearch(text, time.Now())
			if err != nil {
				return &exitError{exitUsage, err}
			}
			search.Limit, search.Before = limit, before
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				return listFarMessages(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), c, text, limit, before, asJSON)
			}, func(store *storage.Store) error {
				found, err := store.Search(cmd.Context(), search)
				if err != nil {
					return err
				}
				mails := make([]*storage.Mail, len(found.Messages))
				for i := range found.Messages {
					mails[i] = found.Messages[i].Mail
				}
				if found.Partial {
					fmt.Fprintln(cmd.ErrOrStderr(), "Not all messages were looked at; go on with --before "+found.Next)
				}
				return printMessages(cmd.OutOrStdout(), mails, asJSON)
			})
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 50, "at most so many")
	cmd.Flags().StringVar(&before, "before", "", "only older than the message with this `id`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per message")
	return cmd
}

// messageLine is a message as lists print it.
type messageLine struct {
	ID         string           `json:"id"`
	Account    string           `json:"account_id"`
	ReceivedAt time.Time        `json:"received_at"`
	Size       int64            `json:"size"`
	SHA256     string           `json:"sha256,omitempty"` // of nothing that was erased
	Envelope   inbound.Envelope `json:"envelope"`
	Summary    *storage.Summary `json:"summary"` // null until the first attempt
	Erased     bool             `json:"erased,omitempty"`
}

func lineOf(m *storage.Mail) messageLine {
	l := messageLine{ID: m.ID, Account: m.Account, ReceivedAt: m.ReceivedAt, Size: m.Size, Envelope: m.Envelope, Summary: m.Summary, Erased: m.Erased}
	if !m.Erased {
		l.SHA256 = hex.EncodeToString(m.SHA256[:])
	}
	return l
}

// subject is what is known of it.
func (l *messageLine) subject() string {
	switch {
	case l.Erased:
		return erasedWord
	case l.Summary != nil:
		return l.Summary.Subject
	case slices.ContainsFunc(l.Envelope.Recipients, func(r inbound.Recipient) bool { return len(r.Endpoints) > 0 }):
		return "(not parsed yet)"
	default:
		return "(discarded)" // by routes without endpoints: nobody will parse it
	}
}

func printMessages(w io.Writer, mails []*storage.Mail, asJSON bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, "ID\tRECEIVED\tSIZE\tFROM\tTO\tSUBJECT")
	}
	for _, m := range mails {
		l := lineOf(m)
		if asJSON {
			if err := printJSON(w, l); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", l.ID, moment(l.ReceivedAt), l.Size,
			printable(reverseOf(l.Envelope.ReversePath.String(), l.Erased), false), firstRecipient(&l.Envelope), printable(l.subject(), false))
	}
	return table.Flush()
}

// firstRecipient names one recipient and counts the others.
func firstRecipient(e *inbound.Envelope) string {
	if len(e.Recipients) == 0 {
		return ""
	}
	first := printable(e.Recipients[0].Path.String(), false)
	if more := len(e.Recipients) - 1; more > 0 {
		return fmt.Sprintf("%s and %d more", first, more)
	}
	return first
}

// moment writes a time for people, in UTC like everything else that is printed.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func newMessagesShow(at *place) *cobra.Command {
	var asJSON, raw bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a message with its deliveries and attempts, or its raw bytes",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				if raw {
					return writeFarRaw(cmd.Context(), cmd.OutOrStdout(), c, args[0])
				}
				return showFarMessage(cmd.Context(), cmd.OutOrStdout(), c, args[0], asJSON)
			}, func(store *storage.Store) error {
				if raw {
					return writeRaw(cmd.Context(), store, args[0], cmd.OutOrStdout())
				}
				return showMessage(cmd.Context(), store, args[0], cmd.OutOrStdout(), asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&raw, "raw", false, "write the bytes as they were received, and nothing else")
	return cmd
}

// writeRaw copies the raw bytes.
func writeRaw(ctx context.Context, store *storage.Store, id string, w io.Writer) error {
	m, err := store.Mail(ctx, id)
	if err != nil {
		return err
	}
	raw, err := store.OpenRaw(ctx, m)
	if err != nil {
		return err
	}
	defer raw.Close()
	if _, err := io.Copy(w, io.NewSectionReader(raw, 0, raw.Size())); err != nil {
		return fmt.Errorf("writing the raw bytes: %w", err)
	}
	return nil
}

func showMessage(ctx context.Context, store *storage.Store, id string, w io.Writer, asJSON bool) error {
	m, err := store.Mail(ctx, id)
	if err != nil {
		return err
	}
	deliveries, err := store.Deliveries(ctx, storage.DeliveryFilter{Message: id})
	if err != nil {
		return err
	}
	attempts, err := store.Attempts(ctx, id)
	if err != nil {
		return err
	}
	known, err := readEndpoints(ctx, store)
	if err != nil {
		return err
	}
	l := lineOf(m)
	if asJSON {
		return printJSON(w, struct {
			messageLine
			Deliveries []deliveryLine `json:"deliveries"`
			Attempts   []attemptLine  `json:"attempts"`
		}{l, deliveryLines(deliveries, known), attemptLines(attempts)})
	}
	fmt.Fprintf(w, "message    %s\nreceived   %s from %s\nsize       %s\nfrom       %s\n", l.ID, moment(l.ReceivedAt),
		cameFrom(l.Envelope.RemoteAddress(), l.Erased), sizeOf(l.Size, l.SHA256, l.Erased), printable(reverseOf(l.Envelope.ReversePath.String(), l.Erased), false))
	for _, r := range l.Envelope.Recipients {
		fmt.Fprintf(w, "to         %s\n", printable(r.Path.String(), false))
	}
	fmt.Fprintf(w, "subject    %s\n\n", printable(l.subject(), false))
	if err := printDeliveries(w, deliveries, known, false); err != nil {
		return err
	}
	return printAttempts(w, attempts)
}

func newMessagesRetry(at *place) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "retry ID...",
		Short: "Try the dead deliveries of messages again",
		Long:  "Try the dead deliveries of messages again, and those that wait for their next attempt at once. --all: the delivered ones too, what filters kept back, and what shadow endpoints missed.",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				for _, id := range args {
					if err := retryFarMessage(cmd.Context(), cmd.OutOrStdout(), c, id, all); err != nil {
						return err
					}
				}
				return nil
			}, func(store *storage.Store) error {
				for _, id := range args {
					if err := retryMessage(cmd.Context(), store, id, all, cmd.OutOrStdout()); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "delivered ones too")
	return cmd
}

func retryMessage(ctx context.Context, store *storage.Store, id string, all bool, w io.Writer) error {
	if _, err := store.Mail(ctx, id); err != nil {
		return err
	}
	deliveries, err := store.Deliveries(ctx, storage.DeliveryFilter{Message: id})
	if err != nil {
		return err
	}
	retried := false
	for _, d := range deliveries {
		if (d.State == storage.StateDelivered || d.State == storage.StateMissed || d.State == storage.StateFiltered) && !all || d.ReplayedBy != "" || d.NotAccepted() {
			continue
		}
		if err := retryDelivery(ctx, store, d.ID, w); err != nil {
			return err
		}
		retried = true
	}
	if !retried {
		_, err = fmt.Fprintf(w, "%s: nothing to retry\n", id)
	}
	return err
}
