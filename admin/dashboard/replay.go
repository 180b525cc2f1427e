package dashboard

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/storage"
)

// replayPlan is a replay that was counted and not made.
type replayPlan struct {
	State, Since, Recipient, Rate string // as they were chosen

	Count api.ReplayCount
	Text  string
}

// replayLine is a replay of an endpoint with its progress.
type replayLine struct {
	*storage.Replay

	Share int // of Total, in percent
	What  string
}

// replaysShown is how many of an endpoint's replays its page lists.
const replaysShown = 5

func (d *dashboard) replaysOf(r *http.Request, p *endpointPage) error {
	all, err := d.Store.Replays(r.Context())
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.Spec.Endpoint != p.ID && one.Spec.To != p.ID || len(p.Replays) == replaysShown {
			continue
		}
		line := replayLine{Replay: one, Share: 100, What: strings.Join(one.Spec.States, ", ")}
		if one.Total > 0 {
			line.Share = int(min(100, (one.Made+one.Owed+one.Gone)*100/one.Total))
		}
		p.Replays = append(p.Replays, line)
	}
	return nil
}

// maxRate is the most that the API takes.
const maxRate = 100_000

// sinces are how far a replay may go back.
var sinces = map[string]time.Duration{"1h": time.Hour, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "all": 0}

// planReplay counts what a replay would make, and makes it where that was confirmed.
func (d *dashboard) planReplay(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	p, _, err := d.endpointOf(r, v, time.Now())
	if err != nil {
		return err
	}
	if !v.May(access.ScopeReplay) {
		return errNoPermission
	}
	plan := &replayPlan{State: r.PostFormValue("state"), Since: r.PostFormValue("since"), Recipient: strings.TrimSpace(r.PostFormValue("recipient")), Rate: r.PostFormValue("rate")}
	in, err := plan.settings(p.ID, time.Now())
	if err != nil {
		return err
	}
	if err := d.ask(r, http.MethodPost, "/replay-counts", in, &plan.Count); err != nil {
		return err
	}
	if r.PostFormValue("confirmed") != "" && plan.Count.Made > 0 {
		if err := d.ask(r, http.MethodPost, "/replays", api.NewReplay{ReplaySettings: in, All: true}, nil); err != nil {
			return err
		}
		d.goTo(w, r, "/endpoints/"+p.ID, "replayed")
		return nil
	}
	plan.Text = plan.words()
	return d.showEndpoint(w, r, v, func(p *endpointPage) error {
		p.Plan = plan
		return nil
	})
}

// settings are what the form means.
func (p *replayPlan) settings(endpoint string, now time.Time) (api.ReplaySettings, error) {
	in := api.ReplaySettings{Endpoint: endpoint, Recipient: p.Recipient}
	switch p.State {
	case storage.StateDead, storage.StateDelivered, storage.StateFiltered:
		in.States = []string{p.State}
		in.IgnoreFilters = p.State == storage.StateFiltered
	case "any":
	default:
		return in, badInput("Choose which deliveries are made again.")
	}
	back, ok := sinces[p.Since]
	if !ok {
		return in, badInput("Choose how far back it goes.")
	}
	if back > 0 {
		from := now.Add(-back).Truncate(time.Second)
		in.From = &from
	}
	if p.Rate != "" {
		rate, err := strconv.ParseFloat(p.Rate, 64)
		if err != nil || !(rate >= 0 && rate <= maxRate) { // NaN is neither
			return in, badInput("The rate is a number of deliveries in a second up to %d, or empty.", maxRate)
		}
		in.Rate = rate
	}
	return in, nil
}

// words say what would happen.
func (p *replayPlan) words() string {
	c := &p.Count
	if c.Made == 0 {
		text := "Nothing would be sent again."
		if c.Owed > 0 {
			text += fmt.Sprintf(" %s %s waiting already.", plural(c.Owed, "delivery"), are(c.Owed))
		}
		if c.Gone > 0 {
			text += fmt.Sprintf(" Of %s the mail is no longer kept.", count(c.Gone))
		}
		return text
	}
	text := plural(c.Made, "delivery") + " would be sent again"
	if c.Owed > 0 {
		text += fmt.Sprintf("; %s %s waiting already", count(c.Owed), are(c.Owed))
	}
	if c.Gone > 0 {
		text += fmt.Sprintf("; of %s the mail is no longer kept", count(c.Gone))
	}
	return text + ". The receiver sees the same webhook-id as before, with letterhook-replay: true."
}

// turnReplay pauses, resumes or cancels a replay.
func (d *dashboard) turnReplay(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	p, _, err := d.endpointOf(r, v, time.Now())
	if err != nil {
		return err
	}
	if !v.May(access.ScopeReplay) {
		return errNoPermission
	}
	one, err := d.Store.Replay(r.Context(), r.PathValue("replay"))
	if err != nil {
		return err
	}
	if one.Spec.Endpoint != p.ID && one.Spec.To != p.ID {
		return storage.ErrNotFound
	}
	verb := r.PostFormValue("turn")
	if verb != "pause" && verb != "resume" && verb != "cancel" {
		return badInput("A replay is paused, resumed or cancelled.")
	}
	if err := d.ask(r, http.MethodPost, "/replays/"+url.PathEscape(one.ID)+"/"+verb, nil, nil); err != nil {
		return err
	}
	d.goTo(w, r, "/endpoints/"+p.ID, "turned")
	return nil
}
