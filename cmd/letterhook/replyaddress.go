package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/replyaddr"
)

func newReplyAddressCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "reply-address",
		Short: "Mint and verify signed reply addresses",
		Long: `Mint and verify signed reply addresses, with the reply_keys of the configuration, or on the server in use with those that it has.

An application mints them itself, without asking: docs/reply-addresses.md says how.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	at.configFlag(cmd)
	at.contextFlag(cmd)
	asJSON := cmd.PersistentFlags().Bool("json", false, "print JSON")
	cmd.AddCommand(newMintCommand(&at, asJSON), newVerifyCommand(&at, asJSON))
	return cmd
}

// keyed has far done by the server that the command is about, or near with the keys of the configuration: no data are looked at.
func (p *place) keyed(far func(*apiclient.Client) error, near func(*config.Config) error) error {
	server, err := p.server()
	if err != nil {
		return err
	}
	if server == nil {
		c, err := config.LoadRouting(cmp.Or(p.config, configName), os.Environ())
		if err != nil {
			return err
		}
		return near(c)
	}
	client, err := apiclient.New(server.URL, server.Key, nil)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	return far(client)
}

// mintOptions are the flags of mint.
type mintOptions struct {
	domain  string
	local   string
	data    string
	expires string
}

func newMintCommand(at *place, asJSON *bool) *cobra.Command {
	var o mintOptions
	cmd := &cobra.Command{
		Use:     "mint",
		Short:   "Print a new reply address, signed with the first key of its domain",
		Example: "  letterhook reply-address mint --domain in.example.com --data ticket-42 --expires 30d",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			expires, err := parseExpiry(o.expires, time.Now())
			if err != nil {
				return &exitError{exitUsage, fmt.Errorf("--expires: %w", err)}
			}
			return at.keyed(func(c *apiclient.Client) error {
				return o.mintFar(cmd.Context(), cmd.OutOrStdout(), c, expires, *asJSON)
			}, func(c *config.Config) error { return o.mint(c, expires, *asJSON, cmd.OutOrStdout()) })
		},
	}
	cmd.Flags().StringVar(&o.domain, "domain", "", "`domain` of the address")
	cmd.Flags().StringVar(&o.local, "local", "reply", "local-part in front of the +")
	cmd.Flags().StringVar(&o.data, "data", "", "`text` to sign into the address")
	cmd.Flags().StringVar(&o.expires, "expires", "", "end of its life: 30d or 2027-01-31T12:00:00Z; default: never")
	if err := cmd.MarkFlagRequired("domain"); err != nil {
		panic(err) // the flag is declared above
	}
	complete(cmd, "domain", at.domainNames)
	return cmd
}

// parseExpiry reads a span from now on or a point in time; "" is never, the zero Time.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	var span config.Duration
	if span.UnmarshalText([]byte(text)) == nil {
		return now.Add(span.Std()), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("write it like 30d, 12h or 2027-01-31T12:00:00Z")
	}
	return at, nil
}

// minted is what mint prints with --json.
type minted struct {
	Address   string        `json:"address"`
	Data      string        `json:"data"`
	ExpiresAt dispatch.Time `json:"expires_at"` // null: never
}

func (o *mintOptions) mint(c *config.Config, expires time.Time, asJSON bool, out io.Writer) error {
	box, err := storage.ReplyMailbox(o.local, o.domain)
	if err != nil {
		return err
	}
	domain, keys, err := replyKeys(c, box.Domain)
	if err != nil {
		return err
	}
	if !domain.HasToken(box.Local) {
		return fmt.Errorf("%s has no route %s+* with a token: mail to the address would not be taken for what it is", domain.Name, box.Local)
	}
	address, err := replyaddr.Mint(keys[0], box, replyaddr.Token{Data: o.data, Expires: expires})
	if err != nil {
		return err
	}
	if !asJSON {
		fmt.Fprintln(out, address)
		return nil
	}
	_, token, _ := strings.Cut(strings.TrimSuffix(address, "@"+box.Domain), "+")
	said := storage.VerifyToken(keys, box, token, time.Time{})
	return printJSON(out, minted{address, said.Data, dispatch.Time{Time: said.Expires}})
}

// replyKeys gives the domain that takes mail for a name, and the keys of its reply addresses, one at least.
func replyKeys(c *config.Config, name string) (*config.Domain, []replyaddr.Key, error) {
	domain := c.DomainOf(name)
	if domain == nil {
		return nil, nil, fmt.Errorf("no domain of the configuration takes mail for %s", name)
	}
	keys := c.ReplyKeysOf(domain)
	if len(keys) == 0 {
		return nil, nil, fmt.Errorf("neither %s nor its account has reply_keys", domain.Name)
	}
	return domain, keys, nil
}

func newVerifyCommand(at *place, asJSON *bool) *cobra.Command {
	return &cobra.Command{
		Use:   "verify ADDRESS",
		Short: "Say what a reply address is worth",
		Long: `Say what a reply address is worth: what the event of a mail to it would say of its token.

Exit code 0: it is valid. 1: it is not, or it cannot be said.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return at.keyed(func(c *apiclient.Client) error {
				return verifyFar(cmd.Context(), cmd.OutOrStdout(), c, args[0], *asJSON)
			}, func(c *config.Config) error {
				token, err := verifyAddress(c, args[0])
				if err != nil {
					return err
				}
				return printToken(cmd.OutOrStdout(), token, token, *asJSON)
			})
		},
	}
}

func verifyAddress(c *config.Config, address string) (*dispatch.Token, error) {
	path, err := inbound.ParsePath(address, true)
	if err != nil {
		return nil, err
	}
	local, token, _ := strings.Cut(path.LocalPart, "+")
	box, err := storage.ReplyMailbox(local, path.Domain)
	if err != nil {
		return nil, err
	}
	_, keys, err := replyKeys(c, box.Domain)
	if err != nil {
		return nil, err
	}
	return dispatch.TokenOf(storage.VerifyToken(keys, box, token, time.Now())), nil
}

// printToken says what a token is worth, and fails for one that is worth nothing; said is what JSON has of it.
func printToken(out io.Writer, token *dispatch.Token, said any, asJSON bool) error {
	if asJSON {
		if err := printJSON(out, said); err != nil {
			return err
		}
	} else {
		describeToken(out, token)
	}
	if !token.Valid {
		return &exitError{code: exitFailed}
	}
	return nil
}

func describeToken(out io.Writer, token *dispatch.Token) {
	verdict, end := "valid", "never expires"
	if !token.Valid {
		verdict = "not valid: " + *token.Reason
	}
	fmt.Fprintln(out, verdict)
	if !token.Valid && token.Data == "" && token.ExpiresAt.IsZero() {
		return // there is nothing genuine to show
	}
	if !token.ExpiresAt.IsZero() {
		end = "expires " + token.ExpiresAt.UTC().Format(time.RFC3339)
	}
	fmt.Fprintf(out, "data %q\n%s\n", token.Data, end)
}
