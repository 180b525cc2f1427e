package api

import (
	"context"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/storage"
)

// Count is how often something happened.
type Count struct {
	Name string `json:"name"`
	N    int64  `json:"n"`
}

// Overview is what happened in a time, and what waits now.
type Overview struct {
	Accepted  int64           `json:"accepted" doc:"Messages."`
	Refused   int64           `json:"refused" doc:"Replies to peers."`
	Delivered int64           `json:"delivered" doc:"Attempts that succeeded."`
	Failed    int64           `json:"failed" doc:"Attempts that did not."`
	RefusedBy []Count         `json:"refused_by" nullable:"false" doc:"By reason, the most first."`
	FailedBy  []Count         `json:"failed_by" nullable:"false" doc:"By outcome, the most first."`
	Waiting   int64           `json:"waiting" doc:"Deliveries that are not finished now."`
	Retrying  int64           `json:"retrying" doc:"Of those, with an attempt that failed."`
	Dead      int64           `json:"dead" doc:"Deliveries that were given up and not replayed."`
	AtLeast   bool            `json:"at_least,omitempty" doc:"Retrying and dead are at least so many."`
	OldestDue *time.Time      `json:"oldest_due,omitempty" doc:"Of the deliveries that should have been attempted by now; left out: none is behind."`
	Endpoints []OverviewLane  `json:"endpoints" nullable:"false"`
	Points    []OverviewPoint `json:"points" nullable:"false" doc:"One for each minute, or each hour of a longer time, the oldest first."`
}

// OverviewLane is how an endpoint fared.
type OverviewLane struct {
	Endpoint  string     `json:"endpoint_id"`
	Name      string     `json:"name"`
	State     string     `json:"state"`
	Waiting   int64      `json:"waiting"`
	Retrying  int64      `json:"retrying" doc:"Of those, with an attempt that failed; see at_least."`
	DueAt     *time.Time `json:"due_at,omitempty" doc:"Of its oldest delivery."`
	Delivered int64      `json:"delivered"`
	Failed    int64      `json:"failed"`
	Dead      int64      `json:"dead"`
	FailedBy  []Count    `json:"failed_by" nullable:"false"`
	Took      []Count    `json:"took" nullable:"false" doc:"Attempts by the bound of their duration in milliseconds."`
}

// OverviewPoint is what happened in one span of time.
type OverviewPoint struct {
	At        time.Time `json:"at"`
	Accepted  int64     `json:"accepted"`
	Refused   int64     `json:"refused"`
	Delivered int64     `json:"delivered"`
	Failed    int64     `json:"failed"`
	Octets    int64     `json:"octets" doc:"Of accepted messages."`
}

func (s *service) registerOverview() {
	register(s, operation{
		method: http.MethodGet, path: "/overview", id: "get-overview", tag: tagOperation, scope: access.ScopeRead, summary: "Count what happened lately and what waits now",
		about: "Minutes are counted for a day, hours for three months.",
	}, s.getOverview)
}

func (s *service) getOverview(ctx context.Context, p access.Principal, in *struct {
	Minutes  int    `query:"minutes" minimum:"1" maximum:"129600" default:"60" doc:"How far back."`
	Endpoint string `query:"endpoint" maxLength:"100" doc:"Of the endpoint with this id alone."`
	Account  string `query:"account_id" maxLength:"100" doc:"For the operator: of this account alone."`
}) (*output[Overview], error) {
	account, err := accountOf(p, in.Account)
	if err != nil {
		return nil, err
	}
	o, err := s.Store.RecentOverview(ctx, storage.OverviewQuery{
		Account: account, Endpoint: in.Endpoint, Since: s.Now().Add(-time.Duration(in.Minutes) * time.Minute),
	})
	if err != nil {
		return nil, err
	}
	v := Overview{
		Accepted: o.Accepted, Refused: o.Refused, Delivered: o.Delivered, Failed: o.Failed, RefusedBy: showCounts(o.RefusedBy), FailedBy: showCounts(o.FailedBy),
		Waiting: o.Waiting, Retrying: o.Retrying, Dead: o.Dead, AtLeast: o.AtLeast, OldestDue: optionalTime(o.OldestDue),
		Endpoints: []OverviewLane{}, Points: []OverviewPoint{},
	}
	for i := range o.Endpoints {
		e := &o.Endpoints[i]
		v.Endpoints = append(v.Endpoints, OverviewLane{
			Endpoint: e.ID, Name: e.Name, State: string(e.Life.State), Waiting: e.Pending, Retrying: e.Retrying, DueAt: optionalTime(e.DueAt), Delivered: e.Delivered, Failed: e.Failed,
			Dead: e.Dead, FailedBy: showCounts(e.FailedBy), Took: showCounts(e.Took),
		})
	}
	for _, point := range o.Points {
		v.Points = append(v.Points, OverviewPoint{point.At.UTC(), point.Accepted, point.Refused, point.Delivered, point.Failed, point.Octets})
	}
	return &output[Overview]{v}, nil
}

func showCounts(tallies []storage.Tally) []Count {
	list := make([]Count, len(tallies))
	for i, t := range tallies {
		list[i] = Count(t)
	}
	return list
}
