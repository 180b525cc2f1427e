package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/storage"
)

// versioningWait bounds the question to the bucket.
const versioningWait = 10 * time.Second

func newEraseCommand() *cobra.Command {
	var at place
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "erase MESSAGE|ADDRESS --yes",
		Short: "Destroy a message, or all from and to an address, now",
		Long: `Destroy a message, by its id, or all messages of which an address is the reverse-path, a forward-path or the address in the From
field, whoever else they concern. A server may run meanwhile.

The key of each is destroyed at once, so that nobody can open its raw bytes any more, wherever they lie. Attachments, envelope, summary,
the details of attempts and the entry of the search go with it; what was pending is dead, with the reason "erased". What stays until
retention ends is a row with id, account, size and time, and the outcomes.

Out of reach: copies of the database made before, an attempt that is being made, what endpoints got, and old versions of attachments in a
bucket that keeps them. There is no way back.

Exit code 0: it is gone. 1: it is not, or not all; run it again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			what, err := eraseWhat(args[0])
			if err != nil {
				return err
			}
			if !yes {
				return &exitError{exitUsage, errors.New("there is no way back; say --yes")}
			}
			if server, err := at.server(); err != nil || server != nil {
				return at.client(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
					return eraseFar(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), c, what, asJSON)
				})
			}
			return at.eraseIn(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), what, asJSON)
		},
	}
	at.anywhere(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "it is meant")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// eraseWhat reads the argument: nothing that is neither an id nor an address may pass for one.
func eraseWhat(argument string) (storage.Erasure, error) {
	local, domain, ok := strings.Cut(argument, "@")
	switch {
	case strings.HasPrefix(argument, "msg_") && !ok:
		return storage.Erasure{Message: argument}, nil
	case ok && local != "" && domain != "":
		return storage.Erasure{Address: argument}, nil
	}
	return storage.Erasure{}, fmt.Errorf("%q is neither the id of a message, msg_..., nor a mail address", argument)
}

// eraseFar has a server erase.
func eraseFar(ctx context.Context, out, messages io.Writer, c *apiclient.Client, what storage.Erasure, asJSON bool) error {
	erased, err := c.CreateErasure(ctx, apiclient.NewErasure{MessageID: what.Message, Address: what.Address})
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(out, erased)
	}
	fmt.Fprintf(out, "erased: %s, %s; %s ended\n", plural(erased.Messages, "message"), plural(erased.Attachments, "attachment"), plural(erased.Deliveries, "delivery"))
	for _, text := range erased.Warnings {
		fmt.Fprintln(messages, "warning: "+printable(text, false))
	}
	return nil
}

// eraseIn erases, and says what it could not reach.
func (p *place) eraseIn(ctx context.Context, out, messages io.Writer, what storage.Erasure, asJSON bool) (err error) {
	c, err := p.load()
	if err != nil {
		return err
	}
	opened, err := openFolder(ctx, c, folderOptions{beside: true, log: slog.New(slog.NewTextHandler(messages, nil))})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.store.Close()) }()
	warnOfStanding(ctx, opened.store, messages)
	warnOfVersions(ctx, opened.store, messages)
	account := ""
	if what.Message != "" {
		account = accountOfMessage(ctx, opened.store, what.Message)
	}
	erased, err := opened.store.Erase(ctx, what)
	if err != nil {
		return err
	}
	if err := noteErasure(ctx, opened.store, account, what, &erased); err != nil {
		return err
	}
	if asJSON {
		return printJSON(out, struct {
			Messages    int  `json:"messages"`
			Attachments int  `json:"attachments"`
			Deliveries  int  `json:"deliveries"`
			LogEmptied  bool `json:"log_emptied"`
		}{erased.Messages, erased.Attachments, erased.Deliveries, erased.Checkpointed})
	}
	fmt.Fprintf(out, "erased: %s, %s; %s ended\n", plural(erased.Messages, "message"), plural(erased.Attachments, "attachment"), plural(erased.Deliveries, "delivery"))
	switch {
	case erased.Messages == 0 || erased.Checkpointed:
	case erased.Vacuumed:
		fmt.Fprintln(messages, "warning: the files and the log of PostgreSQL hold octets of what stood there until others are written over them; docs/operations.md, Erase, says how to have that at once")
	default:
		fmt.Fprintln(messages, "warning: the log of the database still holds what stood there; it goes with the next hours of mail, on PostgreSQL with VACUUM")
	}
	return nil
}

// warnOfVersions tells that attachments live on in a bucket that keeps old versions. Raw messages are safe from that: their keys are gone.
func warnOfVersions(ctx context.Context, store *storage.Store, messages io.Writer) {
	ctx, cancel := context.WithTimeout(ctx, versioningWait)
	defer cancel()
	switch keeps, err := store.KeepsVersions(ctx); {
	case err != nil:
		fmt.Fprintf(messages, "warning: whether the bucket keeps old versions of what is deleted could not be learnt: %v\n", err)
	case keeps:
		fmt.Fprintln(messages, "warning: the bucket keeps old versions: deleted attachments are in them until a lifecycle rule removes noncurrent versions")
	}
}
