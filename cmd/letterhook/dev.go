package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// devOptions are the flags of dev. Others script against them: they do not change.
type devOptions struct {
	forward string
	smtp    string
	http    string
	data    string
	secret  string
	json    bool
	verbose bool
}

func newDevCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run without configuration: mail to any domain becomes an event",
		Long: `Run without configuration. Mail to any domain is accepted and posted to --forward, or, without it, to a built-in
receiver that verifies the signature and prints each event. It is the server that serve runs, with the same durability:
what it has accepted survives a restart.`,
		Example: "  letterhook dev\n  letterhook dev --forward http://127.0.0.1:3000/hooks/mail",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.forward, "forward", "", "`URL` to post events to")
	f.StringVar(&o.smtp, "smtp", "127.0.0.1:2525", "`address` that takes mail")
	f.StringVar(&o.http, "http", "127.0.0.1:8080", "`address` of the dashboard, links, metrics and health")
	f.StringVar(&o.data, "data", devData, "`folder` for everything that is kept")
	f.StringVar(&o.secret, "secret", "", "signing secret, whsec_...; default: one of its own, kept in the data folder")
	f.BoolVar(&o.json, "json", false, "print events as JSON, one a line, and everything else on standard error")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log every message, refusal and attempt")
	return cmd
}

const (
	devName = "dev" // the one account, listener and endpoint
	devData = "./letterhook-data"

	devSource = "letterhook dev" // where the endpoint is declared
)

func (o *devOptions) run(ctx context.Context, out, logTo io.Writer) error {
	secret, err := o.ensureSecret()
	if err != nil {
		return err
	}
	key, err := dispatch.ParseSecret(secret)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("--secret: %w", err)}
	}
	url := o.forward
	if url == "" {
		printer, err := newReceiver(out, secret)
		if err != nil {
			return err
		}
		printer.json = o.json
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("listening for the built-in receiver: %w", err)
		}
		url = "http://" + l.Addr().String() + "/"
		receiving, stop := context.WithCancel(context.WithoutCancel(ctx))
		received := make(chan error, 1)
		go func() { received <- serveHTTP(receiving, l, printer, slog.New(slog.DiscardHandler)) }()
		defer func() { // after the server: its drain still posts
			stop()
			if err := <-received; err != nil {
				fmt.Fprintf(logTo, "the built-in receiver: %v\n", err)
			}
		}()
	}
	if err := dispatch.CheckURL(url); err != nil {
		return &exitError{exitUsage, fmt.Errorf("--forward: %w", err)}
	}
	s, err := o.open(ctx, url, key, logTo)
	if err != nil {
		return err
	}
	if o.json {
		out = logTo // there, it is not in the way of the events
	}
	o.greet(out, s, secret)
	stopPacing := paceCollector()
	defer stopPacing()
	return s.Run(ctx)
}

// open makes the server that a configuration with these flags would be.
func (o *devOptions) open(ctx context.Context, url string, key config.Secret, logTo io.Writer) (*server, error) {
	c := devConfig(o.data)
	c.SMTP.Listeners = []config.Listener{{Name: devName, Address: o.smtp, TLS: config.TLSNone}}
	c.HTTP.Public.Address, c.HTTP.Private.Address = o.http, o.http
	c.Endpoints = []config.Endpoint{{Name: devName, Account: devName, URL: url, Secrets: []config.SigningSecret{{Key: key}}, AllowPrivate: true, Concurrency: devConcurrency, Source: devSource}}
	level := new(slog.LevelVar)
	if level.Set(slog.LevelWarn); o.verbose {
		level.Set(slog.LevelInfo)
	}
	return openServer(ctx, serverOptions{
		config: c, loopback: true, level: level, log: newLogger(logTo, "text", level),
		declare: devDeclaration,
	})
}

// devDeclaration leads mail to any domain to the one endpoint.
func devDeclaration(c *config.Config) storage.Declaration {
	d := declare(c)
	d.AcceptAll = &storage.AcceptAll{Account: devName, Endpoint: devName}
	return d
}

// devConfig is the part of the configuration that a data folder of dev implies.
func devConfig(data string) *config.Config {
	c := config.Default()
	c.Hostname = "localhost"
	c.DataDir = data
	c.SMTP.LogAddresses = true
	// The budgets are for strangers. Here everything comes from one address, load tests too.
	c.SMTP.MaxConnectionsPerIP, c.SMTP.MaxMessages = c.SMTP.MaxConnections, devMaxMessages
	c.Defence.ExemptNetworks = []config.Network{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}, {Prefix: netip.MustParsePrefix("::/0")}}
	c.Storage.MinFree = devMinFree
	c.Accounts = []config.Account{{Name: devName}}
	return c
}

const (
	devMinFree     = 64 << 20 // a developer's disk is often nearly full
	devMaxMessages = 1 << 30
	devConcurrency = 16 // there is one endpoint, so it may have more than its share
)

// ensureSecret gives the secret of the flag, or the one in the data folder, which is made at the first start.
func (o *devOptions) ensureSecret() (string, error) {
	if o.secret != "" {
		return o.secret, nil
	}
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return "", fmt.Errorf("making the data folder: %w", err)
	}
	keys, err := storage.EnsureKeys(filepath.Join(o.data, "dev.key"))
	if err != nil {
		return "", fmt.Errorf("keeping the secret: %w", err)
	}
	return dispatch.FormatSecret(keys[0]), nil
}

// greet says where everything is. Scripts wait for the line that begins with "Ready".
func (o *devOptions) greet(out io.Writer, s *server, secret string) {
	smtp := s.smtpListeners[0].Addr().String()
	to := "printed here"
	if o.forward != "" {
		to = "posted to " + o.forward
	}
	fmt.Fprintf(out, "Ready. Mail to any domain is taken at %s and %s.\n", smtp, to)
	fmt.Fprintf(out, "  try        %s send --smtp %s --to hello@in.example.com\n", os.Args[0], smtp)
	fmt.Fprintf(out, "  dashboard  %s\n", s.cfg.PublicURL)
	fmt.Fprintf(out, "  data       %s\n", o.data)
	fmt.Fprintf(out, "  secret     %s\n", secret)
}
