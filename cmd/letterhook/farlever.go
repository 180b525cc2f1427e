package main

import (
	"context"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/cmd/letterhook/contexts"
	"github.com/letterhook/letterhook/inbound/guard"
)

// pullFar asks a server by its API; a nil change changes nothing.
func (o *leverOptions) pullFar(cmd *cobra.Command, server *contexts.Context, change *guard.Change) error {
	c, err := apiclient.New(server.URL, server.Key, nil)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	levers, err := o.askFar(cmd.Context(), c, change)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(cmd.OutOrStdout(), levers)
	}
	state := guard.State{Drain: guard.Lever{On: levers.Drain.On, Keep: levers.Drain.Keep}, Defer: guard.Lever{On: levers.Defer.On, Keep: levers.Defer.Keep}}
	for _, b := range levers.Blocks {
		block := guard.Block{Sender: b.Sender, Until: b.Until, Reason: b.Reason, Keep: b.Keep}
		if b.Network != "" {
			if block.Network, err = netip.ParsePrefix(b.Network); err != nil {
				block.Sender = b.Network // what it is called, at least
			}
		}
		state.Blocks = append(state.Blocks, block)
	}
	printLevers(cmd.OutOrStdout(), state)
	return nil
}

func (o *leverOptions) askFar(ctx context.Context, c *apiclient.Client, change *guard.Change) (*apiclient.Levers, error) {
	network := func(b *guard.Block) string {
		if b.Network.IsValid() {
			return b.Network.String()
		}
		return ""
	}
	switch {
	case change == nil:
		return c.GetLevers(ctx)
	case change.Block != nil:
		b := change.Block
		return c.CreateBlock(ctx, apiclient.Block{Network: network(b), Sender: b.Sender, Until: b.Until, Reason: b.Reason, Keep: o.keep})
	case change.Unblock != nil:
		return c.DeleteBlock(ctx, apiclient.DeleteBlockParams{Network: network(change.Unblock), Sender: change.Unblock.Sender})
	}
	body := map[string]any{"keep": o.keep}
	if change.Drain != nil {
		body["drain"] = *change.Drain
	}
	if change.Defer != nil {
		body["defer"] = *change.Defer
	}
	return c.PullLevers(ctx, body)
}
