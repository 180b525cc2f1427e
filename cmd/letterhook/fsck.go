package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/storage"
)

func newFsckCommand() *cobra.Command {
	var at place
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Check that everything accepted is there and accounted for",
		Long: `Check that every message has, for each endpoint that it was routed to, a delivery or a result, and that the bytes of
every message and of every stored attachment exist and match their hash. A server may run meanwhile; nothing is changed.

A store that keeps its bytes in a bucket needs --config: with --data only the folder is looked at, and all that lies in
the bucket is called lost.

Exit code 0: no faults. 1: there are faults, or the check could not be made.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return at.use(cmd.Context(), cmd.ErrOrStderr(), func(store *storage.Store) error {
				faults := 0
				err := store.Check(cmd.Context(), func(f storage.Fault) {
					faults++
					if asJSON {
						_ = printJSON(cmd.OutOrStdout(), f) // a broken pipe shows in the exit code below
						return
					}
					fmt.Fprintln(cmd.OutOrStdout(), f)
				})
				if err != nil {
					return err
				}
				if faults > 0 {
					return &exitError{exitFailed, errors.New(plural(faults, "fault"))}
				}
				if !asJSON {
					fmt.Fprintln(cmd.OutOrStdout(), "no faults")
				}
				return nil
			})
		},
	}
	at.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per fault")
	return cmd
}
