package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

// settings are the keys of something that is made or changed by the API: those of a file, then those of flags.
type settings struct {
	file string
	set  []string
}

func (s *settings) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.file, "file", "f", "", "YAML or JSON `file` with the keys, as in the configuration; -: standard input")
	cmd.Flags().StringArrayVar(&s.set, "set", nil, "one `key=value`: a key inside another one has a dot in front, a value is JSON or a word; null: the default")
}

// maxSettings bounds a file, as the API bounds a request.
const maxSettings = 256 << 10

// read gives the body of the request.
func (s *settings) read(stdin io.Reader) (map[string]any, error) {
	body := map[string]any{}
	if s.file != "" {
		in := stdin
		if s.file != "-" {
			f, err := os.Open(s.file)
			if err != nil {
				return nil, fmt.Errorf("reading the settings: %w", err)
			}
			defer f.Close()
			in = f
		}
		text, err := io.ReadAll(io.LimitReader(in, maxSettings))
		if err != nil {
			return nil, fmt.Errorf("reading the settings: %w", err)
		}
		if err := yaml.Unmarshal(text, &body); err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("reading the settings: %w", err)}
		}
	}
	for _, word := range s.set {
		key, value, ok := strings.Cut(word, "=")
		if !ok || key == "" {
			return nil, &exitError{exitUsage, fmt.Errorf("--set is key=value, not %q", word)}
		}
		if err := put(body, strings.Split(key, "."), valueOf(value)); err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("--set %s: %w", key, err)}
		}
	}
	return body, nil
}

// valueOf is what a value of a flag means.
func valueOf(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return v
}

func put(into map[string]any, path []string, value any) error {
	if len(path) == 1 {
		into[path[0]] = value
		return nil
	}
	inner, ok := into[path[0]].(map[string]any)
	if !ok {
		if into[path[0]] != nil {
			return errors.New("it is no section")
		}
		inner = map[string]any{}
		into[path[0]] = inner
	}
	return put(inner, path[1:], value)
}

// changes gives the body of a request that changes something.
func (s *settings) changes(stdin io.Reader) (map[string]any, error) {
	body, err := s.read(stdin)
	if err == nil && len(body) == 0 {
		err = errNothingSet()
	}
	return body, err
}

// errNothingSet answers a change that changes nothing.
func errNothingSet() error {
	return &exitError{exitUsage, errors.New("nothing to change: say --set key=value or --file")}
}

// asking is a command that asks the API of a server, or that of the data on this machine, for something.
func (p *place) asking(use, short string, args cobra.PositionalArgs, ask func(cmd *cobra.Command, c *apiclient.Client, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.client(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error { return ask(cmd, c, args) })
		},
	}
}

// removing is a command that deletes things by their names.
func (p *place) removing(what string, find func(context.Context, *apiclient.Client, string) (string, error), remove func(*apiclient.Client, context.Context, string) error) *cobra.Command {
	return p.asking("delete NAME...", "Delete "+what, cobra.MinimumNArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		for _, word := range args {
			id, err := find(cmd.Context(), c, word)
			if err != nil {
				return err
			}
			if err := remove(c, cmd.Context(), id); err != nil {
				return fmt.Errorf("%s: %w", word, err)
			}
		}
		return nil
	})
}

// asIs is for what paths name as people do.
func asIs(_ context.Context, _ *apiclient.Client, word string) (string, error) { return word, nil }
