package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

// whyRefusals is how many of the last refusals of an address are shown.
const whyRefusals = 5

func newWhyCommand() *cobra.Command {
	var at place
	var asJSON bool
	cmd := at.asking("why ADDRESS", "Tell where mail to an address goes and why, or why it is refused", cobra.ExactArgs(1),
		func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			return why(cmd.Context(), cmd.OutOrStdout(), c, strings.Trim(args[0], "<>"), asJSON)
		})
	cmd.Long = `Tell where mail to an address goes and why, or why it is refused: what every route of its domain makes of it, and what senders of mail to
it were last refused. It is a dry run: nothing is sent, and no application is asked.

Exit code 1: mail to it is refused.`
	cmd.Example = "  letterhook why support@in.example.com"
	at.anywhere(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// reasons are what is known of an address.
type reasons struct {
	*apiclient.Resolution

	Refusals []apiclient.Refusal `json:"refusals"` // the last ones, the newest first
}

func why(ctx context.Context, w io.Writer, c *apiclient.Client, address string, asJSON bool) error {
	r, err := c.ResolveAddress(ctx, apiclient.ResolveAddressParams{Address: address})
	if err != nil {
		return err
	}
	known := reasons{Resolution: r}
	if known.Refusals, err = farRefusals(ctx, c, apiclient.ListRefusalsParams{Recipient: r.Address}, whyRefusals); err != nil {
		return err
	}
	if asJSON {
		err = printJSON(w, known)
	} else {
		err = known.print(w)
	}
	if err == nil && !r.Accepted {
		return &exitError{code: exitFailed}
	}
	return err
}

func (r *reasons) print(w io.Writer) error {
	verdict := "is accepted"
	if !r.Accepted {
		verdict = "is refused"
	}
	text, said := strings.CutPrefix(r.Text, "It "+verdict) // the text may begin with the verdict, and goes on behind it
	if !said {
		text = ". " + text
	}
	fmt.Fprintf(w, "Mail to %s %s%s\n", printable(r.Address, false), verdict, printable(text, false))
	fields := []field{{"reply", r.Reply}, {"domain", r.Domain}, {"account", r.AccountID}, {"asked first", r.RecipientCheck}}
	for _, e := range r.Endpoints {
		fields = append(fields, field{"goes to", e.Name + " (" + e.ID + ")"})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Captures)) {
		fields = append(fields, field{"captured", name + " = " + r.Captures[name]})
	}
	printFieldsOf(w, fields...)
	if len(r.Routes) > 0 {
		fmt.Fprintln(w)
		err := printList(w, r.Routes, false, " |MATCH|KIND|WHY|DECLARED IN", func(t *apiclient.TriedRoute) []any {
			mark := " "
			if t.Chosen {
				mark = "*"
			}
			return []any{mark, t.Match, t.Kind, t.Why, t.Source}
		})
		if err != nil {
			return err
		}
	}
	if len(r.Refusals) == 0 {
		_, err := fmt.Fprintln(w, "\nNo mail to it was refused in the last week.")
		return err
	}
	fmt.Fprintln(w, "\nLast refused, the newest first:")
	return printRefusals(w, r.Refusals, false)
}
