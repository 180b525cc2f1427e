package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/admin/dnscheck"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
)

// checkOptions are the flags of check.
type checkOptions struct {
	path       string
	json       bool
	bucket     bool
	verbose    bool
	dns        bool
	dnsServers []string
	client     *http.Client // that fetches policies; nil: one of its own
}

func newCheckCommand() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration, and DNS if asked, and report every fault",
		Long: `Check the configuration as serve would read it, environment included, and report every fault with its line. Keys in data_dir that
others can read are a fault, for serve does not start with them either; a data_dir or a database that others can use is a warning.

With --dns also hold DNS against it: MX, addresses, PTR, SPF, MTA-STS and its policy, TLSRPT and TLSA of the hostname and of
every domain, with the records to publish (docs/dns.md). With --bucket also read from the bucket, list it, write a small object to it and
delete that, and name the permission that the credentials lack. A bucket that belongs to the store of another database is a fault, and not
written to; nothing of the database is changed.

Exit code 0: no faults; warnings and advice may have been printed. 1: there are faults, the file cannot be read, or a record is
missing or wrong. 3: DNS gave no answer to some of it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(o.dnsServers) > 0 && !o.dns {
				return &exitError{exitUsage, errors.New("--dns-server belongs to --dns")}
			}
			if o.verbose && !o.bucket {
				return &exitError{exitUsage, errors.New("--verbose belongs to --bucket")}
			}
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.path, "config", "c", "letterhook.yaml", "configuration `file`")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.BoolVar(&o.bucket, "bucket", false, "use the bucket: read, list, write a small object and delete it")
	f.BoolVar(&o.verbose, "verbose", false, "with --bucket: also print what the S3 library says")
	f.BoolVar(&o.dns, "dns", false, "hold DNS against the configuration")
	f.StringSliceVar(&o.dnsServers, "dns-server", nil, "`address` of a recursive server to ask (default authentication.dns_servers)")
	return cmd
}

// checkResult is what check prints with --json.
type checkResult struct {
	OK       bool           `json:"ok"`
	Faults   []config.Fault `json:"faults"`
	Warnings []string       `json:"warnings"`
	// DNS is there with --dns, where the configuration has no faults.
	DNS dnscheck.Report `json:"dns,omitempty"`
}

func (o *checkOptions) run(ctx context.Context, out io.Writer) error {
	c, err := config.Load(o.path, os.Environ())
	var faults config.Faults
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	result := checkResult{OK: err == nil, Faults: []config.Fault{}, Warnings: []string{}}
	result.Faults = append(result.Faults, faults...)
	if c != nil {
		result.Warnings = append(append(result.Warnings, c.Warnings...), whoElse(c)...)
	}
	if result.OK && o.bucket {
		if err := result.tryBucket(ctx, c, o); err != nil {
			return err
		}
	}
	if result.OK && o.dns {
		if result.DNS, err = checkDNS(ctx, c, o.dnsServers, o.client); err != nil {
			return err
		}
		result.OK = !result.DNS.Has(dnscheck.Missing, dnscheck.Wrong, dnscheck.Unknown)
	}
	if o.json {
		if err := printJSON(out, result); err != nil {
			return err
		}
	} else {
		result.print(out, o.path)
	}
	switch {
	case len(result.Faults) > 0 || result.DNS.Has(dnscheck.Missing, dnscheck.Wrong):
		return &exitError{code: exitFailed}
	case !result.OK:
		return &exitError{code: exitTemporary}
	}
	return nil
}

func (r *checkResult) print(out io.Writer, path string) {
	for _, fault := range r.Faults {
		fmt.Fprintln(out, fault)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(out, "warning: %s\n", warning)
	}
	if n := len(r.Faults); n > 0 {
		fmt.Fprintln(out, plural(n, "fault"))
		return
	}
	fmt.Fprintf(out, "%s is valid\n", path)
	r.DNS.Print(out, func(s string) string { return printable(s, false) })
}
