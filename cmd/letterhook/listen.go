package main

import (
	"context"
	"errors"
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
	at         place
	forward    string
	endpoint   string
	recipient  string
	route      string
	account    string
	asEndpoint bool

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
		Short: "Receive webhooks, verify and print them, or post those of a server to an application on this machine",
		Long: `Receive webhooks, verify their signatures and print them.

A request that does not verify is answered 401, and the usual mistake that explains it is named; letterhook verify does that
for a request that an application saw. --fail and --delay try how the sender retries.

With --forward it listens to a server instead, that of the context in use, and posts each request to an application on this machine, as
mail comes and without a tunnel: what --endpoint gets, or, without it, all mail of the account in the native format. They are copies: no
endpoint waits for them or misses any, and none is tried again. They are signed with --secret, with a secret of your own that is shown and
stays the same, or with those of the endpoint (--as-endpoint, which needs a key with the scope replay). Where it is cut off it connects again
and goes on where it was.`,
		Example: "  letterhook listen --secret whsec_... --fail 2\n  letterhook listen --secret whsec_... --fail 410 --delay 3s\n  letterhook listen --forward http://localhost:3000/hook --endpoint app",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.forward != "" {
				return o.runForward(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
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
	f.StringVar(&o.forward, "forward", "", "`URL` of an application to post the requests of a server to")
	f.StringVar(&o.at.context, "context", "", "with --forward: listen to the server of this `context`")
	f.StringVar(&o.endpoint, "endpoint", "", "with --forward: what the endpoint with this `name` or id gets")
	f.StringVar(&o.recipient, "recipient", "", "with --forward: mail to this `address` or domain alone")
	f.StringVar(&o.route, "route", "", "with --forward: mail that the route with this `id` took")
	f.StringVar(&o.account, "account", "", "with --forward: for the operator, mail of this `account` alone")
	f.BoolVar(&o.asEndpoint, "as-endpoint", false, "with --forward: signed with the secrets of --endpoint, which stay on the server")
	for _, other := range []string{"address", "fail", "delay"} {
		cmd.MarkFlagsMutuallyExclusive("forward", other)
	}
	cmd.MarkFlagsMutuallyExclusive("as-endpoint", "secret")
	complete(cmd, "context", contextNames)
	complete(cmd, "endpoint", o.at.endpointNames)
	complete(cmd, "account", o.at.accountNames)
	cmd.PreRunE = o.checkForward
	return cmd
}

// checkForward refuses what says nothing without --forward.
func (o *listenOptions) checkForward(cmd *cobra.Command, _ []string) error {
	for _, name := range []string{"context", "endpoint", "recipient", "route", "account", "as-endpoint"} {
		if o.forward == "" && cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s needs --forward", name)
		}
	}
	if o.asEndpoint && o.endpoint == "" {
		return errors.New("--as-endpoint needs --endpoint")
	}
	return nil
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
