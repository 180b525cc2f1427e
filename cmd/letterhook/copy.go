package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/storage"
)

const (
	// copyLook is how often a copy that waits looks whether the server of its source has ended.
	copyLook = time.Second
	// copyAgain is how long it waits before it brings over what has come meanwhile, so that little is left for the end.
	copyAgain = time.Minute
)

// copyOptions are the flags of copy.
type copyOptions struct {
	from, to copyEnd
	back     bool
	wait     bool
	final    bool
	despite  bool
	asJSON   bool
}

func newCopyCommand() *cobra.Command {
	var o copyOptions
	cmd := &cobra.Command{
		Use:   "copy --from PLACE --to PLACE",
		Short: "Move a running installation to another database, another bucket or folder, or both",
		Long: `Bring everything that an installation has stored to another place: pending deliveries with their webhook-ids, messages, results,
what was configured by API, keys of the API, the audit log, counters, raw messages and attachments. The source keeps all of it, and in the end
says that it was moved: no server opens it any more, or both would deliver everything.

A PLACE is the configuration file of a server, the old or the new one, or a database: sqlite:FOLDER (a data folder) or
postgres://... With a database, --from-blobs and --to-blobs say where raw messages and attachments lie: a folder or
s3://BUCKET/PREFIX?endpoint=URL&region=REGION&path_style=true (credentials as AWS has them; also encryption, kms_key_id,
storage_class, unconditional). A password on the command line can be read by everybody on the machine: rather put it into a
configuration, or into the file that PGPASSFILE names.

While the server of the source runs, a pass brings over what there is. Stop the server, run the same command again, and it brings over
the rest, compares every row and object, reads every message back and sets the target free; until then no server opens that. A
command that was killed goes on where it was when it is run again. With --wait it does all of that by itself as soon as the server has
been stopped, and says when to stop it: when the first pass is done. Senders try again meanwhile, as they do when a server is restarted.

With --take-back the source serves again, without what its new place has taken since; nobody may serve there any more.

The target must be empty, and no server may use it. The instance key and the link key come along where the target has a data folder.

Exit code 0: done; see what is printed for whether it was the last pass. 1: it failed, or there are faults and the target is not set free.`,
		Example: `  letterhook copy --from /etc/letterhook/letterhook.yaml --to new.yaml --wait
  letterhook copy --from sqlite:/var/lib/letterhook --to postgres://letterhook@db/letterhook --to-blobs 's3://mail?region=eu-central-1' --to-data /var/lib/letterhook2
  letterhook copy --from /etc/letterhook/letterhook.yaml --take-back`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.back {
				return o.takeBack(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.from.flags(cmd, "from", "where to copy from: `PLACE`")
	o.to.flags(cmd, "to", "where to copy to: `PLACE`")
	cmd.Flags().BoolVar(&o.wait, "wait", false, "after the first pass wait until the server of the source has ended, then finish")
	cmd.Flags().BoolVar(&o.final, "final", false, "make no first pass: fail while a server of the source runs")
	cmd.Flags().BoolVar(&o.despite, "despite-faults", false, "set the target free even with faults, where the source has the same")
	cmd.Flags().BoolVar(&o.back, "take-back", false, "have the source serve again that an earlier copy has moved")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print one JSON object per pass")
	cmd.MarkFlagsMutuallyExclusive("wait", "final")
	cmd.MarkFlagsOneRequired("to", "take-back")
	for _, name := range []string{"to", "wait", "final", "despite-faults", "json"} {
		cmd.MarkFlagsMutuallyExclusive(name, "take-back")
	}
	_ = cmd.MarkFlagRequired("from") // there is such a flag
	return cmd
}

// takeBack has the source serve again.
func (o *copyOptions) takeBack(ctx context.Context, out, messages io.Writer) error {
	from, err := o.from.open(ctx, true)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	from.store.Log = slog.New(slog.NewTextHandler(messages, nil))
	target, err := storage.TakeBack(ctx, from.store)
	if err == nil {
		_, err = fmt.Fprintf(out, "A server may start here again. Let none start at the new place, store %s, any more: what it has taken is not here, and what is pending here it has, too.\n", target)
	}
	return err
}

func (o *copyOptions) run(ctx context.Context, out, messages io.Writer) error {
	bar := newProgress(messages)
	defer bar.clear()
	moving, notes, err := o.open(ctx, messages, bar)
	if err != nil {
		return err
	}
	var inUse error
	report, err := o.passes(ctx, moving, func(r *storage.CopyReport, awaited int, by error) error {
		bar.clear()
		inUse = by
		switch {
		case o.asJSON:
			return printJSON(out, r)
		case awaited > 0:
			return printPass(out, r, awaited, by)
		}
		return nil
	})
	if err = errors.Join(err, moving.Close()); err != nil {
		return err
	}
	if !o.asJSON {
		printCopy(out, report, notes, inUse)
	}
	if n := len(report.Faults); n > 0 && !report.Finished {
		return &exitError{exitFailed, fmt.Errorf("%s; the target is not set free", plural(n, "fault"))}
	}
	return nil
}

// open opens both ends. Where it fails, no folder of the target is left that was not there and in which nothing lies. The notes say what is
// left to be done by hand.
func (o *copyOptions) open(ctx context.Context, messages io.Writer, bar *progress) (moving *storage.Copy, notes []string, err error) {
	from, err := o.from.open(ctx, true)
	if err != nil {
		return nil, nil, fmt.Errorf("--from: %w", err)
	}
	to, err := o.to.open(ctx, false)
	if err != nil {
		return nil, nil, fmt.Errorf("--to: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, storage.RemoveUnused(to.made))
		}
	}()
	log := slog.New(slog.NewTextHandler(messages, nil))
	from.store.Log, to.store.Log = log, log
	if _, err := to.takeKeys(from, mayKeepKeys); err != nil {
		return nil, nil, err
	}
	moving, err = storage.OpenCopy(ctx, storage.CopyConfig{From: from.store, To: to.store, Progress: bar.show})
	if err != nil {
		return nil, nil, err
	}
	if notes, err = to.takeKeys(from, storage.KeepKeys); err != nil {
		return nil, nil, errors.Join(err, moving.Close())
	}
	return moving, notes, nil
}

// passes makes the passes that the flags ask for, and gives the last one's report. Each is told to done, with its number where the server of
// the source is awaited after it, else 0, and with what keeps the source from being at rest.
func (o *copyOptions) passes(ctx context.Context, c *storage.Copy, done func(r *storage.CopyReport, awaited int, by error) error) (*storage.CopyReport, error) {
	awaited := 0
	for {
		by := c.Rest()
		if by == nil {
			var r *storage.CopyReport
			if r, by = c.Finish(ctx, o.despite); by == nil {
				return r, done(r, 0, nil)
			}
		}
		if !errors.Is(by, storage.ErrLocked) || o.final {
			return nil, by
		}
		if o.wait {
			awaited++
		}
		r, err := c.Pass(ctx, o.wait)
		if err == nil {
			err = done(r, awaited, by)
		}
		if err != nil || !o.wait {
			return r, err
		}
		if err := o.await(ctx, c); err != nil {
			return nil, err
		}
	}
}

// await returns when the source is at rest, or after a while.
func (o *copyOptions) await(ctx context.Context, c *storage.Copy) error {
	look := time.NewTicker(copyLook)
	defer look.Stop()
	again := time.NewTimer(copyAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
			return nil
		case <-look.C:
			if err := c.Rest(); err == nil || !errors.Is(err, storage.ErrLocked) {
				return err
			}
		}
	}
}

// printPass says that a pass is done, and what the command waits for now: after the first one it is the server, later it may be something else.
func printPass(out io.Writer, r *storage.CopyReport, n int, by error) error {
	for _, f := range r.Faults {
		fmt.Fprintln(out, f)
	}
	name, why := "First pass", ""
	if n > 1 {
		name, why = fmt.Sprintf("Pass %d", n), fmt.Sprintf(" (%v)", by)
	}
	rows, _, messages := countRows(r)
	_, err := fmt.Fprintf(out, "%s done: %s, %s. Stop the server of the source now; waiting for it%s.\n", name, plural(rows, "row"), plural(messages, "message"), why)
	return err
}

// countRows counts what the source has, and how much of it was written now.
func countRows(r *storage.CopyReport) (rows, written, messages int64) {
	for _, t := range r.Tables {
		rows, written = rows+t.Rows, written+t.Written
		if t.Table == "message" {
			messages = t.Rows
		}
	}
	return rows, written, messages
}

// printCopy says what the last pass did and what is to be done next.
func printCopy(out io.Writer, r *storage.CopyReport, notes []string, inUse error) {
	rows, written, _ := countRows(r)
	fmt.Fprintf(out, "%s with %s, %d of them copied now; %s, %d of them written now; %s.\n",
		plural(r.Objects, "object"), amount(r.Octets), r.Copied, plural(rows, "row"), written, r.Took.Round(time.Millisecond))
	for _, f := range r.Faults {
		fmt.Fprintln(out, f)
	}
	switch {
	case r.Finished:
		fmt.Fprintf(out, "Done: %s and %s, compared row by row; %s read back from the target.\n",
			plural(r.Messages, "message"), plural(r.Pending, "pending delivery"), plural(r.Proven, "object"))
		fmt.Fprintln(out, "Start the server with its new configuration. With the old one none starts any more, unless you take it back (--take-back).")
	case len(r.Faults) == 0:
		fmt.Fprintf(out, "The source is not at rest (%v). Stop its server and run the same command again: that brings over the rest and finishes.\n", inUse)
	}
	for _, note := range notes {
		fmt.Fprintln(out, note)
	}
}
