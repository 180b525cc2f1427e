package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options of a whole run.
type Options struct {
	Load
	// Program is the letterhook binary to start and load. Empty: Addr is a server that runs already.
	Program string
	// Receive starts a receiver and waits for the webhooks. With a Program it is always on; without, the server at
	// Addr must deliver to the receiver's URL, which is printed by Started.
	Receive bool
	Secret  string        // signing secret; empty: signatures are not looked at
	Wait    time.Duration // for the last webhooks after the last acknowledgement
	Started func(url string)

	// Viewers look at the dashboard of a server that is started with the engine of dev, all the while.
	Viewers int

	// Verdicts has the server that is started check every mail by SPF, DKIM, DMARC, ARC and iprev, although it comes from
	// this machine, against a DNS server within this process, and has every mail signed.
	Verdicts bool
	Place    Place
	Nodes    int     // servers on one Place, which has a database and a bucket then; 0: 1
	Unseen   float64 // with Verdicts, the share of mails from domains that were not seen before, 0 to 1
	Cold     bool    // with Verdicts, no answer of DNS may be remembered
}

// Secret of a server that a run starts itself. It guards nothing: both ends live on loopback for one run.
const ownSecret = "whsec_bGV0dGVyaG9vay1iZW5jaC1zZWNyZXQtMzItYnl0ZXM="

// Run loads a server and reports. With a Program the server is started in a temporary folder and stopped at the end.
func Run(ctx context.Context, o Options) (rep *Report, err error) {
	var receiver *Receiver
	if o.Program != "" && o.Secret == "" {
		o.Secret = ownSecret
	}
	if o.Program != "" || o.Receive {
		if receiver, err = NewReceiver(o.Secret); err != nil {
			return nil, fmt.Errorf("starting the receiver: %w", err)
		}
		defer func() { err = errors.Join(err, receiver.Close()) }()
		if o.Started != nil {
			o.Started(receiver.URL)
		}
	}
	if o.Program == "" {
		return measure(ctx, o, receiver), nil
	}
	return runOwn(ctx, o, receiver)
}

// runOwn starts a server, or several on one database and bucket, loads them and stops them.
func runOwn(ctx context.Context, o Options, receiver *Receiver) (rep *Report, err error) {
	data, err := os.MkdirTemp("", "letterhook-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	options := ServerOptions{Program: o.Program, Data: data, Forward: receiver.URL, Secret: o.Secret}
	var senders *senders
	switch {
	case o.Verdicts:
		if senders, err = startSenders(&o, receiver); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, senders.dns.Close()) }()
		err = senders.configure(&o, data, receiver.URL, &options)
	case o.Endpoints > 0 || o.Place != Place{}:
		receiver.Hang(o.Hanging)
		err = manyEndpoints(o, data, "", receiver.URL, &options)
	}
	if err != nil {
		return nil, err
	}
	var nodes nodes
	defer func() { err = errors.Join(err, nodes.stop()) }()
	for n := range max(o.Nodes, 1) {
		if n > 0 {
			if err := manyEndpoints(o, filepath.Join(data, fmt.Sprintf("node%d", n)), data, receiver.URL, &options); err != nil {
				return nil, err
			}
		}
		server, err := StartServer(ctx, options)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, server)
	}
	o.Addr, o.Others = nodes[0].SMTP, nodes.others()
	if rep, err = nodes.measure(ctx, o, receiver); err == nil && senders != nil {
		rep.Verdicts = senders.report()
	}
	return rep, err
}

// observed measures, with viewers if there are any.
func observed(ctx context.Context, o Options, receiver *Receiver, server *Server) (*Report, error) {
	if o.Viewers == 0 {
		return measure(ctx, o, receiver), nil
	}
	people := startViewers(ctx, o.Viewers, server.HTTP)
	rep := measure(ctx, o, receiver)
	seen, err := people.stop()
	rep.Viewers = seen
	return rep, err
}

func measure(ctx context.Context, o Options, receiver *Receiver) *Report {
	sent := Send(ctx, o.Load)
	if receiver != nil {
		waiting, cancel := context.WithTimeout(ctx, o.Wait)
		defer cancel()
		Await(waiting, sent, receiver)
	}
	return NewReport(o.Load, sent, receiver)
}

// manyEndpoints makes the options start a server with an endpoint of its own for each of many recipients, or one for all. It has the keys
// of the server whose data folder is first, unless that is empty.
func manyEndpoints(o Options, data, first, url string, options *ServerOptions) error {
	if err := options.freeAddrs(); err != nil {
		return err
	}
	section, err := o.Place.section()
	if err != nil {
		return err
	}
	if first != "" {
		section += fmt.Sprintf("\n  key_file: %s\n  link_key_files: [%s]", filepath.Join(first, "instance.key"), filepath.Join(first, "link.key"))
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	var endpoints, routes strings.Builder
	if o.Endpoints == 0 {
		fmt.Fprintf(&endpoints, "  - {name: all, url: %q, secrets: [%q], allow_private: true}\n", url, o.Secret)
		routes.WriteString("      - {match: \"*\", endpoints: [all]}\n")
	}
	for n := range o.Endpoints {
		fmt.Fprintf(&endpoints, "  - {name: e%d, url: %q, secrets: [%q], allow_private: true}\n", n, fmt.Sprintf("%s/%d", url, n), o.Secret)
		fmt.Fprintf(&routes, "      - {match: e%d, endpoints: [e%d]}\n", n, n)
	}
	text := fmt.Sprintf(`hostname: mx.bench.example
public_url: http://%[1]s
data_dir: %[2]s
smtp:
  listeners: [{name: mx, address: %[3]q, tls: none}]
  max_messages: 1000000
  max_commands: 1000000
  max_connections_per_ip: 1000
http:
  public: {address: %[1]q}
  private: {address: %[1]q}
storage:
%[6]s
delivery: {drain_timeout: 1s} # those that hang would use up any
log: {level: warn}
endpoints:
%[4]sdomains:
  - name: bench.example
    routes:
%[5]s`, options.HTTP, data, options.SMTP, endpoints.String(), routes.String(), section)
	return options.writeConfig(data, text)
}

// freeAddrs finds addresses that a configuration can name.
func (o *ServerOptions) freeAddrs() (err error) {
	if o.SMTP, err = FreeAddr(); err != nil {
		return err
	}
	o.HTTP, err = FreeAddr()
	return err
}

// writeConfig has the server run with a configuration, which is written into its data folder.
func (o *ServerOptions) writeConfig(data, text string) error {
	o.Config = filepath.Join(data, "letterhook.yaml")
	if err := os.WriteFile(o.Config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}
