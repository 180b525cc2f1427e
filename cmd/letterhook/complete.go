package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/cmd/letterhook/contexts"
	"github.com/letterhook/letterhook/storage"
)

// completionPatience bounds how long a shell waits for names.
const completionPatience = 2 * time.Second

// names gives what a word may be; it says nothing where it cannot know.
type names func(*cobra.Command) []string

// complete has a shell offer names as the value of a flag.
func complete(cmd *cobra.Command, flag string, offer names) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return offer(cmd), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag is declared above
	}
}

// first has a shell offer names as the first argument.
func first(offer names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offer(cmd), cobra.ShellCompDirectiveNoFileComp
	}
}

// every has a shell offer names as any argument.
func every(offer names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return offer(cmd), cobra.ShellCompDirectiveNoFileComp
	}
}

// among offers words that are always the same.
func among(words ...string) names { return func(*cobra.Command) []string { return words } }

func contextNames(*cobra.Command) []string {
	f, err := contexts.Read(contexts.Path())
	if err != nil {
		return nil
	}
	return f.Names()
}

// endpointNames are those of the server or the store that the command is about.
func (p *place) endpointNames(cmd *cobra.Command) (list []string) {
	ctx, cancel := context.WithTimeout(completionContext(cmd), completionPatience)
	defer cancel()
	err := p.either(ctx, io.Discard, func(c *apiclient.Client) error {
		far, err := farEndpoints(ctx, c)
		for id := range far {
			list = append(list, far[id].Name)
		}
		return err
	}, func(store *storage.Store) error {
		known, err := readEndpoints(ctx, store)
		for id := range known {
			list = append(list, known.name(id))
		}
		return err
	})
	if err != nil {
		return nil
	}
	return list
}

func completionContext(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}
