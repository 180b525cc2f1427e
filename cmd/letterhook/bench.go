package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// newBenchCommand is `letterhook bench`: a server of its own under load, or one that runs already.
func newBenchCommand() *cobra.Command {
	var o bench.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Load a server and report rates, latencies, losses and duplicates",
		Long: `Sends messages over many connections and counts the webhooks that come back.

Without --smtp it starts a server of its own in a temporary folder, with the very engine of "dev", and measures that
server's CPU time and memory too. With --smtp it only sends to that address and reports what was accepted.

"dev" does not check who sent mail from this machine. --verdicts has the server of its own check every mail by SPF, DKIM, DMARC,
ARC and iprev, against a DNS server within this program. The mails are signed (before the load begins) and pass; one in ten has an
ARC chain too. The report says how many of the events had which result.`,
		Example: `  letterhook bench
  letterhook bench --rate 25 --messages 500 --connections 1
  letterhook bench --verdicts --unseen 0.2
  letterhook bench --database postgres://... --bucket http://KEY:SECRET@127.0.0.1:7070/mail
  letterhook bench --database postgres://... --bucket http://KEY:SECRET@127.0.0.1:7070/mail --nodes 3
  letterhook bench --smtp 127.0.0.1:2525`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Hanging > o.Endpoints {
				return &exitError{exitUsage, errors.New("--hanging is of --endpoints, and there are not so many")}
			}
			if err := checkVerdictFlags(cmd, &o); err != nil {
				return &exitError{exitUsage, err}
			}
			if o.Addr == "" {
				self, err := os.Executable()
				if err != nil {
					return fmt.Errorf("finding this program: %w", err)
				}
				o.Program = self
			}
			o.Run = fmt.Sprintf("r%d", time.Now().Unix())
			stopPacing := paceCollector() // load and receiver share the processors with the server, and are not what is measured
			defer stopPacing()
			report, err := bench.Run(cmd.Context(), o)
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
	cmd.AddCommand(newAttackCommand(), newViewersCommand())
	f := cmd.Flags()
	f.StringVar(&o.Addr, "smtp", "", "load the server at this `address` instead of starting one")
	f.StringVar(&o.To, "to", "load@bench.example", "forward-`path` of every message")
	f.IntVar(&o.Connections, "connections", 32, "sessions at the same time")
	f.Int64Var(&o.Messages, "messages", 20000, "messages to send")
	f.IntVar(&o.Size, "size", 10240, "octets of text and html in each message")
	f.IntVar(&o.Attachment, "attachment", 0, "octets of an attachment to each message")
	f.Float64Var(&o.Rate, "rate", 0, "messages a second; 0: as many as go through")
	f.IntVar(&o.Endpoints, "endpoints", 0, "spread the messages over so many endpoints; 0: one takes all")
	f.IntVar(&o.Hanging, "hanging", 0, "of these never answer")
	f.DurationVar(&o.Wait, "wait", time.Minute, "how long to wait for the last webhook")
	f.StringVar(&o.Place.Database, "database", "", "`URL` of an empty PostgreSQL database for the server of its own")
	f.StringVar(&o.Place.Bucket, "bucket", "", "`URL` of a bucket for it: http://KEY:SECRET@host:port/NAME")
	f.IntVar(&o.Nodes, "nodes", 1, "servers of its own, on one --database and --bucket")
	f.BoolVar(&o.Verdicts, "verdicts", false, "check who sent the mails: SPF, DKIM, DMARC, ARC and iprev")
	f.Float64Var(&o.Unseen, "unseen", 0.05, "with --verdicts, the share of mails from domains that were not seen before, 0 to 1")
	f.BoolVar(&o.Cold, "cold", false, "with --verdicts, DNS gives answers that may not be remembered")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

func checkVerdictFlags(cmd *cobra.Command, o *bench.Options) error {
	switch changed := cmd.Flags().Changed; {
	case !o.Verdicts && (changed("unseen") || changed("cold")):
		return errors.New("--unseen and --cold need --verdicts")
	case o.Verdicts && (o.Addr != "" || o.Endpoints > 0):
		return errors.New("--verdicts is for a server of its own with one endpoint: without --smtp and --endpoints")
	case o.Place != bench.Place{} && (o.Addr != "" || o.Verdicts):
		return errors.New("--database and --bucket are for a server of its own: without --smtp and --verdicts")
	case o.Nodes < 1:
		return errors.New("--nodes is 1 or more")
	case o.Nodes > 1 && (o.Place.Database == "" || o.Place.Bucket == ""):
		return errors.New("--nodes needs --database and --bucket: several servers have no folder in common")
	case o.Unseen < 0 || o.Unseen > 1:
		return errors.New("--unseen is a share, from 0 to 1")
	}
	return nil
}
