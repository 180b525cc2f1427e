package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

func newMessagesParsed(at *place) *cobra.Command {
	return at.asking("parsed ID", "Print what was read from a message, as JSON", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		m, err := c.GetParsedMessage(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return printJSON(cmd.OutOrStdout(), m)
	})
}

func newMessagesAttachments(at *place) *cobra.Command {
	var dir string
	var asJSON bool
	cmd := at.asking("attachments ID", "List the attachments of a message, or save them", cobra.ExactArgs(1), func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		list, err := c.ListAttachments(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if dir != "" {
			return saveAttachments(cmd.Context(), cmd.OutOrStdout(), c, args[0], list.Items, dir)
		}
		return printList(cmd.OutOrStdout(), list.Items, asJSON, "ID|NAME|TYPE|SIZE|SHA256", func(a *apiclient.MessageAttachment) []any {
			return []any{a.ID, a.Filename, a.ContentType, a.Size, a.Sha256}
		})
	})
	cmd.Flags().StringVar(&dir, "save", "", "save them in this `folder`, each under its id and its name; nothing is written over")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per attachment")
	return cmd
}

func saveAttachments(ctx context.Context, w io.Writer, c *apiclient.Client, message string, list []apiclient.MessageAttachment, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	root, err := os.OpenRoot(dir) // whatever a sender calls his file
	if err != nil {
		return fmt.Errorf("opening the folder: %w", err)
	}
	defer root.Close()
	for i := range list {
		name := savedName(&list[i])
		if err := saveAttachment(ctx, c, message, list[i].ID, root, name); err != nil {
			return fmt.Errorf("saving %s: %w", printable(name, false), err)
		}
		fmt.Fprintln(w, printable(filepath.Join(dir, name), false))
	}
	return nil
}

// savedName is a name that is one of a file, and of no hidden one.
func savedName(a *apiclient.MessageAttachment) string {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:`, r) {
			return '_'
		}
		return r
	}, printable(a.Filename, false))
	name := strings.ReplaceAll(a.ID, "/", "_")
	if plain = strings.TrimSpace(plain); plain != "" {
		name += "-" + plain
	}
	return name[:min(len(name), 200)]
}

func saveAttachment(ctx context.Context, c *apiclient.Client, message, id string, root *os.Root, name string) (err error) {
	response, err := c.GetAttachment(ctx, message, id)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, response.Body)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
