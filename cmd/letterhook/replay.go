package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
	"github.com/letterhook/letterhook/cmd/letterhook/config"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

func newReplayCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Deliver mail again: to the same endpoint, another one or a URL",
		Long: `Deliver mail again, by jobs that a running server works at in small steps and that survive a restart. A replay keeps
the webhook-id of its mail, carries the field letterhook-replay: true, and is retried like any other delivery. It waits
while its endpoint is paused or disabled, and mail that comes meanwhile does not wait behind it.`,
		Example: `  letterhook replay create --dead --since 2d --dry-run
  letterhook replay create --endpoint app --since 2026-11-25T08:00:00Z --rate 20
  letterhook replay create --endpoint archive --missing
  letterhook replay create --message msg_01k... --to-url https://staging.example.com/hooks/mail
  letterhook replay show rpl_01k...`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	at.anywhere(cmd)
	cmd.AddCommand(newReplayCreate(&at), newReplayList(&at), newReplayShow(&at),
		newReplayWait(&at),
		turnReplay(&at, "pause", "Make no more deliveries for now; those that were made go on", (*apiclient.Client).PauseReplay, (*storage.Store).PauseReplay),
		turnReplay(&at, "resume", "Go on with paused replays", (*apiclient.Client).ResumeReplay, (*storage.Store).ResumeReplay),
		turnReplay(&at, "cancel", "End replays and take back what they made and is unfinished", (*apiclient.Client).CancelReplay, (*storage.Store).CancelReplay),
	)
	return cmd
}

// replayOptions are the flags of replay create.
type replayOptions struct {
	spec         storage.ReplaySpec
	endpoint, to string // names
	since, until string
	dead, all    bool
	dryRun       bool
	wait         bool
	json         bool
}

func newReplayCreate(at *place) *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Choose deliveries and have them made again",
		Long: `Choose finished deliveries and have them made again: one job for each endpoint that has some. Every condition given
must hold. Without --state the delivered, dead and missed ones are chosen; what was replayed already counts as its
replay went.

--missing chooses mail that came before the endpoint was declared: whose recipients would go to it today, and that it was
never owed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.read(time.Now()); err != nil {
				return &exitError{exitUsage, err}
			}
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error { return o.createFar(cmd, c) }, func(store *storage.Store) error {
				made, err := o.create(cmd.Context(), store, at, cmd.OutOrStdout())
				if err == nil && o.wait {
					err = awaitReplays(cmd.Context(), cmd.ErrOrStderr(), made, nearProgress(store))
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.endpoint, "endpoint", "", "what the endpoint with this `name` or id had; default: every endpoint")
	f.BoolVar(&o.spec.Missing, "missing", false, "what the endpoint never had")
	f.StringVar(&o.spec.Message, "message", "", "the message with this `id`")
	f.StringSliceVar(&o.spec.States, "state", nil, "delivered, dead, missed or filtered ones")
	f.BoolVar(&o.dead, "dead", false, "the same as --state dead")
	f.StringVar(&o.spec.Domain, "domain", "", "mail with a recipient in this `domain`")
	f.StringVar(&o.spec.Recipient, "recipient", "", "mail with this recipient `address`")
	f.StringVar(&o.spec.Sender, "sender", "", "mail whose reverse-path is this `address`, or in this domain; <>: the null one")
	f.StringVar(&o.spec.Kind, "kind", "", "mail of this `kind`, for example human")
	f.StringVar(&o.since, "since", "", "mail received at this `time` (2026-11-25T08:00:00Z) or later, or this long ago (2h, 7d)")
	f.StringVar(&o.until, "until", "", "mail received before this `time`")
	f.BoolVar(&o.all, "all", false, "everything that is kept: needed where nothing else is chosen")
	f.StringVar(&o.to, "to", "", "lead it to the endpoint with this `name` or id instead")
	f.StringVar(&o.spec.URL, "to-url", "", "post it to this `URL` instead, signed with the endpoint's secrets and without its header fields and credentials")
	f.Float64Var(&o.spec.Rate, "rate", 0, "make at most so many deliveries a second; 0: any number")
	f.BoolVar(&o.spec.IgnoreFilters, "ignore-filters", false, "ask no filters, and choose what they kept back too")
	f.BoolVar(&o.dryRun, "dry-run", false, "count, and make nothing")
	f.BoolVar(&o.wait, "wait", false, "stay until everything is delivered or given up, and show how far it is")
	f.BoolVar(&o.json, "json", false, "print one JSON object per replay")
	complete(cmd, "endpoint", at.endpointNames)
	complete(cmd, "to", at.endpointNames)
	complete(cmd, "state", among(storage.StateDelivered, storage.StateDead, storage.StateMissed, storage.StateFiltered))
	cmd.MarkFlagsMutuallyExclusive("dry-run", "wait")
	cmd.MarkFlagsMutuallyExclusive("to", "to-url")
	cmd.MarkFlagsMutuallyExclusive("state", "dead")
	cmd.MarkFlagsMutuallyExclusive("missing", "state")
	cmd.MarkFlagsMutuallyExclusive("missing", "dead")
	return cmd
}

// read understands the flags.
func (o *replayOptions) read(now time.Time) (err error) {
	p := &o.spec
	if o.dead {
		p.States = []string{storage.StateDead}
	}
	for _, state := range p.States {
		if !slices.Contains([]string{storage.StateDelivered, storage.StateDead, storage.StateMissed, storage.StateFiltered}, state) {
			return fmt.Errorf("--state is delivered, dead, missed or filtered, not %q", state)
		}
	}
	if p.From, err = readMoment(o.since, now); err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	if p.Until, err = readMoment(o.until, now); err != nil {
		return fmt.Errorf("--until: %w", err)
	}
	if p.Rate < 0 {
		return errors.New("--rate cannot be negative")
	}
	if p.URL != "" {
		if err := dispatch.CheckURL(p.URL); err != nil {
			return fmt.Errorf("--to-url: %w", err)
		}
	}
	chosen := o.endpoint != "" || p.Message != "" || len(p.States) > 0 || p.Domain != "" || p.Recipient != "" || p.Sender != "" ||
		p.Kind != "" || !p.From.IsZero() || !p.Until.IsZero()
	switch {
	case p.Missing && o.endpoint == "":
		return errors.New("--missing needs --endpoint")
	case p.Missing && o.to != "":
		return errors.New("--missing leads to its --endpoint, not to another one")
	case !chosen && !o.all:
		return errors.New("nothing is chosen; --all replays everything")
	}
	return nil
}

// readMoment reads a time, or how long ago it was; the zero time where there is no text.
func readMoment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	var ago config.Duration
	if err := ago.UnmarshalText([]byte(text)); err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time like 2026-11-25T08:00:00Z nor a duration like 2h or 7d", text)
	}
	return now.Add(-ago.Std()), nil
}

// plan is a replay that may be made.
type plan struct {
	spec  storage.ReplaySpec
	count storage.ReplayCount
}

func (o *replayOptions) create(ctx context.Context, store *storage.Store, at *place, w io.Writer) (ids []string, err error) {
	known, err := readEndpoints(ctx, store)
	if err != nil {
		return nil, err
	}
	plans, err := o.plans(ctx, store, at, known)
	if err != nil {
		return nil, err
	}
	if o.dryRun {
		return nil, printPlans(w, plans, known, o.json)
	}
	for _, p := range plans {
		if p.count.Made == 0 && (p.count.Owed+p.count.Gone == 0 || !o.json) {
			if !o.json && p.count.Owed+p.count.Gone > 0 {
				fmt.Fprintf(w, "%s: nothing to replay, %s\n", printable(known.name(p.spec.Endpoint), false), passed(p.count))
			}
			continue
		}
		r, err := store.CreateReplay(ctx, p.spec, p.count.Made)
		if err != nil {
			return ids, err
		}
		ids = append(ids, r.ID)
		if err := noteHere(ctx, store, known[p.spec.Endpoint].Account, "replay.create", r.ID, r.Spec); err != nil {
			return ids, err
		}
		if o.json {
			if err := printJSON(w, replayLineOf(r, storage.ReplayProgress{}, known)); err != nil {
				return ids, err
			}
			continue
		}
		fmt.Fprintf(w, "%s replays %s of %s, %s\n", r.ID, plural(p.count.Made, "delivery"), printable(known.name(p.spec.Endpoint), false), passed(p.count))
	}
	if len(ids) == 0 && !o.json {
		fmt.Fprintln(w, "nothing to replay")
	}
	return ids, nil
}

func passed(c storage.ReplayCount) string {
	return fmt.Sprintf("passing over %d that are owed already and %d that are gone", c.Owed, c.Gone)
}

// plans counts what would be made for each endpoint.
func (o *replayOptions) plans(ctx context.Context, store *storage.Store, at *place, known endpoints) ([]plan, error) {
	sources, err := o.sources(ctx, store, known)
	if err != nil {
		return nil, err
	}
	if o.to != "" {
		if o.spec.To, err = known.find(o.to); err != nil {
			return nil, err
		}
	}
	var directory *storage.Directory
	if o.spec.Missing || o.spec.To != "" {
		if directory, err = at.directory(ctx, store); err != nil {
			return nil, err
		}
	}
	var plans []plan
	for _, id := range sources {
		p := plan{spec: o.spec}
		p.spec.Endpoint = id
		if to := p.spec.To; to == id {
			p.spec.To = ""
		} else if to != "" && known[to].Account != known[id].Account {
			return nil, &exitError{exitUsage, fmt.Errorf("%q belongs to another account than %q", o.to, known.name(id))}
		}
		if p.spec.URL != "" && !known[id].Declared {
			return nil, &exitError{exitUsage, fmt.Errorf("%q is not configured any more, so nothing can be signed for the URL; lead it --to an endpoint", known.name(id))}
		}
		var target *storage.Endpoint
		if directory != nil {
			lane := p.spec.To
			if lane == "" {
				lane = id
			}
			target = directory.Endpoints[lane]
		}
		if p.count, err = store.CountReplay(ctx, &p.spec, target, directory); err != nil {
			return nil, err
		}
		if p.count != (storage.ReplayCount{}) {
			plans = append(plans, p)
		}
	}
	if (o.to != "" || o.spec.URL != "") && len(plans) > 1 {
		return nil, &exitError{exitUsage, errors.New("several endpoints had this mail; name one with --endpoint, or the target gets it several times")}
	}
	return plans, nil
}

// sources are the endpoints whose deliveries are looked at.
func (o *replayOptions) sources(ctx context.Context, store *storage.Store, known endpoints) ([]string, error) {
	if o.endpoint == "" {
		return store.ReplayEndpoints(ctx, &o.spec)
	}
	id, err := known.find(o.endpoint)
	return []string{id}, err
}

// directory gives the routes as the configuration and what came by the API have them now.
func (p *place) directory(ctx context.Context, store *storage.Store) (*storage.Directory, error) {
	path := p.config
	if path == "" && p.data == "" {
		path = "letterhook.yaml"
	}
	if path == "" {
		return nil, &exitError{exitUsage, errors.New("the routes stand in a configuration: give --config")}
	}
	c, err := config.LoadRouting(path, os.Environ())
	if err != nil {
		return nil, err
	}
	stored, err := store.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	list, _, err := storedOf(ctx, store, c, stored.Settings)
	if err != nil {
		return nil, err
	}
	merged, _ := c.With(list)
	return store.Preview(ctx, declare(merged))
}

// turnReplay is a command that changes the state of replays.
func turnReplay(at *place, verb, short string, far func(*apiclient.Client, context.Context, string) (*apiclient.Replay, error),
	near func(*storage.Store, context.Context, string) error,
) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " ID...",
		Short: short,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return at.either(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error {
				for _, id := range args {
					if _, err := far(c, cmd.Context(), id); err != nil {
						return err
					}
				}
				return nil
			}, func(store *storage.Store) error {
				for _, id := range args {
					if err := near(store, cmd.Context(), id); err != nil {
						return err
					}
					if err := noteReplay(cmd.Context(), store, id, "replay."+verb); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}
