package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

func newDomainsCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "domains",
		Short: "List, show, make, change and delete domains, and see what their DNS lacks",
		Long: `List, show, make, change and delete domains. Those of the configuration file are shown beside those of the API and changed there alone.
An account proves that a domain is its own by a TXT record, which create prints; verify looks for it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	at.anywhere(cmd)
	cmd.AddCommand(newDomainsList(&at), newDomainsShow(&at), newDomainsCreate(&at), newDomainsChange(&at), newDomainsVerify(&at), newDomainsDNS(&at),
		withNames(at.removing("domains that were made by the API and have no routes", asIs, (*apiclient.Client).DeleteDomain), &at))
	return cmd
}

func withNames(cmd *cobra.Command, at *place) *cobra.Command {
	cmd.ValidArgsFunction = every(at.domainNames)
	return cmd
}

func farDomains(ctx context.Context, c *apiclient.Client) ([]apiclient.Domain, error) {
	return pages(0, func(cursor string, size int64) ([]apiclient.Domain, string, error) {
		p, err := c.ListDomains(ctx, apiclient.ListDomainsParams{Cursor: cursor, Limit: size})
		if err != nil {
			return nil, "", err
		}
		return p.Items, p.NextCursor, nil
	})
}

func newDomainsList(at *place) *cobra.Command {
	var asJSON bool
	cmd := at.asking("list", "List domains", cobra.NoArgs, func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
		list, err := farDomains(cmd.Context(), c)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), list, asJSON, "DOMAIN|ACCOUNT|DECLARED IN|STATE", func(d *apiclient.Domain) []any {
			return []any{d.Name, d.AccountID, d.Source, domainState(d)}
		})
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per domain")
	return cmd
}

func domainState(d *apiclient.Domain) string {
	switch {
	case len(d.Faults) > 0:
		return "does not hold: " + d.Faults[0].Message
	case d.Ownership.State == "pending":
		return "not proved: no mail is taken"
	}
	return "takes mail"
}

func newDomainsShow(at *place) *cobra.Command {
	var asJSON bool
	cmd := at.asking("show NAME", "Show a domain", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		d, err := c.GetDomain(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return printDomain(cmd.OutOrStdout(), d, asJSON)
	})
	cmd.ValidArgsFunction = first(at.domainNames)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printDomain(w io.Writer, d *apiclient.Domain, asJSON bool) error {
	if asJSON {
		return printJSON(w, d)
	}
	fields := []field{{"domain", d.Name}, {"id", d.ID}, {"account", d.AccountID}, {"declared in", d.Source}, {"state", domainState(d)}}
	if d.Ownership.State == "pending" {
		fields = append(fields, field{"publish", fmt.Sprintf("%s TXT %q", d.Ownership.Record.Name, d.Ownership.Record.Value)})
	}
	printFieldsOf(w, append(fields, faultFields(d.Faults)...)...)
	return nil
}

func newDomainsCreate(at *place) *cobra.Command {
	var s settings
	var account string
	var asJSON bool
	cmd := at.asking("create NAME", "Take mail for a domain", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		body, err := s.read(cmd.InOrStdin())
		if err != nil {
			return err
		}
		body["name"] = args[0]
		if err := putAccount(cmd, c, body, account); err != nil {
			return err
		}
		var made apiclient.Domain
		if err := c.Do(cmd.Context(), http.MethodPost, "/domains", nil, body, &made); err != nil {
			return err
		}
		return printDomain(cmd.OutOrStdout(), &made, asJSON)
	})
	s.flags(cmd)
	accountFlag(at, cmd, &account)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newDomainsChange(at *place) *cobra.Command {
	var s settings
	cmd := at.asking("set NAME", "Change a domain that was made by the API", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		body, err := s.changes(cmd.InOrStdin())
		if err != nil {
			return err
		}
		_, err = c.UpdateDomain(cmd.Context(), args[0], body)
		return err
	})
	cmd.Example = "  letterhook domains set in.example.com --set dmarc=reject --set greylist=true"
	cmd.ValidArgsFunction = first(at.domainNames)
	s.flags(cmd)
	return cmd
}

func newDomainsVerify(at *place) *cobra.Command {
	cmd := at.asking("verify NAME", "Look in DNS for the proof that a domain is the account's", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		d, err := c.VerifyDomain(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return printDomain(cmd.OutOrStdout(), d, false)
	})
	cmd.ValidArgsFunction = first(at.domainNames)
	return cmd
}

func newDomainsDNS(at *place) *cobra.Command {
	var asJSON bool
	cmd := at.asking("dns NAME", "Hold DNS against what a domain needs; exit code 1: something is missing or wrong", cobra.ExactArgs(1),
		func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			report, err := c.CheckDomainDNS(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return printDNS(cmd.OutOrStdout(), report, asJSON)
		})
	cmd.ValidArgsFunction = first(at.domainNames)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printDNS(w io.Writer, report *apiclient.DNSReport, asJSON bool) error {
	lacking := false
	for _, section := range report.Sections {
		if !asJSON {
			fmt.Fprintln(w, printable(section.Name, false))
		}
		for _, f := range section.Findings {
			lacking = lacking || f.State == "missing" || f.State == "wrong"
			if asJSON {
				continue
			}
			fmt.Fprintf(w, "  %-8s %-12s %s\n", f.State, printable(f.What, false), printable(f.Text, false))
			for _, record := range f.Publish {
				fmt.Fprintf(w, "  %-8s %-12s %s\n", "", "publish", printable(record, false))
			}
		}
	}
	if asJSON {
		if err := printJSON(w, report); err != nil {
			return err
		}
	}
	if lacking {
		return &exitError{code: exitFailed}
	}
	return nil
}

// domainNames are those of the server or the store that the command is about.
func (p *place) domainNames(cmd *cobra.Command) (list []string) {
	ctx, cancel := context.WithTimeout(completionContext(cmd), completionPatience)
	defer cancel()
	err := p.client(ctx, io.Discard, func(c *apiclient.Client) error {
		all, err := farDomains(ctx, c)
		for i := range all {
			list = append(list, strings.TrimSpace(all[i].Name))
		}
		return err
	})
	if err != nil {
		return nil
	}
	return list
}
