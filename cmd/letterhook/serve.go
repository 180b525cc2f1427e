package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
)

func newServeCommand() *cobra.Command {
	var path, roles string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server.

SIGTERM stops taking mail, lets what runs finish within its deadlines and ends; a second one ends at once. SIGHUP reads
the configuration again: it is checked whole before any of it is applied, and what only a restart can change is logged.
SIGUSR1 defers all mail, SIGUSR2 takes it again; see letterhook lever.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), path, roles, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "letterhook.yaml", "configuration `file`")
	cmd.Flags().StringVar(&roles, "roles", "", "what this node does, of smtp,dispatch,admin, in the place of the file's `roles`")
	return cmd
}

func serve(ctx context.Context, path, roles string, logTo io.Writer) error {
	// Taken over before anything else, for a hang-up without a handler would end the process.
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	defer signal.Stop(hangUp)
	levers := make(chan os.Signal, 1)
	signal.Notify(levers, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(levers)

	c, err := config.Load(path, os.Environ())
	if err != nil {
		return err
	}
	if roles != "" {
		if c.Roles, err = config.ParseRoles(roles); err != nil {
			return &exitError{exitUsage, fmt.Errorf("--roles: %w", err)}
		}
		if err := c.Divided(); err != nil {
			return &exitError{exitUsage, fmt.Errorf("--roles: %w", err)}
		}
	}
	level := new(slog.LevelVar)
	log := newLogger(logTo, c.Log.Format, level)
	setLevel(level, c.Log.Level)
	for _, warning := range c.Warnings {
		log.Warn("configuration", "warning", warning)
	}
	s, err := openServer(ctx, serverOptions{config: c, declare: declare, log: log, level: level})
	if err != nil {
		return err
	}
	s.follow = func(ctx context.Context) error {
		for {
			select {
			case <-hangUp:
				s.reload(ctx, path)
			case which := <-levers:
				s.pull(which == syscall.SIGUSR1)
			case <-ctx.Done():
				return nil
			}
		}
	}
	stopPacing := paceCollector()
	defer stopPacing()
	return s.Run(ctx)
}

// reload reads the configuration again. A fault anywhere changes nothing.
func (s *server) reload(ctx context.Context, path string) {
	next, err := config.Load(path, os.Environ())
	var faults config.Faults
	switch {
	case errors.As(err, &faults):
		for _, fault := range faults {
			s.log.Error("configuration not reloaded", "fault", fault.String())
		}
		return
	case err != nil:
		s.log.Error("configuration not reloaded", "error", err)
		return
	}
	if err := s.take(ctx, next); err != nil {
		s.log.Error("configuration not reloaded", "error", err)
	}
}

// take applies what of a valid configuration can change in a running server.
func (s *server) take(ctx context.Context, next *config.Config) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	frozen := config.Frozen(s.current, next)
	next = config.Keep(s.current, next)
	if err := s.apply(ctx, next); err != nil {
		return err
	}
	if err := s.lists.Replace(next.ClientLists()); err != nil {
		return fmt.Errorf("applying the lists of clients: %w", err)
	}
	setLevel(s.level, next.Log.Level)
	s.current = next
	s.dispatcher.Wake()
	s.askForCertificates()
	for _, warning := range next.Warnings {
		s.log.Warn("configuration", "warning", warning)
	}
	s.log.Info("configuration reloaded", "needs_restart", frozen)
	return nil
}

// newLogger writes one line per fact.
func newLogger(w io.Writer, format string, level *slog.LevelVar) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func setLevel(level *slog.LevelVar, name string) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err != nil {
		panic(fmt.Sprintf("log level %q passed the validation", name))
	}
	level.Set(l)
}
