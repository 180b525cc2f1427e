package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

func newRefusalsCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "refusals",
		Short: "List and show what senders were refused, and why",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	at.anywhere(cmd)
	cmd.AddCommand(newRefusalsList(&at), newRefusalsShow(&at))
	return cmd
}

func newRefusalsList(at *place) *cobra.Command {
	var f apiclient.ListRefusalsParams
	var limit int
	var since string
	var asJSON bool
	cmd := at.asking("list", "List refusals, the newest first; of the last week, and a sample where many come", cobra.NoArgs,
		func(cmd *cobra.Command, c *apiclient.Client, _ []string) (err error) {
			if f.Since, err = readMoment(since, time.Now()); err != nil {
				return &exitError{exitUsage, fmt.Errorf("--since: %w", err)}
			}
			list, err := farRefusals(cmd.Context(), c, f, limit)
			if err != nil {
				return err
			}
			return printRefusals(cmd.OutOrStdout(), list, asJSON)
		})
	cmd.Flags().StringVar(&f.Recipient, "recipient", "", "those of this `address`")
	cmd.Flags().StringVar(&f.Sender, "sender", "", "those of this reverse-path `address`")
	cmd.Flags().StringVar(&f.RemoteIP, "ip", "", "those of the client with this `address`")
	cmd.Flags().StringVar(&f.Reason, "reason", "", "those with this `word` as reason")
	cmd.Flags().StringVar(&since, "since", "", "those since this `time`, or this long ago (2h, 3d)")
	cmd.Flags().IntVarP(&limit, "limit", "n", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per refusal")
	return cmd
}

func farRefusals(ctx context.Context, c *apiclient.Client, f apiclient.ListRefusalsParams, limit int) ([]apiclient.Refusal, error) {
	return pages(limit, func(cursor string, size int64) ([]apiclient.Refusal, string, error) {
		f.Cursor, f.Limit = cursor, size
		p, err := c.ListRefusals(ctx, f)
		if err != nil {
			return nil, "", err
		}
		return p.Items, p.NextCursor, nil
	})
}

func printRefusals(w io.Writer, list []apiclient.Refusal, asJSON bool) error {
	return printList(w, list, asJSON, "AT|FROM|TO|CLIENT|REASON|REPLY|ID", func(r *apiclient.Refusal) []any {
		return []any{moment(r.At), "<" + r.Sender + ">", r.Recipient, r.RemoteIP, r.Reason, replyText(r), r.ID}
	})
}

// replyText is what the sender heard.
func replyText(r *apiclient.Refusal) string { return fmt.Sprintf("%d %s", r.Code, r.Reply) }

func newRefusalsShow(at *place) *cobra.Command {
	var asJSON bool
	cmd := at.asking("show ID", "Show a refusal with what was said", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		r, err := c.GetRefusal(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), r)
		}
		fields := []field{
			{"refusal", r.ID}, {"at", moment(r.At)}, {"client", r.RemoteIP}, {"helo", r.Helo}, {"TLS", orWord(r.TLS, "none")}, {"listener", r.Listener},
			{"from", "<" + r.Sender + ">"}, {"to", r.Recipient}, {"reason", r.Reason}, {"reply", replyText(r)},
		}
		for _, name := range slices.Sorted(maps.Keys(r.Found)) {
			fields = append(fields, field{"found", name + ": " + r.Found[name]})
		}
		w := cmd.OutOrStdout()
		printFieldsOf(w, fields...)
		if r.Session != "" {
			fmt.Fprintf(w, "\n%s\n", printable(r.Session, true))
		}
		return nil
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newAuditCommand() *cobra.Command {
	var at place
	var object string
	var limit int
	var asJSON bool
	cmd := at.asking("audit", "List who changed what, the newest first", cobra.NoArgs, func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
		list, err := pages(limit, func(cursor string, size int64) ([]apiclient.AuditLine, string, error) {
			p, err := c.ListAudit(cmd.Context(), apiclient.ListAuditParams{Object: object, Cursor: cursor, Limit: size})
			if err != nil {
				return nil, "", err
			}
			return p.Items, p.NextCursor, nil
		})
		if err != nil {
			return err
		}
		name := accountNaming(cmd.Context(), c, asJSON)
		return printList(cmd.OutOrStdout(), list, asJSON, "AT|WHO|ADDRESS|ACTION|OBJECT|ACCOUNT", func(l *apiclient.AuditLine) []any {
			return []any{moment(l.At), l.ActorName, l.Address, l.Action, l.Object, name(l.AccountID)}
		})
	})
	at.anywhere(cmd)
	cmd.Flags().StringVar(&object, "object", "", "changes of what has this `id` alone")
	cmd.Flags().IntVarP(&limit, "limit", "n", 50, "at most so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line, with what was before and after")
	return cmd
}

func newUsageCommand() *cobra.Command {
	var at place
	var f apiclient.GetUsageParams
	var account string
	var now, asJSON bool
	cmd := at.asking("usage", "Show messages, octets and deliveries by account and day", cobra.NoArgs, func(cmd *cobra.Command, c *apiclient.Client, _ []string) (err error) {
		for _, day := range [][2]string{{"from", f.From}, {"until", f.Until}} {
			if _, err := time.Parse(time.DateOnly, day[1]); err != nil && day[1] != "" {
				return &exitError{exitUsage, fmt.Errorf("--%s: %q is not a day like 2026-11-25", day[0], day[1])}
			}
		}
		if f.AccountID, err = farAccount(cmd.Context(), c, account); err != nil {
			return err
		}
		if now {
			return printStocks(cmd, c, f.AccountID, asJSON)
		}
		list, err := c.GetUsage(cmd.Context(), f)
		if err != nil {
			return err
		}
		name := accountNaming(cmd.Context(), c, asJSON)
		return printList(cmd.OutOrStdout(), list.Items, asJSON, "DAY|ACCOUNT|MESSAGES|OCTETS|DELIVERED|DEAD|FILTERED", func(u *apiclient.Usage) []any {
			return []any{u.Day, name(u.AccountID), u.Messages, u.Octets, u.Delivered, u.Dead, u.Filtered}
		})
	})
	at.anywhere(cmd)
	cmd.Flags().StringVar(&account, "account", "", "of this `account` alone, by name or id")
	cmd.Flags().BoolVar(&now, "now", false, "what is stored and waits now, and the limits, in the place of days")
	cmd.Flags().StringVar(&f.From, "from", "", "first `day`, like 2026-11-25; default: 30 days ago")
	cmd.Flags().StringVar(&f.Until, "until", "", "`day` behind the last one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per account and day")
	complete(cmd, "account", at.accountNames)
	return cmd
}

func printStocks(cmd *cobra.Command, c *apiclient.Client, account string, asJSON bool) error {
	list, err := c.GetUsageNow(cmd.Context(), apiclient.GetUsageNowParams{AccountID: account})
	if err != nil {
		return err
	}
	name := accountNaming(cmd.Context(), c, asJSON)
	return printList(cmd.OutOrStdout(), list.Items, asJSON, "ACCOUNT|MESSAGES|OCTETS|WAITING|LIMIT REACHED", func(s *apiclient.Stock) []any {
		return []any{name(s.AccountID), s.Messages, s.Octets, s.Backlog, orWord(string(s.Reached), "-")}
	})
}
