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
		Short: "List, make and delete accounts",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	at.anywhere(cmd)
	remove := at.removing("accounts that were made by the API and have no domains or endpoints; their keys end", farAccount, (*apiclient.Client).DeleteAccount)
	remove.ValidArgsFunction = every(at.accountNames)
	cmd.AddCommand(newAccountsList(&at), newAccountsCreate(&at), remove)
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
