package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/storage"
)

// place says whose data a command is about: that of a configuration, or that of dev.
type place struct {
	config string
	data   string
}

func (p *place) flags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVarP(&p.config, "config", "c", "", "configuration `file` of the server (default letterhook.yaml, where there is one)")
	cmd.PersistentFlags().StringVar(&p.data, "data", "", "data `folder` of letterhook dev (default where there is no letterhook.yaml: "+devData+")")
	cmd.MarkFlagsMutuallyExclusive("config", "data")
}

// load gives the configuration. Without a flag it is ./letterhook.yaml if that is there, else that of dev with its usual
// data folder.
func (p *place) load() (*config.Config, error) {
	path, data := p.config, p.data
	if path == "" && data == "" {
		_, err := os.Stat("letterhook.yaml")
		switch {
		case err == nil:
			path = "letterhook.yaml"
		case errors.Is(err, fs.ErrNotExist):
			data = devData
		default:
			return nil, fmt.Errorf("looking for the configuration: %w", err)
		}
	}
	if path != "" {
		return config.LoadStorage(path, os.Environ())
	}
	return devConfig(data), nil
}

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
	return errors.Join(f(opened.store), opened.store.Close())
}

// printing is a command that reads the store and prints what it finds, for people or as JSON.
func (p *place) printing(use, short, asJSON string, args cobra.PositionalArgs, show func(cmd *cobra.Command, store *storage.Store, args []string, asJSON bool) error) *cobra.Command {
	var wanted bool
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.use(cmd.Context(), cmd.ErrOrStderr(), func(store *storage.Store) error { return show(cmd, store, args, wanted) })
		},
	}
	cmd.Flags().BoolVar(&wanted, "json", false, asJSON)
	return cmd
}
