package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/dispatch"
)

// listenOptions are the flags of listen.
type listenOptions struct {
	address string
	secrets []string
	fail    string
	delay   time.Duration
	count   int
	json    bool
}

func newListenCommand() *cobra.Command {
	var o listenOptions
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Receive webhooks, verify and print them",
		Long: `Receive webhooks, verify their signatures and print them.

A request that does not verify is answered 401, and the usual mistake that explains it is named; letterhook verify does that
for a request that an application saw. --fail and --delay try how the sender retries.`,
		Example: "  letterhook listen --secret whsec_... --fail 2\n  letterhook listen --secret whsec_... --fail 410 --delay 3s",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.address, "address", "127.0.0.1:8888", "`address` to listen on")
	f.StringArrayVar(&o.secrets, "secret", nil, "signing `secret`, whsec_...; several for several endpoints or a rotation; required")
	f.StringVar(&o.fail, "fail", "", "fail requests: `N` (the first N with 503), STATUS (all of them) or N:STATUS")
	f.DurationVar(&o.delay, "delay", 0, "wait before each answer")
	f.IntVar(&o.count, "count", 0, "end after so many events answered with 2xx; 0: never")
	f.BoolVar(&o.json, "json", false, "print one JSON object per request")
	return cmd
}

func (o *listenOptions) run(ctx context.Context, out, messages io.Writer) error {
	if len(o.secrets) == 0 {
		o.secrets = []string{""}
	}
	for _, secret := range o.secrets {
		if _, err := dispatch.ParseSecret(secret); err != nil {
			return &exitError{exitUsage, fmt.Errorf("--secret: %w", err)}
		}
	}
	failure, err := parseFailure(o.fail)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	r, err := newReceiver(out, o.secrets...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.failure, r.delay, r.json = failure, o.delay, o.json
	if o.count > 0 {
		left := make(chan struct{}, o.count)
		for range o.count - 1 {
			left <- struct{}{}
		}
		r.got = func(string) {
			select {
			case <-left:
			default:
				cancel()
			}
		}
	}
	l, err := net.Listen("tcp", o.address)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	fmt.Fprintf(messages, "Waiting for webhooks at http://%s/\n", l.Addr())
	return serveHTTP(ctx, l, r, slog.New(slog.NewTextHandler(messages, nil)))
}
