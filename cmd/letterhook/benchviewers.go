package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// newViewersCommand is `letterhook bench viewers`.
func newViewersCommand() *cobra.Command {
	o := bench.Options{Load: bench.Load{Size: 10240}, Wait: time.Minute}
	var asJSON bool
	var rounds int
	cmd := &cobra.Command{
		Use:   "viewers",
		Short: "See what people who look at the dashboard cost the mail",
		Long: `Sends at a pace to servers of its own in temporary folders, in turns while nobody looks and while some people do: each has the
overview and the list of messages open, which fetch themselves anew every two seconds, and reads the stream of events.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("finding this program: %w", err)
			}
			if o.Rate <= 0 || o.Viewers <= 0 || rounds <= 0 {
				return &exitError{exitUsage, errors.New("--rate, --viewers and --rounds: are above 0")}
			}
			o.Program, o.Run = self, fmt.Sprintf("v%d", time.Now().Unix())
			report, err := bench.Rounds(cmd.Context(), o, rounds, func(r *bench.Report) {
				fmt.Fprintf(cmd.ErrOrStderr(), "viewers %-5t  end to end p50 %s p99 %s, %.2f CPU s per 1,000, lost %d\n",
					r.Viewers != nil, r.EndToEndP50, r.EndToEndP99, r.CPUPer1000.Seconds(), r.Lost)
			})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), report)
			}
			_, err = report.WriteTo(cmd.OutOrStdout())
			return err
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Viewers, "viewers", 3, "people who look on")
	f.IntVar(&rounds, "rounds", 7, "runs of each kind")
	f.IntVar(&o.Connections, "connections", 32, "sessions at the same time")
	f.Int64Var(&o.Messages, "messages", 20000, "messages of a run")
	f.Float64Var(&o.Rate, "rate", 1000, "messages a second")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}
