package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/storage"
)

// backupOptions are the flags of backup.
type backupOptions struct {
	keys   bool
	check  bool
	asJSON bool
}

func newBackupCommand() *cobra.Command {
	var at place
	var o backupOptions
	cmd := &cobra.Command{
		Use:   "backup FOLDER",
		Short: "Save an installation on SQLite while its server runs",
		Long: `Write database, segments, large messages and attachments into a folder, which may then be opened as a data folder. A folder with an
earlier backup of the same installation is brought up to date: of the bytes only what is new is copied. The command may be killed at any
time: the folder then holds the earlier backup or the new one.

What lies in a bucket is not in it, see docs/operations.md; neither are the keys without --with-keys. Without the instance key
nobody can read a message of the backup: keep instance.key and link.key too, apart from it. With PostgreSQL use its own tools.`,
		Example: "  letterhook backup -c /etc/letterhook/letterhook.yaml /backup/letterhook",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := at.load()
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), c, args[0])
		},
	}
	at.flags(cmd)
	cmd.Flags().BoolVar(&o.keys, "with-keys", false, "save the keys, certificates by ACME and levers as well: together they are the mail in clear")
	cmd.Flags().BoolVar(&o.check, "check", false, "read the backup whole, as fsck does")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

func (o *backupOptions) run(ctx context.Context, out, messages io.Writer, c *config.Config, dir string) (err error) {
	log := slog.New(slog.NewTextHandler(messages, nil))
	opened, err := openFolder(ctx, c, folderOptions{beside: true, log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.store.Close()) }()
	warnOfStanding(ctx, opened.store, messages)
	bar := newProgress(messages)
	defer bar.clear()
	report, err := opened.store.Backup(ctx, dir, bar.show)
	if err != nil {
		return err
	}
	bar.clear()
	if o.keys {
		if err := saveKeys(c, dir); err != nil {
			return err
		}
	}
	if o.check {
		if err := checkBackup(ctx, c, dir, opened.blobs, log); err != nil {
			return err
		}
	}
	if o.asJSON {
		return printJSON(out, report)
	}
	fmt.Fprintf(out, "%s and %s; %s with %s, %d of them copied now; %s.\n",
		plural(report.Messages, "message"), plural(report.Pending, "pending delivery"), plural(report.Objects, "object"), amount(report.Octets), report.Copied, report.Took.Round(time.Millisecond))
	if !report.Blobs {
		fmt.Fprintln(out, "What lies in the bucket is not in the backup: save it by its own means, versioning or a copy made after this command.")
	}
	if !o.keys {
		fmt.Fprintln(out, "The keys are not in the backup. Without the instance key nobody can read it: keep a copy of the key files elsewhere.")
	}
	return nil
}

// saveKeys saves what of the data folder is no part of the store, and the key files that the configuration names.
func saveKeys(c *config.Config, dir string) error {
	keys, err := instanceKeys(c, storage.ReadKeys)
	if err != nil {
		return err
	}
	links, err := linkKeys(c, storage.ReadKeys)
	if err != nil {
		return err
	}
	for name, list := range map[string][][]byte{instanceKeyName: keys, linkKeyName: links} {
		path := filepath.Join(dir, name)
		if there, err := storage.ReadKeys(path); err == nil && !storage.HasKeys(there, list) { // the keys have changed since
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("saving keys: %w", err)
			}
		}
		if err := storage.KeepKeys(path, list); err != nil {
			return err
		}
	}
	for _, name := range []string{leverFile, acmeName} {
		if err := saveTree(filepath.Join(c.DataDir, name), filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("saving %s: %w", name, err)
		}
	}
	return nil
}

// saveTree copies a file, or a folder with all that is in it, if it is there.
func saveTree(from, to string) error {
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		if !e.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o600)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// checkBackup is fsck over the backup.
func checkBackup(ctx context.Context, c *config.Config, dir string, blobs storage.Blobs, log *slog.Logger) (err error) {
	keys, err := instanceKeys(c, storage.ReadKeys)
	if err != nil {
		return err
	}
	if c.Storage.Blobs != config.BlobsS3 {
		if blobs, err = storage.NewDir(filepath.Join(dir, blobsName), nil); err != nil {
			return err
		}
	}
	saved, err := storage.Open(ctx, storage.Config{Dir: dir, Blobs: blobs, Keys: keys, Beside: true, Log: log})
	if err != nil {
		return fmt.Errorf("opening the backup: %w", err)
	}
	defer func() { err = errors.Join(err, saved.Close()) }()
	faults := 0
	err = saved.Check(ctx, func(f storage.Fault) {
		faults++
		log.Error("fault in the backup", "fault", f.String())
	})
	if err == nil && faults > 0 {
		err = fmt.Errorf("%s in the backup", plural(faults, "fault"))
	}
	return err
}
