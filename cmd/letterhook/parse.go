package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/parser"
)

func newParseCommand() *cobra.Command {
	var compact bool
	cmd := &cobra.Command{
		Use:   "parse FILE|-",
		Short: "Print the data object that a stored mail would become",
		Long: `Print the data object of the event that a stored mail would become. There was no session, so envelope is null; nothing
is stored, so there are no links.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			message, err := readInput(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			return printData(cmd.OutOrStdout(), message, compact)
		},
	}
	cmd.Flags().BoolVar(&compact, "compact", false, "one line, without indentation")
	return cmd
}

func printData(w io.Writer, message []byte, compact bool) error {
	parsed, err := parser.Parse(bytes.NewReader(message), int64(len(message)), parser.Limits{})
	if err != nil {
		return fmt.Errorf("parsing: %w", err)
	}
	data, err := dispatch.DataOf(parsed, int64(len(message)), sha256.Sum256(message), version())
	if err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if !compact {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(data); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}
