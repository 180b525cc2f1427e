package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// replayPlan is a replay that was counted and not made.
type replayPlan struct {
	State, Since, Recipient, Rate string // as they were chosen

	Count storage.ReplayCount
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
	spec, err := plan.spec(p.ID, time.Now())
	if err != nil {
		return err
	}
	if plan.Count, err = d.Store.CountReplay(r.Context(), &spec, p.Declared, d.Directory()); err != nil {
		return err
	}
	if r.PostFormValue("confirmed") != "" && plan.Count.Made > 0 {
		made, err := d.Store.CreateReplay(r.Context(), spec, plan.Count.Made)
		if err != nil {
			return err
		}
		if err := d.note(r, v, p.Account, "replay.create", made.ID, spec); err != nil {
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

// spec is what the form means.
func (p *replayPlan) spec(endpoint string, now time.Time) (storage.ReplaySpec, error) {
	spec := storage.ReplaySpec{Endpoint: endpoint, Recipient: p.Recipient}
	switch p.State {
	case storage.StateDead, storage.StateDelivered, storage.StateFiltered:
		spec.States = []string{p.State}
		spec.IgnoreFilters = p.State == storage.StateFiltered
	case "any":
	default:
		return spec, badInput("Choose which deliveries are made again.")
	}
	back, ok := sinces[p.Since]
	if !ok {
		return spec, badInput("Choose how far back it goes.")
	}
	if back > 0 {
		spec.From = now.Add(-back).Truncate(time.Second)
	}
	if p.Rate != "" {
		if _, err := fmt.Sscanf(p.Rate, "%g", &spec.Rate); err != nil || spec.Rate < 0 {
			return spec, badInput("The rate is a number of deliveries in a second, or empty.")
		}
	}
	return spec, nil
}

// words say what would happen.
func (p *replayPlan) words() string {
	c := &p.Count
	if c.Made == 0 {
		text := "Nothing would be sent again."
		if c.Owed > 0 {
			text += fmt.Sprintf(" %s waiting already.", plural(int(c.Owed), "delivery is"))
		}
		if c.Gone > 0 {
			text += fmt.Sprintf(" Of %s the mail is no longer kept.", count(c.Gone))
		}
		return text
	}
	text := fmt.Sprintf("%s %s would be sent again", count(c.Made), noun(c.Made, "delivery"))
	if c.Owed > 0 {
		text += fmt.Sprintf("; %s are waiting already", count(c.Owed))
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
	turn, action := d.Store.CancelReplay, "cancel"
	switch r.PostFormValue("turn") {
	case "pause":
		turn, action = d.Store.PauseReplay, "pause"
	case "resume":
		turn, action = d.Store.ResumeReplay, "resume"
	}
	if err := turn(r.Context(), one.ID); errors.Is(err, storage.ErrStale) {
		return badInput("The replay is %s by now.", one.State)
	} else if err != nil {
		return err
	}
	if err := d.note(r, v, p.Account, "replay."+action, one.ID, nil); err != nil {
		return err
	}
	d.goTo(w, r, "/endpoints/"+p.ID, "turned")
	return nil
}
