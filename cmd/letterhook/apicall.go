package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

func newAPICommand() *cobra.Command {
	var at place
	var s settings
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete}
	cmd := at.asking("api METHOD PATH", "Ask the API for anything and print what it answers", cobra.ExactArgs(2),
		func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			path, query, _ := strings.Cut(strings.TrimPrefix(args[1], apiclient.Prefix), "?")
			values, err := url.ParseQuery(query)
			if err != nil || !strings.HasPrefix(path, "/") {
				return &exitError{exitUsage, fmt.Errorf("%q is no path like /messages?limit=2", args[1])}
			}
			var body any
			read, err := s.read(cmd.InOrStdin())
			if err != nil {
				return err
			}
			if len(read) > 0 {
				body = read
			}
			var answer json.RawMessage
			if err := c.Do(cmd.Context(), strings.ToUpper(args[0]), path, values, body, &answer); err != nil || len(answer) == 0 {
				return err
			}
			return printJSON(cmd.OutOrStdout(), answer)
		})
	cmd.Long = `Ask the API for anything and print what it answers, as JSON. docs/api.md tells of the operations, and /api/v1/openapi.json of a server
lists them all.`
	cmd.Example = "  letterhook api get /self\n  letterhook api post /endpoints --set name=app --set url=https://app.example.com/hook"
	cmd.ValidArgsFunction = first(among(methods...))
	at.anywhere(cmd)
	s.flags(cmd)
	return cmd
}
