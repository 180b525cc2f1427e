package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/storage"
)

func newSuppressionsCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "suppressions",
		Short: "List, add and remove what mail an account does not want",
		Long: `List, add and remove what mail an account does not want: that of a sender, or that for a recipient of its own. It is refused at RCPT,
or taken, and no endpoint gets it. postmaster and abuse get all mail.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	at.anywhere(cmd)
	cmd.AddCommand(newSuppressionsList(&at), newSuppressionsAdd(&at), newSuppressionsRemove(&at))
	return cmd
}

func farSuppressions(ctx context.Context, c *apiclient.Client, account, text string) ([]apiclient.Suppression, error) {
	return pages(0, func(cursor string, size int64) ([]apiclient.Suppression, string, error) {
		p, err := c.ListSuppressions(ctx, apiclient.ListSuppressionsParams{AccountID: account, Q: text, Cursor: cursor, Limit: size})
		if err != nil {
			return nil, "", err
		}
		return p.Items, p.NextCursor, nil
	})
}

func newSuppressionsList(at *place) *cobra.Command {
	var account string
	var asJSON bool
	cmd := at.asking("list [TEXT]", "List what mail is not wanted, the newest first; with a text in the address or the note", cobra.MaximumNArgs(1),
		func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			id, err := farAccount(cmd.Context(), c, account)
			if err != nil {
				return err
			}
			list, err := farSuppressions(cmd.Context(), c, id, strings.Join(args, ""))
			if err != nil {
				return err
			}
			return printSuppressions(cmd.OutOrStdout(), list, asJSON, accountNaming(cmd.Context(), c, asJSON))
		})
	cmd.Flags().StringVar(&account, "account", "", "of this `account` alone, by name or id")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per suppression")
	complete(cmd, "account", at.accountNames)
	return cmd
}

func printSuppressions(w io.Writer, list []apiclient.Suppression, asJSON bool, name func(string) string) error {
	now := time.Now()
	return printList(w, list, asJSON, "MAIL|ADDRESS|IS|UNTIL|SINCE|BY|ACCOUNT|ID|NOTE", func(s *apiclient.Suppression) []any {
		direction, address := suppressedSide(s)
		until := "for good"
		switch {
		case s.Until.IsZero():
		case now.Before(s.Until):
			until = moment(s.Until)
		default:
			until = "over since " + moment(s.Until)
		}
		is := "refused"
		if s.Action == "discard" {
			is = "thrown away"
		}
		return []any{direction, address, is, until, moment(s.CreatedAt), orWord(s.CreatedBy, "-"), name(s.AccountID), s.ID, s.Note}
	})
}

// suppressedSide says whether a suppression is of a sender or a recipient, and of whom.
func suppressedSide(s *apiclient.Suppression) (direction, address string) {
	if s.Recipient != "" {
		return storage.SuppressTo, s.Recipient
	}
	return storage.SuppressFrom, s.Sender
}

// suppressOptions are the flags of suppressions add.
type suppressOptions struct {
	recipient, discard, json bool
	until, note, account     string
}

func newSuppressionsAdd(at *place) *cobra.Command {
	var o suppressOptions
	cmd := at.asking("add ADDRESS", "Want mail of a sender, or for a recipient, no more", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		body, err := o.body(args[0])
		if err != nil {
			return err
		}
		if body.AccountID, err = farAccount(cmd.Context(), c, o.account); err != nil {
			return err
		}
		made, err := c.CreateSuppression(cmd.Context(), body)
		if err != nil {
			return err
		}
		if o.json {
			return printJSON(cmd.OutOrStdout(), made)
		}
		fmt.Fprintln(cmd.OutOrStdout(), made.ID)
		return nil
	})
	cmd.Long = `Want mail of a sender, or with --recipient for a recipient of the account, no more, and print the id. @ and a domain is all of the domain.

A sender is the reverse-path of the mail, which is what the peer says it is: this keeps off unwanted mail and proves nothing.`
	cmd.Example = "  letterhook suppressions add @spam.example --note 'ticket 42'\n  letterhook suppressions add old-list@in.example.com --recipient --discard --until 90d"
	cmd.Flags().BoolVar(&o.recipient, "recipient", false, "the address is a recipient")
	cmd.Flags().BoolVar(&o.discard, "discard", false, "accept such mail instead of refusing it; it is kept like any other, and no endpoint gets it")
	cmd.Flags().StringVar(&o.until, "until", "", "when it ends: 30d or 2027-01-31T12:00:00Z; default: never")
	cmd.Flags().StringVar(&o.note, "note", "", "`text` for people: why")
	accountFlag(at, cmd, &o.account)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (o *suppressOptions) body(address string) (body apiclient.NewSuppression, err error) {
	until, err := parseExpiry(o.until, time.Now())
	if err != nil {
		return body, &exitError{exitUsage, fmt.Errorf("--until: %w", err)}
	}
	body.Note, body.Until = o.note, until.UTC().Truncate(time.Second)
	if o.discard {
		body.Action = "discard"
	}
	if o.recipient {
		body.Recipient = address
	} else {
		body.Sender = address
	}
	return body, nil
}

func newSuppressionsRemove(at *place) *cobra.Command {
	var account string
	cmd := at.removing("suppressions by their addresses or ids: the mail is wanted again", func(ctx context.Context, c *apiclient.Client, word string) (string, error) {
		return findSuppression(ctx, c, account, word)
	}, (*apiclient.Client).DeleteSuppression)
	cmd.Use, cmd.Short = "remove ADDRESS...", "Remove suppressions by their addresses or ids: the mail is wanted again"
	cmd.Flags().StringVar(&account, "account", "", "`account` whose they are, by name or id: for the operator, where several have the same")
	complete(cmd, "account", at.accountNames)
	cmd.ValidArgsFunction = every(at.suppressedAddresses)
	return cmd
}

// findSuppression gives the id of a suppression by its address or its id.
func findSuppression(ctx context.Context, c *apiclient.Client, account, word string) (string, error) {
	if !strings.Contains(word, "@") {
		return word, nil
	}
	name, ok := storage.SuppressionName(storage.SuppressFrom, word)
	if !ok {
		return "", &exitError{exitUsage, fmt.Errorf("%q is neither a mail address nor @ and a domain", word)}
	}
	if account != "" {
		id, err := farAccount(ctx, c, account)
		if err != nil {
			return "", err
		}
		account = id
	}
	list, err := farSuppressions(ctx, c, account, strings.TrimPrefix(name, storage.SuppressFrom+" "))
	if err != nil {
		return "", err
	}
	var ids []string
	for i := range list {
		_, address := suppressedSide(&list[i])
		if same, ok := storage.SuppressionName(storage.SuppressFrom, address); ok && same == name {
			ids = append(ids, list[i].ID)
		}
	}
	switch len(ids) {
	case 0:
		return "", &exitError{exitUsage, fmt.Errorf("nothing is suppressed under %q", word)}
	case 1:
		return ids[0], nil
	default:
		return "", &exitError{exitUsage, fmt.Errorf("%q is suppressed more than once, as sender and recipient or for several accounts; name one of the ids %s", word, strings.Join(ids, ", "))}
	}
}

// suppressedAddresses are the newest of the server or the store that the command is about.
func (p *place) suppressedAddresses(cmd *cobra.Command) (list []string) {
	ctx, cancel := context.WithTimeout(completionContext(cmd), completionPatience)
	defer cancel()
	err := p.client(ctx, io.Discard, func(c *apiclient.Client) error {
		some, err := c.ListSuppressions(ctx, apiclient.ListSuppressionsParams{Limit: pageSize})
		if err != nil {
			return err
		}
		for i := range some.Items {
			_, address := suppressedSide(&some.Items[i])
			list = append(list, address)
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return list
}
