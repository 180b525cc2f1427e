package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// endpointsPage is what the list of endpoints shows.
type endpointsPage struct {
	newEndpoint

	Lines []endpointLine
}

// newEndpoint is what the form for one needs.
type newEndpoint struct {
	Accounts []choice // to choose from; none: there is no choice
	Operator bool
	MayWrite bool
	Back     string // path of the page that the form stands on
}

// endpoints is the list of all of them.
func (d *dashboard) endpoints(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	now := time.Now()
	o, err := d.Store.Overview(r.Context(), storage.OverviewQuery{Account: v.Account, Since: now.Add(-time.Hour)})
	if err != nil {
		return err
	}
	lines := make([]endpointLine, len(o.Endpoints))
	for i := range o.Endpoints {
		lines[i] = lineOf(&o.Endpoints[i], now)
	}
	slices.SortStableFunc(lines, func(a, b endpointLine) int { return strings.Compare(a.Name, b.Name) })
	accounts, err := d.accountChoices(r, v)
	if err != nil {
		return err
	}
	return d.show(w, r, v, http.StatusOK, "endpoints", page{Title: "Endpoints", Here: "/endpoints", Body: endpointsPage{
		Lines: lines, newEndpoint: newEndpoint{Accounts: accounts, Operator: v.Operator(), MayWrite: v.May(access.ScopeWrite), Back: "/endpoints"},
	}})
}

// endpointPage is what the page of an endpoint shows.
type endpointPage struct {
	endpointLine

	Declared            *storage.Endpoint // nil: no configuration names it
	URL                 string
	Sentence            string
	Range               string // of the plots: hour, day or week
	Latency             plot
	Success             plot
	Recent              []recentLine
	Secrets             []secretLine
	Fixed               int // secrets that stand in the configuration
	Replays             []replayLine
	MayWrite, MayReplay bool

	Made   *madeSecret           // just now; it is never shown again
	Tested *storage.EndpointTest // just now
	Plan   *replayPlan           // to be confirmed
}

// plot is what the script draws. At is in unix seconds.
type plot struct {
	At    []int64    `json:"at"`
	Unit  string     `json:"unit,omitempty"`
	Lines []plotLine `json:"lines"`
}

type plotLine struct {
	Label  string   `json:"label"`
	Colour string   `json:"colour"` // a custom property of the style sheet
	Points []*int64 `json:"points"` // null: nothing happened
}

// recentLine is a delivery with its last attempt.
type recentLine struct {
	storage.DeliveryRow

	State string
	Last  *storage.Attempt // nil: none was made
	Words string
}

// endpointOf gives an endpoint that the viewer may see.
func (d *dashboard) endpointOf(r *http.Request, v *access.Principal, since time.Time) (*endpointPage, *storage.Overview, error) {
	id := r.PathValue("id")
	o, err := d.Store.Overview(r.Context(), storage.OverviewQuery{Account: v.Account, Endpoint: id, Since: since})
	if err != nil {
		return nil, nil, err
	}
	for i := range o.Endpoints {
		if o.Endpoints[i].ID == id && v.Sees(o.Endpoints[i].Account) {
			p := &endpointPage{endpointLine: lineOf(&o.Endpoints[i], time.Now()), MayWrite: v.May(access.ScopeWrite), MayReplay: v.May(access.ScopeReplay)}
			if e := d.Directory().Endpoints[id]; e != nil && !e.Disabled {
				p.Declared, p.URL, p.Fixed = e, shownURL(e.URL), len(e.Secrets)+len(e.Retiring)
			}
			return p, o, nil
		}
	}
	return nil, nil, storage.ErrNotFound
}

// ranges are the times that the plots go over.
var ranges = map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour}

// endpoint is the page of one.
func (d *dashboard) endpoint(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	return d.showEndpoint(w, r, v, func(*endpointPage) error { return nil })
}

// showEndpoint shows the page of an endpoint with what add puts on it.
func (d *dashboard) showEndpoint(w http.ResponseWriter, r *http.Request, v *access.Principal, add func(*endpointPage) error) error {
	window := r.URL.Query().Get("range")
	if ranges[window] == 0 {
		window = "hour"
	}
	p, o, err := d.endpointOf(r, v, time.Now().Add(-ranges[window]))
	if err != nil {
		return err
	}
	p.Range = window
	p.draw(o)
	if err := d.recent(r, p); err != nil {
		return err
	}
	if err := d.secretsOf(r, p); err != nil {
		return err
	}
	if err := d.replaysOf(r, p); err != nil {
		return err
	}
	if err := add(p); err != nil {
		return err
	}
	p.Sentence = p.sentence()
	return d.show(w, r, v, http.StatusOK, "endpoint", page{Title: p.Name, Here: "/endpoints", Plots: true, Body: p})
}

// sentence says how the endpoint is.
func (p *endpointPage) sentence() string {
	text := "It is " + p.Text
	if p.State == "enabled" {
		text = "It is enabled and takes what it is sent"
	}
	text = strings.TrimSuffix(text, ".") + ". "
	switch {
	case p.Pending == 0:
		return text + "Nothing waits for it."
	case p.DueAt.Before(time.Now()):
		return text + plural(p.Pending, "delivery") + " waiting, the oldest has been due since " + p.DueAt.UTC().Format("15:04 UTC") + "."
	}
	return text + plural(p.Pending, "delivery") + " waiting, the next is due " + ago(p.DueAt, time.Now()) + "."
}

// draw makes the plots.
func (p *endpointPage) draw(o *storage.Overview) {
	median, most := plotLine{Label: "half within", Colour: "accent"}, plotLine{Label: "95 % within", Colour: "amber"}
	good, bad := plotLine{Label: "delivered", Colour: "green"}, plotLine{Label: "failed", Colour: "red"}
	at := make([]int64, len(o.Points))
	for i := range o.Points {
		point := &o.Points[i]
		at[i] = point.At.Unix()
		good.Points, bad.Points = append(good.Points, &point.Delivered), append(bad.Points, &point.Failed)
		median.Points, most.Points = append(median.Points, within(point.Took, 50)), append(most.Points, within(point.Took, 95))
	}
	p.Latency = plot{At: at, Unit: " ms", Lines: []plotLine{median, most}}
	p.Success = plot{At: at, Lines: []plotLine{good, bad}}
}

// recentDeliveries is how many the page shows.
const recentDeliveries = 15

func (d *dashboard) recent(r *http.Request, p *endpointPage) error {
	rows, err := d.Store.Deliveries(r.Context(), storage.DeliveryFilter{Endpoint: p.ID, Limit: recentDeliveries})
	if err != nil {
		return err
	}
	for _, row := range rows {
		line := recentLine{DeliveryRow: row, State: row.State}
		if row.State == storage.StatePending && row.Attempts > 0 {
			line.State = storage.StateRetrying
		}
		made, err := d.Store.Attempts(r.Context(), row.ID)
		if err != nil {
			return err
		}
		if len(made) > 0 {
			line.Last = &made[len(made)-1]
			line.Words = attemptWords(line.Last)
		}
		p.Recent = append(p.Recent, line)
	}
	return nil
}

// changeEndpoint pauses or enables.
func (d *dashboard) changeEndpoint(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	p, err := d.mayChange(r, v)
	if err != nil {
		return err
	}
	verb, done := "enable", "enabled"
	if r.PostFormValue("state") == string(storage.EndpointPaused) {
		verb, done = "pause", "paused"
	}
	if err := d.ask(r, http.MethodPost, "/endpoints/"+url.PathEscape(p.ID)+"/"+verb, nil, nil); err != nil {
		return err
	}
	d.goTo(w, r, "/endpoints/"+p.ID, done)
	return nil
}

// mayChange gives the endpoint to whoever may change it.
func (d *dashboard) mayChange(r *http.Request, v *access.Principal) (*endpointPage, error) {
	p, _, err := d.endpointOf(r, v, time.Now())
	if err != nil {
		return nil, err
	}
	if !v.May(access.ScopeWrite) {
		return nil, errNoPermission
	}
	return p, nil
}

// testEndpoint sends a test event and shows what came of it.
func (d *dashboard) testEndpoint(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	p, err := d.mayChange(r, v)
	if err != nil {
		return err
	}
	made, err := d.Test(r.Context(), p.ID)
	if err != nil {
		return err
	}
	line := storage.AuditLine{Account: p.Account, Actor: v.Key, Name: v.Name, Address: v.Address, Action: "endpoint.test", Object: p.ID}
	if err := d.Store.Audit(r.Context(), line); err != nil {
		return err
	}
	return d.showEndpoint(w, r, v, func(p *endpointPage) error {
		p.Tested = &made
		return nil
	})
}
