package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/inbound/guard"
)

// leverOptions say which server's levers are pulled.
type leverOptions struct {
	at      place
	address string
	overTLS bool
	keep    bool
	json    bool
}

func newLeverCommand() *cobra.Command {
	var o leverOptions
	cmd := &cobra.Command{
		Use: "lever", Aliases: []string{"levers"},
		Short: "Pull the levers of a running server in an incident: drain, defer, block",
		Long: `Pull the levers of a running server, through its private HTTP listener. They work at once, and are forgotten at a
restart unless --keep is given. Who can reach that listener can do the same: keep it on loopback. With a context in use, and without
--address, it goes through the API of that server, to the node that answers.

The signal SIGUSR1 does what defer does, and SIGUSR2 what resume does.`,
		Example: "  letterhook lever block 192.0.2.0/24 --for 2h --reason flood\n  letterhook lever defer --keep\n  letterhook lever resume",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVar(&o.address, "address", "127.0.0.1:9025", "`address` of the server's private HTTP listener")
	f.BoolVar(&o.overTLS, "tls", false, "the listener speaks TLS (http.private.tls); its certificate is not verified")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.at.context, "context", "", "ask the server of this `context`")
	complete(cmd, "context", contextNames)
	cmd.MarkFlagsMutuallyExclusive("address", "context")
	on, off := true, false
	cmd.AddCommand(
		o.command("show", "Show what the levers stand at", nil),
		o.keeping(o.command("drain", "Take no connections; those that are open end after their transaction", &guard.Change{Drain: &on})),
		o.keeping(o.command("defer", "Answer every MAIL with 451, so that senders keep their mail and come again", &guard.Change{Defer: &on})),
		o.command("resume", "Lift drain and defer", &guard.Change{Drain: &off, Defer: &off}),
		o.blockCommand(), o.unblockCommand(),
	)
	return cmd
}

func (o *leverOptions) command(use, short string, change *guard.Change) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.pull(cmd, change) },
	}
}

func (o *leverOptions) keeping(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&o.keep, "keep", false, "over a restart too, until it is lifted")
	return cmd
}

func (o *leverOptions) blockCommand() *cobra.Command {
	var span time.Duration
	var reason string
	cmd := &cobra.Command{
		Use:   "block NETWORK|ADDRESS|DOMAIN",
		Short: "Keep out a network, or the mail of a sender: one address or all of a domain",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			block := parseBlock(args[0])
			block.Reason = reason
			if span < 0 {
				return &exitError{exitUsage, errors.New("--for cannot be negative")}
			}
			if span > 0 {
				block.Until = time.Now().Add(span).UTC().Truncate(time.Second)
			}
			return o.pull(cmd, &guard.Change{Block: &block})
		},
	}
	cmd.Flags().DurationVar(&span, "for", 0, "lift it after this `time`; 0: not by itself")
	cmd.Flags().StringVar(&reason, "reason", "", "a `note` for whoever finds the block")
	return o.keeping(cmd)
}

func (o *leverOptions) unblockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unblock NETWORK|ADDRESS|DOMAIN",
		Short: "Lift a block",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			block := parseBlock(args[0])
			return o.pull(cmd, &guard.Change{Unblock: &block})
		},
	}
}

// parseBlock takes what looks like an IP address or a network for one, and anything else for a sender.
func parseBlock(text string) guard.Block {
	if network, err := netip.ParsePrefix(text); err == nil {
		return guard.Block{Network: network}
	}
	if ip, err := netip.ParseAddr(text); err == nil {
		return guard.Block{Network: netip.PrefixFrom(ip.WithZone(""), ip.BitLen())}
	}
	return guard.Block{Sender: text}
}

// pull asks the server; a nil change changes nothing.
func (o *leverOptions) pull(cmd *cobra.Command, change *guard.Change) error {
	if !cmd.Flags().Changed("address") {
		switch c, err := o.at.server(); {
		case err != nil:
			return err
		case c != nil:
			return o.pullFar(cmd, c, change)
		}
	}
	method, body := http.MethodGet, []byte(nil)
	if change != nil {
		change.Keep = o.keep
		var err error
		if body, err = json.Marshal(change); err != nil {
			return fmt.Errorf("writing the change: %w", err)
		}
		method = http.MethodPost
	}
	state, err := askLevers(cmd.Context(), o, method, body)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(cmd.OutOrStdout(), state)
	}
	printLevers(cmd.OutOrStdout(), state)
	return nil
}

func askLevers(ctx context.Context, o *leverOptions, method string, body []byte) (state guard.State, err error) {
	response, err := askPrivate(ctx, method, o.address, "/levers", o.overTLS, bytes.NewReader(body))
	if err != nil {
		return state, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return state, fmt.Errorf("reading the answer: %w", err)
	}
	switch {
	case response.StatusCode == http.StatusNotFound:
		return state, errors.New("this listener has no levers: it is not the private one, or shares its address with the public one; use the signals")
	case response.StatusCode != http.StatusOK:
		var fault struct{ Error string }
		if json.Unmarshal(text, &fault) != nil || fault.Error == "" {
			fault.Error = response.Status
		}
		return state, errors.New(printable(fault.Error, false))
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return state, fmt.Errorf("reading the answer: %w", err)
	}
	return state, nil
}

func printLevers(out io.Writer, state guard.State) {
	word := func(l guard.Lever) string {
		switch {
		case l.Keep:
			return "on, over a restart too"
		case l.On:
			return "on"
		}
		return "off"
	}
	fmt.Fprintf(out, "drain   %s\ndefer   %s\nblocks  %d\n", word(state.Drain), word(state.Defer), len(state.Blocks))
	for _, b := range state.Blocks {
		var notes []string
		who := b.Sender
		if b.Network.IsValid() {
			who = b.Network.String()
		}
		if !b.Until.IsZero() {
			notes = append(notes, "until "+b.Until.Format(time.RFC3339))
		} else {
			notes = append(notes, "until lifted")
		}
		if b.Keep {
			notes = append(notes, "over a restart too")
		}
		if b.Reason != "" {
			notes = append(notes, printable(b.Reason, false))
		}
		fmt.Fprintf(out, "  %-40s %s\n", printable(who, false), strings.Join(notes, ", "))
	}
}
