package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// secretLine is a signing secret as it is printed.
type secretLine struct {
	ID        string             `json:"id"`
	Endpoint  string             `json:"endpoint_id"`
	Kind      storage.SecretKind `json:"kind"` // "v1" (HMAC-SHA256) or "v1a" (ed25519)
	CreatedAt time.Time          `json:"created_at"`
	Until     *time.Time         `json:"until"`                // it does not sign from then on; null: no end
	Secret    string             `json:"secret,omitempty"`     // v1, where it was asked for
	PublicKey string             `json:"public_key,omitempty"` // v1a
}

func secretLineOf(s *storage.EndpointSecret, reveal bool) secretLine {
	l := secretLine{ID: s.ID, Endpoint: s.Endpoint, Kind: s.Kind, CreatedAt: s.CreatedAt, Until: optionalTime(s.Until)}
	switch {
	case s.Kind == storage.SecretEd25519:
		l.PublicKey = dispatch.FormatPublicKey(s)
	case reveal:
		l.Secret = dispatch.FormatSecret(s.Key[:])
	}
	return l
}

func newEndpointsRotate(at *place) *cobra.Command {
	overlap := 24 * time.Hour
	var asymmetric, asJSON bool
	cmd := &cobra.Command{
		Use:   "rotate-secret NAME",
		Short: "Make a new signing secret for an endpoint, and let the old one end",
		Long: `Make a new signing secret for an endpoint, kept in the database of the server, and print it. A running server signs
with it within a second. Secrets that were made like this before sign beside it until --overlap has passed, so that a receiver that
knows either verifies every request meanwhile.

With --ed25519 it is a key pair for signatures v1a, which stand beside the others; the public key is printed, the private one never is.

Secrets in the configuration are not touched and sign as well. To let one of them end, write the end behind it in the configuration:
"whsec_... until 2026-12-31T00:00:00Z".`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: first(at.endpointNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if overlap < 0 {
				return &exitError{exitUsage, errors.New("--overlap cannot be negative")}
			}
			kind := storage.SecretHMAC
			if asymmetric {
				kind = storage.SecretEd25519
			}
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				return rotateFarSecret(cmd.Context(), cmd.OutOrStdout(), c, args[0], kind, overlap, asJSON)
			}, func(store *storage.Store) error {
				return rotateSecret(cmd.Context(), cmd.OutOrStdout(), store, args[0], kind, overlap, asJSON)
			})
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", overlap, "how long the old secret goes on signing")
	cmd.Flags().BoolVar(&asymmetric, "ed25519", false, "make a key pair for signatures v1a")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func rotateSecret(ctx context.Context, w io.Writer, store *storage.Store, word string, kind storage.SecretKind, overlap time.Duration, asJSON bool) error {
	known, err := readEndpoints(ctx, store)
	if err != nil {
		return err
	}
	id, err := known.find(word)
	if err != nil {
		return err
	}
	made, err := store.RotateSecret(ctx, id, kind, overlap)
	if err != nil {
		return err
	}
	l := secretLineOf(&made, true)
	if err := noteHere(ctx, store, known[id].Account, "endpoint.rotate-secret", id, secretLineOf(&made, false)); err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, l)
	}
	fmt.Fprintln(w, cmp.Or(l.Secret, l.PublicKey))
	return nil
}

func newEndpointsSecrets(at *place) *cobra.Command {
	var reveal, asJSON bool
	cmd := &cobra.Command{
		Use:   "secrets NAME",
		Short: "List the signing secrets of an endpoint that the database keeps",
		Args:  cobra.ExactArgs(1), ValidArgsFunction: first(at.endpointNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				return listFarSecrets(cmd.Context(), cmd.OutOrStdout(), c, args[0], reveal, asJSON)
			}, func(store *storage.Store) error {
				return listSecrets(cmd.Context(), cmd.OutOrStdout(), store, args[0], reveal, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "print the secrets too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per secret")
	return cmd
}

func listSecrets(ctx context.Context, w io.Writer, store *storage.Store, word string, reveal, asJSON bool) error {
	known, err := readEndpoints(ctx, store)
	if err != nil {
		return err
	}
	id, err := known.find(word)
	if err != nil {
		return err
	}
	all, err := store.Secrets(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, "ID\tKIND\tCREATED\tUNTIL\tSECRET OR PUBLIC KEY")
	}
	for i := range all[id] {
		l := secretLineOf(&all[id][i], reveal)
		if asJSON {
			if err := printJSON(w, l); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", l.ID, l.Kind, moment(l.CreatedAt), moment(all[id][i].Until), cmp.Or(l.Secret, l.PublicKey, "hidden"))
	}
	return table.Flush()
}
