package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

func newAccountsCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "accounts",
		Short: "List, show, make, change and delete accounts",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	at.anywhere(cmd)
	remove := at.removing("accounts that were made by the API and have no domains or endpoints; their keys end", farAccount, (*apiclient.Client).DeleteAccount)
	remove.ValidArgsFunction = every(at.accountNames)
	cmd.AddCommand(newAccountsList(&at), newAccountsShow(&at), newAccountsCreate(&at), newAccountsChange(&at), remove)
	return cmd
}

func newAccountsList(at *place) *cobra.Command {
	var asJSON bool
	cmd := at.asking("list", "List accounts", cobra.NoArgs, func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
		list, err := farAccounts(cmd.Context(), c)
		if err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), list, asJSON, "ACCOUNT|ID|DECLARED IN", func(a *apiclient.Account) []any {
			source := "api"
			if a.ReadOnly {
				source = "the configuration file"
			}
			return []any{a.Name, a.ID, source}
		})
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per account")
	return cmd
}

func newAccountsShow(at *place) *cobra.Command {
	cmd := at.asking("show NAME", "Show an account with its limits and what it keeps, as JSON", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		id, err := farAccount(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		a, err := c.GetAccount(cmd.Context(), id)
		if err != nil {
			return err
		}
		return printJSON(cmd.OutOrStdout(), a)
	})
	cmd.ValidArgsFunction = first(at.accountNames)
	return cmd
}

func newAccountsChange(at *place) *cobra.Command {
	var s settings
	cmd := at.asking("set NAME", "Change the limits and the retention of an account that was made by the API", cobra.ExactArgs(1),
		func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			body, err := s.changes(cmd.InOrStdin())
			if err != nil {
				return err
			}
			id, err := farAccount(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			_, err = c.UpdateAccount(cmd.Context(), id, body)
			return err
		})
	cmd.Example = "  letterhook accounts set acme --set limits.messages_per_hour=1000 --set retention.messages=30d"
	cmd.ValidArgsFunction = first(at.accountNames)
	s.flags(cmd)
	return cmd
}

func newAccountsCreate(at *place) *cobra.Command {
	var asJSON bool
	cmd := at.asking("create NAME", "Make an account", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		made, err := c.CreateAccount(cmd.Context(), apiclient.CreateAccountRequest{Name: args[0]})
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), made)
		}
		fmt.Fprintln(cmd.OutOrStdout(), made.ID)
		return nil
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
