package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// newAttackCommand is `letterhook bench attack`.
func newAttackCommand() *cobra.Command {
	o := bench.AttackOptions{Normal: bench.Load{Size: 10240}}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "attack",
		Short: "See what a normal sender feels while a server of its own is attacked from loopback",
		Long: `Starts a server in a temporary folder, has a normal sender send to it, once in quiet and once while it is attacked from many
addresses of 127.0.0.0/8: idle connections, messages that trickle, and a flood of unknown recipients. Nothing leaves this machine.
It needs about two open files for each connection of the attack (ulimit -n).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("finding this program: %w", err)
			}
			if o.Normal.Rate <= 0 {
				return &exitError{exitUsage, errors.New("--rate: the normal sender needs a pace, for waits to be compared")}
			}
			o.Program, o.Normal.Run = self, fmt.Sprintf("a%d", time.Now().Unix())
			report, err := bench.Attack(cmd.Context(), o)
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
	f.IntVar(&o.Idle, "idle", 5000, "idle connections")
	f.IntVar(&o.Slow, "slow", 1000, "connections that trickle a message")
	f.IntVar(&o.Flood, "flood", 200, "connections that ask for unknown recipients")
	f.IntVar(&o.Normal.Connections, "connections", 32, "sessions of the normal sender, enough for a stall to be felt by all that it catches")
	f.Int64Var(&o.Normal.Messages, "messages", 3000, "messages of the normal sender, each time")
	f.Float64Var(&o.Normal.Rate, "rate", 100, "messages of the normal sender a second")
	f.DurationVar(&o.Settle, "settle", 5*time.Second, "how long the attack goes on before the normal sender begins")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}
