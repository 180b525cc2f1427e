package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/cmd/letterhook/contexts"
	"github.com/letterhook/letterhook/storage"
)

// place says whose data a command is about: that of a configuration, that of dev, or that of a server elsewhere.
type place struct {
	config  string
	data    string
	context string
}

func (p *place) flags(cmd *cobra.Command) {
	p.configFlag(cmd)
	cmd.PersistentFlags().StringVar(&p.data, "data", "", "data `folder` of letterhook dev (default where there is no letterhook.yaml: "+devData+")")
	cmd.MarkFlagsMutuallyExclusive("config", "data")
}

func (p *place) configFlag(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVarP(&p.config, "config", "c", "", "configuration `file` of the server (default letterhook.yaml, where there is one)")
}

// anywhere adds to flags the one of commands that work against a server as well.
func (p *place) anywhere(cmd *cobra.Command) {
	p.flags(cmd)
	p.contextFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("data", "context")
}

func (p *place) contextFlag(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&p.context, "context", "", "ask the server of this `context`; "+contexts.Local+": look at the data on this machine")
	cmd.MarkFlagsMutuallyExclusive("config", "context")
	complete(cmd, "context", contextNames)
}

// server is the one that the command is about; nil: it is about the data on this machine.
func (p *place) server() (*contexts.Context, error) {
	if p.config != "" || p.data != "" {
		return nil, nil
	}
	f, err := contexts.Read(contexts.Path())
	if err != nil {
		return nil, err
	}
	c, err := f.Select(p.context, os.Getenv)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return c, nil
}

// either has far done by the server that the command is about, or near on the data of this machine.
func (p *place) either(ctx context.Context, messages io.Writer, far func(*apiclient.Client) error, near func(*storage.Store) error) error {
	c, err := p.server()
	if err != nil {
		return err
	}
	if c == nil {
		return p.use(ctx, messages, near)
	}
	client, err := apiclient.New(c.URL, c.Key, nil)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	return far(client)
}

// load gives the configuration. Without a flag it is ./letterhook.yaml if that is there, else that of dev with its usual
// data folder. Whoever has a server in use says that this machine is meant: nothing is done to the wrong one.
func (p *place) load() (*config.Config, error) {
	switch c, err := p.server(); {
	case err != nil:
		return nil, err
	case c != nil:
		return nil, &exitError{exitUsage, fmt.Errorf("this is done beside the server alone, and %s is in use: give --config or --data, or say letterhook context use %s", cmp.Or(c.Name, c.URL), contexts.Local)}
	}
	if path := p.path(); path != "" {
		return config.LoadStorage(path, os.Environ())
	}
	return devConfig(cmp.Or(p.data, devData)), nil
}

// path is the configuration file that a command is about; empty: there is none, it is about the data of dev.
func (p *place) path() string {
	if p.config != "" || p.data != "" {
		return p.config
	}
	if _, err := os.Stat(configName); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return configName
}

const configName = "letterhook.yaml" // where none is named

// use opens the store beside a server that may run on it, hands it to f and closes it.
func (p *place) use(ctx context.Context, messages io.Writer, f func(*storage.Store) error) error {
	c, err := p.load()
	if err != nil {
		return err
	}
	opened, err := openFolder(ctx, c, folderOptions{beside: true, log: slog.New(slog.NewTextHandler(messages, nil))})
	if err != nil {
		return err
	}
	warnOfStanding(ctx, opened.store, messages)
	return errors.Join(f(opened.store), opened.store.Close())
}

// warnOfStanding tells whoever looks at data that no server opens, or changes them, that they are those of another place, or will be.
func warnOfStanding(ctx context.Context, store *storage.Store, messages io.Writer) {
	if err := store.Standing(ctx); err != nil {
		fmt.Fprintf(messages, "warning: no server works with these data: %v\n", err)
	}
}

// printing is a command that reads the store, or asks a server, and prints what it finds, for people or as JSON.
func (p *place) printing(use, short, asJSON string, args cobra.PositionalArgs,
	ask func(cmd *cobra.Command, c *apiclient.Client, args []string, asJSON bool) error,
	show func(cmd *cobra.Command, store *storage.Store, args []string, asJSON bool) error,
) *cobra.Command {
	var wanted bool
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error { return ask(cmd, c, args, wanted) },
				func(store *storage.Store) error { return show(cmd, store, args, wanted) })
		},
	}
	cmd.Flags().BoolVar(&wanted, "json", false, asJSON)
	return cmd
}
