package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/dispatch/format"
)

func newMigrateCommand() *cobra.Command {
	var m migration
	services := slices.Sorted(maps.Keys(services))
	cmd := &cobra.Command{
		Use:   "migrate SERVICE",
		Short: "Print what to configure when an application comes from a hosted parser",
		Long: `Print the lines of the configuration for an application that takes its mail from SERVICE today, and what to change in the
service and in DNS. Nothing is changed. docs/formats.md says what differs from the service.
In a file that has endpoints: or domains: already, put the new ones below them: a key may stand in it once.

SERVICE is one of ` + strings.Join(services, ", ") + ".",
		Example:   "  letterhook migrate mailgun --domain in.example.com --url https://app.example.com/mailgun >> letterhook.yaml",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: services,
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.print(cmd.OutOrStdout(), args[0])
		},
	}
	cmd.Flags().StringVar(&m.Domain, "domain", "in.example.com", "`domain` that the service takes mail for")
	cmd.Flags().StringVar(&m.URL, "url", "", "`URL` that the service posts to (default: an example)")
	cmd.Flags().StringVar(&m.Host, "hostname", "mx.example.com", "`name` of this server, its hostname in the configuration")
	cmd.Flags().BoolVar(&m.Raw, "raw", false, "the application takes raw mail from the service, as Rails and Laravel do")
	return cmd
}

// migration is what the texts are made of.
type migration struct {
	Domain, URL, Host  string
	Raw                bool
	PrivateKey, Public string // of sendgrid
	Format, Key        string
}

// service is a hosted parser, as its customers know it.
type service struct {
	format, raw string // names of the formats
	url         string // an example
	keyVariable string // environment variable for the format key; empty: none
	mx          string // where its MX records point
	now         string // how it is set up there, as comments
	routes      string // lines below routes
	notes       string // as comments
}

// print writes YAML with comments.
func (m *migration) print(w io.Writer, name string) error {
	s := services[name]
	if m.URL == "" {
		m.URL = s.url
	}
	if strings.ContainsAny(m.Domain+m.URL+m.Host, "\r\n\"\\ ") {
		return &exitError{exitUsage, errors.New("a domain, a URL and a host name hold neither blanks nor quotes")}
	}
	m.Format = s.format
	if m.Raw && s.raw != "" {
		m.Format = s.raw
	}
	if m.Key = ""; s.keyVariable != "" {
		m.Key = "${" + s.keyVariable + "}"
	}
	if name == "sendgrid" {
		var err error
		if m.PrivateKey, m.Public, err = format.NewSendGridKey(); err != nil {
			return fmt.Errorf("making a key: %w", err)
		}
	}
	text := migrationHead + s.now + migrationEndpoint + s.routes + migrationDNS + s.notes
	t, err := template.New(name).Parse(strings.ReplaceAll(text, "MXRECORDS", s.mx))
	if err != nil {
		return err
	}
	return t.Execute(w, m)
}

const migrationHead = `# What the service does today:
`

const migrationEndpoint = `
endpoints:
  - name: app
    # What the service posts to. A user and a password in it are sent as basic authentication, as the service does.
    url: "{{.URL}}"
    format: {{.Format}}{{if .Key}}
    format_key: "{{.Key}}"{{end}}{{if and (eq .Format "postmark") .Raw}}
    include_raw: true{{end}}
    # For a first try beside the service, put another endpoint before this one and say: shadow: true

domains:
  - name: "{{.Domain}}"
    routes:
`

const migrationDNS = `
# In DNS, once "letterhook check" is content and a test mail has come through (letterhook send --to x@{{.Domain}} mail.eml):
#   {{.Host}}.  A and AAAA records with the address of this server, and a PTR record that leads back to the name
#   {{.Domain}}.  TTL of the MX records down to 300 some days before
#   {{.Domain}}.  MX 10 {{.Host}}.   in place of MXRECORDS
# For as long as the old TTL lasts senders use both; leave the service as it is for some days. Records that the service asked for to SEND
# mail (SPF, DKIM, CNAME) stay as they are.
`
