package dashboard

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// overviewPage is what the overview shows.
type overviewPage struct {
	*storage.Overview

	Sentence string
	Colour   string
	Reasons  []string // why no mail is taken
	Cards    []card
	Ill      []endpointLine // endpoints that need attention
	Well     int            // the others
	Refused  []tallyLine
	Failed   []tallyLine
	Empty    bool // nothing has ever come
}

// card is one number with its course over the time.
type card struct {
	Name, Path, Colour string
	Number             string
	Text               string
	Spark              spark
}

// endpointLine is an endpoint in lists.
type endpointLine struct {
	storage.EndpointHealth

	State string // for the colour: enabled, resting, paused, broken or disabled
	Text  string // the state for people
}

// tallyLine is how often something happened, with a bar.
type tallyLine struct {
	storage.Tally

	Text string
	Path string // of the list that it counts
}

// overview answers whether mail gets in and out, and what to press if not.
func (d *dashboard) overview(w http.ResponseWriter, r *http.Request, v *access.Principal) error {
	now := time.Now()
	o, err := d.Store.RecentOverview(r.Context(), storage.OverviewQuery{Account: v.Account, Since: now.Add(-time.Hour)})
	if err != nil {
		return err
	}
	p := &overviewPage{Overview: o}
	if v.Operator() {
		if err := d.Ready(); err != nil {
			p.Reasons = strings.Split(err.Error(), "\n")
		}
	}
	for i := range o.Endpoints {
		line := lineOf(&o.Endpoints[i], now)
		if line.State == "enabled" {
			p.Well++
			continue
		}
		p.Ill = append(p.Ill, line)
	}
	p.judge()
	p.cards(now)
	for _, t := range o.RefusedBy {
		p.Refused = append(p.Refused, tallyLine{t, refusalWords(t.Name), "/refusals?reason=" + t.Name})
	}
	for _, t := range o.FailedBy {
		p.Failed = append(p.Failed, tallyLine{t, outcomeWords(t.Name), "/messages?q=state%3Aretrying"})
	}
	if o.Accepted == 0 && o.Waiting == 0 && o.Dead == 0 {
		found, err := d.Store.Search(r.Context(), storage.Search{Account: v.Account, Limit: 1})
		if err != nil {
			return err
		}
		p.Empty = len(found.Messages) == 0
	}
	return d.show(w, r, v, http.StatusOK, "overview", page{Title: "Overview", Here: "/", Body: p})
}

// lineOf is an endpoint as lists show it.
func lineOf(h *storage.EndpointHealth, now time.Time) endpointLine {
	l := endpointLine{EndpointHealth: *h, State: string(h.Life.State), Text: dispatch.DescribeEndpoint(&h.Life, now)}
	switch {
	case !h.Declared:
		l.State, l.Text = "disabled", "no configuration names it any more; what it is owed waits"
	case l.State == string(storage.EndpointEnabled) && l.Text != l.State:
		l.State = "resting"
	case l.State == string(storage.EndpointEnabled) && !h.Life.FailingSince.IsZero():
		l.State, l.Text = "failing", "enabled, but no success since "+h.Life.FailingSince.UTC().Format("15:04 UTC")
	}
	return l
}

// judge makes the sentence of state.
func (p *overviewPage) judge() {
	o := p.Overview
	var parts []string
	switch {
	case len(p.Reasons) > 0:
		p.Colour, p.Sentence = "red", "No mail is taken."
	case len(p.Ill) > 0 && slices.ContainsFunc(p.Ill, func(l endpointLine) bool { return colour(l.State) == "red" }):
		p.Colour, p.Sentence = "red", "Mail comes in, but not all of it goes out."
	case len(p.Ill) > 0:
		p.Colour, p.Sentence = "amber", "Mail comes in; some endpoints do not take it."
	default:
		p.Colour, p.Sentence = "green", "All well."
	}
	parts = append(parts, plural(o.Accepted, "message")+" in the last hour")
	if o.Retrying > 0 {
		parts = append(parts, atLeast(o.Retrying, o.AtLeast)+" "+noun(o.Retrying, "delivery")+" retrying")
	}
	if len(p.Ill) > 0 {
		parts = append(parts, plural(int64(len(p.Ill)), "endpoint")+" to look at")
	}
	if o.Dead > 0 {
		parts = append(parts, atLeast(o.Dead, o.AtLeast)+" "+noun(o.Dead, "delivery")+" given up")
	}
	p.Sentence += " " + strings.Join(parts, ", ") + "."
}

func (p *overviewPage) cards(now time.Time) {
	o := p.Overview
	waiting := "nothing is behind"
	if !o.OldestDue.IsZero() {
		waiting = "oldest due " + ago(o.OldestDue, now)
	}
	points := func(value func(*storage.Point) int64) spark {
		list := make([]int64, len(o.Points))
		for i := range o.Points {
			list[i] = value(&o.Points[i])
		}
		return sparkOf(list)
	}
	var octets int64
	for i := range o.Points {
		octets += o.Points[i].Octets
	}
	p.Cards = []card{
		{"Accepted", "/messages", "", count(o.Accepted), size(octets) + " in the last hour", points(func(p *storage.Point) int64 { return p.Accepted })},
		{"Refused", "/refusals", "red", count(o.Refused), "replies in the last hour", points(func(p *storage.Point) int64 { return p.Refused })},
		{"Delivered", "/messages?q=state%3Adelivered", "green", count(o.Delivered), fmt.Sprintf("%s failed in the last hour", count(o.Failed)), points(func(p *storage.Point) int64 { return p.Delivered })},
		{"Waiting", "/messages?q=state%3Apending", "", atLeast(o.Waiting, o.AtLeast), waiting, spark{}},
	}
}

func atLeast(n int64, more bool) string {
	if more {
		return count(n) + "+"
	}
	return count(n)
}

// are is the verb for n of something.
func are(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// noun is a word in the number that n asks for.
func noun(n int64, word string) string {
	switch {
	case n == 1:
		return word
	case strings.HasSuffix(word, "y"):
		return strings.TrimSuffix(word, "y") + "ies"
	}
	return word + "s"
}
