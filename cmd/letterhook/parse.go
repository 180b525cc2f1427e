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
	var compact, structure, explain, reply bool
	cmd := &cobra.Command{
		Use:   "parse FILE|-",
		Short: "Print the data object that a stored mail would become",
		Long: `Print the data object of the event that a stored mail would become. There was no session, so envelope and
received_at are null, which they never are in an event, and of a null reverse-path only a Return-Path field can tell; nothing is
stored, so there are no links. What is printed fits $defs/EventData of the schema that "letterhook schema email.received.v1" prints.
A file whose lines end in LF alone has the defect bare-lf: over SMTP they would end in CR LF.

What was read wrongly can be looked into with --structure, --explain and --reply, which print for people and not for programs.
The first holds nothing that the mail says: it can be put into a bug report.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			message, err := readInput(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			parsed, err := parser.Parse(bytes.NewReader(message), int64(len(message)), parser.Limits{})
			if err != nil {
				return fmt.Errorf("parsing: %w", err)
			}
			switch out := cmd.OutOrStdout(); {
			case structure:
				return printStructure(out, parsed, false)
			case explain:
				return printExplanation(out, parsed)
			case reply:
				return printReply(out, parsed)
			default:
				return printData(out, parsed, message, compact)
			}
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&compact, "compact", false, "one line, without indentation")
	flags.BoolVar(&structure, "structure", false, "the tree of parts instead")
	flags.BoolVar(&explain, "explain", false, "why each part became what it is, charsets, kind and defects instead")
	flags.BoolVar(&reply, "reply", false, "the text instead, with what each line was taken for")
	cmd.MarkFlagsMutuallyExclusive("compact", "structure", "explain", "reply")
	return cmd
}

func printData(w io.Writer, parsed *parser.Message, message []byte, compact bool) error {
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
