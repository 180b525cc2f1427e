package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/docs/schema"
)

func newSchemaCommand() *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:   "schema [NAME]",
		Short: "Print the JSON Schema of an event",
		Long: `Print the JSON Schema (draft 2020-12) of an event: email.received.v1, or the one that is named. The server has them at
/v1/schema of its public listener too.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(schema.Names(), "\n"))
				return err
			}
			name := "email.received.v1"
			if len(args) == 1 {
				name = strings.TrimSuffix(args[0], ".json")
			}
			text, err := schema.Read(name)
			if err != nil {
				return &exitError{exitUsage, fmt.Errorf("there is no schema %q, only %s", name, strings.Join(schema.Names(), ", "))}
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "print the names instead")
	return cmd
}
