package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/letterhook/letterhook/cmd/letterhook/apiclient"
)

// topOptions are the flags of top.
type topOptions struct {
	at       place
	minutes  int
	interval time.Duration
	once     bool
	json     bool
}

func newTopCommand() *cobra.Command {
	o := topOptions{minutes: 5, interval: 2 * time.Second}
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the endpoints: how much goes to them, what waits, how long they take",
		Long: `Watch the endpoints in a table that is kept up to date, those with most waiting first: deliveries a minute, failures, what waits and
is retried, in how many milliseconds half and 99 of 100 attempts were answered, and whether attempts are made. q or Ctrl-C ends it.

With --json, --once, or where the output is no terminal, it is printed once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.minutes < 1 || o.interval < 200*time.Millisecond {
				return &exitError{exitUsage, errors.New("--minutes is at least 1, --interval at least 200ms")}
			}
			return o.at.client(cmd.Context(), cmd.ErrOrStderr(), func(c *apiclient.Client) error { return o.run(cmd.Context(), cmd.OutOrStdout(), c) })
		},
	}
	o.at.anywhere(cmd)
	f := cmd.Flags()
	f.IntVar(&o.minutes, "minutes", o.minutes, "count what happened in so many `minutes`")
	f.DurationVar(&o.interval, "interval", o.interval, "how often the table is made anew")
	f.BoolVar(&o.once, "once", false, "print the table once")
	f.BoolVar(&o.json, "json", false, "print one JSON object, once")
	return cmd
}

func (o *topOptions) run(ctx context.Context, w io.Writer, c *apiclient.Client) error {
	if o.json || o.once || !isTerminal(w) {
		t, err := o.look(ctx, c)
		if err != nil {
			return err
		}
		if o.json {
			return printJSON(w, t)
		}
		return t.print(w, 0)
	}
	return o.watch(ctx, w, c)
}

// topTable is what there is to see at one time.
type topTable struct {
	At        time.Time `json:"at"`
	Minutes   int       `json:"minutes"`
	Accepted  int64     `json:"accepted"` // in these minutes, like the next three
	Refused   int64     `json:"refused"`
	Delivered int64     `json:"delivered"`
	Failed    int64     `json:"failed"`
	Waiting   int64     `json:"waiting"` // now, like the rest
	Retrying  int64     `json:"retrying"`
	Dead      int64     `json:"dead"`
	OldestDue time.Time `json:"oldest_due,omitzero"`
	Endpoints []topRow  `json:"endpoints"`
}

// topRow is an endpoint.
type topRow struct {
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	Rate     float64 `json:"delivered_per_minute"`
	Failed   int64   `json:"failed"`
	Waiting  int64   `json:"waiting"`
	Retrying int64   `json:"retrying"`
	P50      string  `json:"p50_ms"` // a bound that the duration was within; empty: there was no attempt
	P99      string  `json:"p99_ms"`
	State    string  `json:"state"`
	Text     string  `json:"text"` // the state for people
}

func (o *topOptions) look(ctx context.Context, c *apiclient.Client) (*topTable, error) {
	v, err := c.GetOverview(ctx, apiclient.GetOverviewParams{Minutes: int64(o.minutes)})
	if err != nil {
		return nil, err
	}
	known, err := farEndpoints(ctx, c)
	if err != nil {
		return nil, err
	}
	t := &topTable{
		At: time.Now().UTC(), Minutes: o.minutes, Accepted: v.Accepted, Refused: v.Refused, Delivered: v.Delivered, Failed: v.Failed, Waiting: v.Waiting,
		Retrying: v.Retrying, Dead: v.Dead, OldestDue: v.OldestDue, Endpoints: []topRow{},
	}
	for i := range v.Endpoints {
		e := &v.Endpoints[i]
		row := topRow{
			ID: e.EndpointID, Name: e.Name, Rate: float64(e.Delivered) / float64(o.minutes), Failed: e.Failed, Waiting: e.Waiting, Retrying: e.Retrying,
			P50: boundOf(e.Took, 50), P99: boundOf(e.Took, 99), State: e.State, Text: e.State,
		}
		if k, ok := known[e.EndpointID]; ok {
			row.Text = stateOf(&k)
		}
		t.Endpoints = append(t.Endpoints, row)
	}
	slices.SortFunc(t.Endpoints, func(a, b topRow) int {
		return cmp.Or(cmp.Compare(b.Waiting, a.Waiting), cmp.Compare(b.Rate, a.Rate), cmp.Compare(a.Name, b.Name))
	})
	return t, nil
}

// boundOf is the bound that so many of 100 attempts were within.
func boundOf(took []apiclient.Count, percent int64) string {
	var all, sum int64
	for _, t := range took {
		all += t.N
	}
	for _, t := range took {
		if sum += t.N; sum*100 >= all*percent {
			return t.Name
		}
	}
	return ""
}

// print writes the table, at most so many lines of it; 0: all.
func (t *topTable) print(w io.Writer, lines int) error {
	fmt.Fprintf(w, "%s  last %d min: %d accepted, %d refused, %d delivered, %d failed\n", clock(t.At), t.Minutes, t.Accepted, t.Refused, t.Delivered, t.Failed)
	behind := ""
	if !t.OldestDue.IsZero() {
		behind = ", the oldest due " + max(0, t.At.Sub(t.OldestDue)).Round(time.Second).String() + " ago"
	}
	fmt.Fprintf(w, "now: %d waiting, %d retrying, %d dead%s\n\n", t.Waiting, t.Retrying, t.Dead, behind)
	rows, more := t.Endpoints, 0
	if lines > 0 && len(rows) > lines-topHead {
		rows = rows[:max(0, lines-topHead)]
		more = len(t.Endpoints) - len(rows)
	}
	err := printList(w, rows, false, "ENDPOINT|PER MIN|FAILED|WAITING|RETRYING|P50 MS|P99 MS|STATE", func(r *topRow) []any {
		return []any{r.Name, fmt.Sprintf("%.1f", r.Rate), r.Failed, r.Waiting, r.Retrying, orWord(r.P50, "-"), orWord(r.P99, "-"), r.Text}
	})
	if more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	return err
}

// topHead is how many lines are no endpoints.
const topHead = 6

// What a terminal is told (ECMA-48 and the private modes that all of them have).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	toTop       = "\x1b[H"
	clearRest   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// watch keeps the table on the screen until somebody has enough.
func (o *topOptions) watch(ctx context.Context, w io.Writer, c *apiclient.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if in := int(os.Stdin.Fd()); term.IsTerminal(in) {
		if before, err := term.MakeRaw(in); err == nil {
			defer func() { _ = term.Restore(in, before) }()
			go awaitQuit(os.Stdin, cancel) // it ends with the program
		}
	}
	fmt.Fprint(w, enterScreen)
	defer fmt.Fprint(w, leaveScreen)
	tick := time.NewTicker(o.interval)
	defer tick.Stop()
	for {
		t, err := o.look(ctx, c)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && apiclient.Status(err)/100 == 4:
			return err
		case err != nil:
			fmt.Fprint(w, toTop+printable(err.Error(), false)+clearRest)
		default:
			if err := paint(w, t); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// paint writes over what stands on the screen, so that nothing flickers.
func paint(w io.Writer, t *topTable) error {
	width, height := 200, 50
	if file, ok := w.(*os.File); ok {
		if columns, rows, err := term.GetSize(int(file.Fd())); err == nil {
			width, height = columns, rows
		}
	}
	var page bytes.Buffer
	if err := t.print(&page, height); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(toTop)
	for line := range strings.Lines(page.String()) {
		text := []rune(strings.TrimRight(line, "\n"))
		b.WriteString(string(text[:min(len(text), width)]) + clearRest + "\r\n")
	}
	b.WriteString(clearBelow)
	_, err := io.WriteString(w, b.String())
	return err
}

// awaitQuit waits for a key that means that it is enough: a terminal in raw mode sends no signals.
func awaitQuit(in io.Reader, quit func()) {
	key := make([]byte, 1)
	for {
		n, err := in.Read(key)
		if err != nil || n == 1 && (key[0] == 'q' || key[0] == 3 || key[0] == 4) {
			quit()
			return
		}
	}
}
