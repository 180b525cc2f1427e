package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
)

func newCheckCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and report every fault with its line",
		Long: `Check the configuration as serve would read it, environment included, and report every fault with its line.

Exit code 0: no faults; warnings may have been printed. 1: there are faults, or the file cannot be read.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return check(path, asJSON, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "letterhook.yaml", "configuration `file`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// checkResult is what check prints with --json.
type checkResult struct {
	OK       bool           `json:"ok"`
	Faults   []config.Fault `json:"faults"`
	Warnings []string       `json:"warnings"`
}

func check(path string, asJSON bool, out io.Writer) error {
	c, err := config.Load(path, os.Environ())
	var faults config.Faults
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	result := checkResult{OK: err == nil, Faults: []config.Fault{}, Warnings: []string{}}
	result.Faults = append(result.Faults, faults...)
	if c != nil {
		result.Warnings = append(result.Warnings, c.Warnings...)
	}
	if asJSON {
		if err := printJSON(out, result); err != nil {
			return err
		}
	} else {
		result.print(out, path)
	}
	if !result.OK {
		return &exitError{code: exitFailed}
	}
	return nil
}

func (r *checkResult) print(out io.Writer, path string) {
	for _, fault := range r.Faults {
		fmt.Fprintln(out, fault)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(out, "warning: %s\n", warning)
	}
	if r.OK {
		fmt.Fprintf(out, "%s is valid\n", path)
	} else {
		fmt.Fprintf(out, "%d faults\n", len(r.Faults))
	}
}
