package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/storage"
)

// progressLook is how often it is looked how far long work is.
const progressLook = 300 * time.Millisecond

// standing is how far a replay is.
type standing struct {
	Done, Of int64
	Text     string // more about it, for people
	Ended    bool
}

// awaitReplays stays until replays have ended, one after the other, and shows how far they are.
func awaitReplays(ctx context.Context, w io.Writer, ids []string, ask func(context.Context, string) (standing, error)) error {
	bar := newProgress(w)
	defer bar.clear()
	ticker := time.NewTicker(progressLook)
	defer ticker.Stop()
	for _, id := range ids {
		for {
			p, err := ask(ctx, id)
			if err != nil {
				return err
			}
			if p.Ended {
				bar.clear()
				fmt.Fprintf(w, "%s: %d of %d%s\n", id, p.Done, p.Of, p.Text)
				break
			}
			bar.show(id, p.Done, p.Of)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return errors.New("not waited to the end; the replay goes on")
			}
		}
	}
	return nil
}

// replayStanding is how far a replay is: what it made, but for what is pending.
func replayStanding(state string, total, made, pending int64, finished map[string]int64) standing {
	p := standing{Done: max(0, made-pending), Of: max(total, made)}
	if dead := finished[storage.StateDead]; dead > 0 {
		p.Text = fmt.Sprintf(", %d dead", dead)
	}
	switch state {
	case string(storage.ReplayCancelled):
		p.Ended, p.Text = true, p.Text+", cancelled"
	case string(storage.ReplayPaused):
		p.Text += ", paused"
	case string(storage.ReplayMade):
		if p.Of = made; pending == 0 {
			p.Ended = true
		}
	}
	return p
}

func farProgress(c *apiclient.Client) func(context.Context, string) (standing, error) {
	return func(ctx context.Context, id string) (standing, error) {
		r, err := c.GetReplay(ctx, id)
		if err != nil {
			return standing{}, err
		}
		return replayStanding(string(r.State), r.Total, r.Made, r.Pending, r.Finished), nil
	}
}

func nearProgress(store *storage.Store) func(context.Context, string) (standing, error) {
	return func(ctx context.Context, id string) (standing, error) {
		r, err := store.Replay(ctx, id)
		if err != nil {
			return standing{}, err
		}
		p, err := store.ReplayProgress(ctx, id)
		return replayStanding(string(r.State), r.Total, r.Made, p.Pending, p.Finished), err
	}
}

func newReplayWait(at *place) *cobra.Command {
	return &cobra.Command{
		Use:   "wait ID...",
		Short: "Stay until replays have ended, and show how far they are",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				return awaitReplays(cmd.Context(), cmd.ErrOrStderr(), args, farProgress(c))
			}, func(store *storage.Store) error {
				return awaitReplays(cmd.Context(), cmd.ErrOrStderr(), args, nearProgress(store))
			})
		},
	}
}
