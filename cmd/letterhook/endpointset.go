package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/storage"
)

func newEndpointsCreate(at *place) *cobra.Command {
	var s settings
	var address, account string
	var asJSON bool
	cmd := at.asking("create NAME", "Make an endpoint and print its signing secret; it is shown this once", cobra.ExactArgs(1),
		func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			body, err := s.read(cmd.InOrStdin())
			if err != nil {
				return err
			}
			body["name"] = args[0]
			if address != "" {
				body["url"] = address
			}
			if err := putAccount(cmd, c, body, account); err != nil {
				return err
			}
			var made apiclient.CreatedEndpoint
			if err := c.Do(cmd.Context(), http.MethodPost, "/endpoints", nil, body, &made); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), made)
			}
			fmt.Fprintln(cmd.OutOrStdout(), made.Secret)
			return nil
		})
	cmd.Example = "  letterhook endpoints create app --url https://app.example.com/hooks/mail\n  letterhook endpoints create app --file endpoint.yaml --set rate=20/s --set basic_auth.username=mail"
	s.flags(cmd)
	cmd.Flags().StringVar(&address, "url", "", "`URL` to post events to")
	accountFlag(at, cmd, &account)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func accountFlag(at *place, cmd *cobra.Command, account *string) {
	cmd.Flags().StringVar(account, "account", "", "`account` that it belongs to, by name or id: for the operator, where there are several")
	complete(cmd, "account", at.accountNames)
}

// putAccount names the account in a request.
func putAccount(cmd *cobra.Command, c *apiclient.Client, body map[string]any, word string) error {
	id, err := farAccount(cmd.Context(), c, word)
	if id != "" {
		body["account_id"] = id
	}
	return err
}

func newEndpointsChange(at *place) *cobra.Command {
	var s settings
	cmd := at.asking("set NAME", "Change an endpoint that was made by the API", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		body, err := s.changes(cmd.InOrStdin())
		if err != nil {
			return err
		}
		id, err := farEndpoint(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		_, err = c.UpdateEndpoint(cmd.Context(), id, body)
		return err
	})
	cmd.Example = "  letterhook endpoints set app --set concurrency=8 --set gzip=true --set rate=null"
	cmd.ValidArgsFunction = first(at.endpointNames)
	s.flags(cmd)
	return cmd
}

func newEndpointsDisable(at *place) *cobra.Command {
	cmd := at.asking("disable NAME...", "Make no attempts at endpoints until they are enabled", cobra.MinimumNArgs(1),
		func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			return setFarEndpoints(cmd.Context(), cmd.OutOrStdout(), c, args, storage.EndpointDisabled)
		})
	cmd.ValidArgsFunction = every(at.endpointNames)
	return cmd
}

func newEndpointsDelete(at *place) *cobra.Command {
	cmd := at.removing("endpoints that were made by the API; what they are owed waits until there is one of the name again", farEndpoint, (*apiclient.Client).DeleteEndpoint)
	cmd.ValidArgsFunction = every(at.endpointNames)
	return cmd
}
