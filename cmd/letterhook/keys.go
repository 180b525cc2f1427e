package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/storage"
)

func newKeysCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make, list and end the keys of the HTTP API",
		Long: `Make, list and end the keys of the HTTP API and the dashboard, in the database of the server. The first key is made there;
with a context in use further ones are made by the API. A running server heeds every change at once.`,
	}
	at.anywhere(cmd)
	cmd.AddCommand(newKeysCreate(&at), newKeysList(&at), newKeysRevoke(&at), newKeysRotate(&at))
	return cmd
}

// keyLine is a key as it is printed.
type keyLine struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Account   string     `json:"account_id"` // empty: the operator's
	Scopes    []string   `json:"scopes"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	RevokedAt *time.Time `json:"revoked_at"`
	UsedAt    *time.Time `json:"used_at"`
	Token     string     `json:"token,omitempty"` // of a new one alone
}

func keyLineOf(k *storage.APIKey, token string) keyLine {
	return keyLine{
		ID: k.ID, Name: k.Name, Account: k.Account, Scopes: k.Scopes, CreatedAt: k.CreatedAt, ExpiresAt: optionalTime(k.ExpiresAt),
		RevokedAt: optionalTime(k.RevokedAt), UsedAt: optionalTime(k.UsedAt), Token: token,
	}
}

// keyOptions are the flags of keys create.
type keyOptions struct {
	account string
	scopes  []string
	expires time.Duration
	json    bool
}

func newKeysCreate(at *place) *cobra.Command {
	var o keyOptions
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a key and print it; it is shown this once",
		Long: `Make a key and print its token, which is kept nowhere. Send it as "Authorization: Bearer lhk_...", or log in to the dashboard
with it.

Without --account it is a key of the operator, who sees all accounts.`,
		Example: "  letterhook keys create laptop\n  letterhook keys create app --account acme --scope read --scope replay --expires 2160h",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(args[0]); err != nil {
				return &exitError{exitUsage, err}
			}
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				return o.createFar(cmd.Context(), cmd.OutOrStdout(), c, args[0])
			}, func(store *storage.Store) error {
				return o.create(cmd.Context(), cmd.OutOrStdout(), store, args[0])
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.account, "account", "", "`account` that it is for, by name or id; left out: the operator")
	f.StringSliceVar(&o.scopes, "scope", scopeNames(), "what it may do: `scope`s read, write, replay and admin")
	f.DurationVar(&o.expires, "expires", 0, "how long it works; 0: until it is revoked")
	f.BoolVar(&o.json, "json", false, "print JSON")
	complete(cmd, "scope", among(scopeNames()...))
	return cmd
}

func scopeNames() (names []string) {
	for _, s := range access.Scopes() {
		names = append(names, string(s))
	}
	return names
}

func (o *keyOptions) check(name string) error {
	known := scopeNames()
	for _, s := range o.scopes {
		if !slices.Contains(known, s) {
			return fmt.Errorf("--scope: %q is none of %s", s, strings.Join(known, ", "))
		}
	}
	switch {
	case len(o.scopes) == 0:
		return errors.New("--scope: a key without one may do nothing")
	case o.expires < 0:
		return errors.New("--expires cannot be negative")
	case strings.TrimSpace(name) == "" || len(name) > 100:
		return errors.New("a key has a name of up to 100 octets")
	}
	return nil
}

func (o *keyOptions) create(ctx context.Context, w io.Writer, store *storage.Store, name string) error {
	now := time.Now()
	k := &storage.APIKey{ID: store.NewAPIKeyID(), Name: name, CreatedAt: now}
	for _, s := range scopeNames() { // in their order, each once
		if slices.Contains(o.scopes, s) {
			k.Scopes = append(k.Scopes, s)
		}
	}
	if o.expires > 0 {
		k.ExpiresAt = now.Add(o.expires)
	}
	if o.account != "" {
		account, err := findAccount(ctx, store, o.account)
		if err != nil {
			return err
		}
		k.Account = account
	}
	token := access.Mint(k)
	if err := store.CreateAPIKey(ctx, k, keyChange("key.create", k)); err != nil {
		return err
	}
	return printKey(w, k, token, o.json)
}

// findAccount gives the id of an account by its id or its name.
func findAccount(ctx context.Context, store *storage.Store, word string) (string, error) {
	known, err := store.KnownAccounts(ctx)
	if err != nil {
		return "", err
	}
	for _, a := range known {
		if a.ID == word || a.Name == word {
			return a.ID, nil
		}
	}
	return "", &exitError{exitUsage, fmt.Errorf("no account is called %q", word)}
}

func keyChange(action string, k *storage.APIKey) storage.AuditLine {
	return storage.AuditLine{Account: k.Account, Name: cliName, Action: action, Object: k.ID}
}

func printKey(w io.Writer, k *storage.APIKey, token string, asJSON bool) error {
	if asJSON {
		return printJSON(w, keyLineOf(k, token))
	}
	fmt.Fprintln(w, token)
	return nil
}

func newKeysList(at *place) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys, without their tokens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				return listFarKeys(cmd.Context(), cmd.OutOrStdout(), c, asJSON)
			}, func(store *storage.Store) error {
				return listKeys(cmd.Context(), cmd.OutOrStdout(), store, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per key")
	return cmd
}

func listKeys(ctx context.Context, w io.Writer, store *storage.Store, asJSON bool) error {
	const page = 1000
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, "ID\tNAME\tACCOUNT\tSCOPES\tCREATED\tUSED\tSTATE")
	}
	for after := ""; ; {
		list, err := store.APIKeys(ctx, storage.APIKeyQuery{After: after, Limit: page})
		if err != nil {
			return err
		}
		for _, k := range list {
			if after = k.ID; asJSON {
				if err := printJSON(w, keyLineOf(k, "")); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, printable(k.Name, false), cmp.Or(k.Account, "(operator)"),
				strings.Join(k.Scopes, ","), moment(k.CreatedAt), moment(k.UsedAt), keyState(k, time.Now()))
		}
		if len(list) < page {
			return table.Flush()
		}
	}
}

func keyState(k *storage.APIKey, now time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked " + moment(k.RevokedAt)
	case !k.Works(now):
		return "expired " + moment(k.ExpiresAt)
	case !k.ExpiresAt.IsZero():
		return "works until " + moment(k.ExpiresAt)
	}
	return "works"
}

func newKeysRevoke(at *place) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End a key at once, and the logins that stand on it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return at.either(ctx, cmd.ErrOrStderr(), func(c *apiclient.Client) error { return c.RevokeKey(ctx, args[0]) }, func(store *storage.Store) error {
				k, err := store.APIKey(ctx, args[0])
				if err != nil {
					return err
				}
				return store.RevokeAPIKey(ctx, k.ID, keyChange("key.revoke", k))
			})
		},
	}
}

func newKeysRotate(at *place) *cobra.Command {
	overlap := 24 * time.Hour
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Make a key that takes the place of another, and print it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if overlap < 0 {
				return &exitError{exitUsage, errors.New("--overlap cannot be negative")}
			}
			ctx := cmd.Context()
			return at.either(ctx, cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				return rotateFarKey(ctx, cmd.OutOrStdout(), c, args[0], overlap, asJSON)
			}, func(store *storage.Store) error {
				old, err := store.APIKey(ctx, args[0])
				if err != nil {
					return err
				}
				k := &storage.APIKey{
					ID: store.NewAPIKeyID(), Account: old.Account, Name: old.Name, Scopes: old.Scopes, CreatedAt: time.Now(), ExpiresAt: old.ExpiresAt,
					Replaces: old.ID,
				}
				token := access.Mint(k)
				if err := store.RotateAPIKey(ctx, k, overlap, keyChange("key.rotate", k)); err != nil {
					return err
				}
				return printKey(cmd.OutOrStdout(), k, token, asJSON)
			})
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", overlap, "how long the old key works beside it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
