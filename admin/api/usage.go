package api

import (
	"context"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/admin/access"
)

// Usage is what happened to the mail of an account on one day.
type Usage struct {
	Account   string `json:"account_id,omitempty" doc:"Left out: counted together, because there was too much to count each."`
	Day       string `json:"day" format:"date" doc:"In UTC."`
	Messages  int64  `json:"messages" doc:"Accepted."`
	Octets    int64  `json:"octets" doc:"Of them."`
	Delivered int64  `json:"delivered" doc:"Attempts that succeeded, those of replays too."`
	Dead      int64  `json:"dead" doc:"Deliveries that were given up."`
	Filtered  int64  `json:"filtered" doc:"Deliveries."`
}

// usageDays is how far back days are counted.
const usageDays = 92

func (s *service) registerUsage() {
	register(s, operation{
		method: http.MethodGet, path: "/usage", id: "get-usage", tag: tagOperation, scope: access.ScopeRead, summary: "Show usage by account and day",
		about: "Of the last 92 days at most.",
	}, s.usage)
	s.registerNodes()
}

func (s *service) usage(ctx context.Context, p access.Principal, in *struct {
	Account string `query:"account_id" maxLength:"100" doc:"Of this account alone."`
	From    string `query:"from" format:"date" maxLength:"10" doc:"First day, in UTC; left out: 30 days ago."`
	Until   string `query:"until" format:"date" maxLength:"10" doc:"Day behind the last one; left out: tomorrow."`
}) (*output[List[Usage]], error) {
	account, err := accountOf(p, in.Account)
	if err != nil {
		return nil, err
	}
	today := s.Now().UTC().Truncate(24 * time.Hour)
	from, until := today.AddDate(0, 0, -30), today.AddDate(0, 0, 1)
	for _, day := range []struct {
		location, text string
		into           *time.Time
	}{{"query.from", in.From, &from}, {"query.until", in.Until, &until}} {
		if day.text == "" {
			continue
		}
		if *day.into, err = time.Parse(time.DateOnly, day.text); err != nil {
			return nil, invalid(fault(day.location, "is not a day like 2026-11-25"))
		}
	}
	if oldest := today.AddDate(0, 0, -usageDays); from.Before(oldest) {
		from = oldest
	}
	list, err := s.Store.Usage(ctx, account, from, until)
	if err != nil {
		return nil, err
	}
	out := &output[List[Usage]]{List[Usage]{Items: []Usage{}}}
	for _, u := range list {
		out.Body.Items = append(out.Body.Items, Usage{
			Account: u.Account, Day: u.Day.Format(time.DateOnly), Messages: u.Messages, Octets: u.Octets, Delivered: u.Delivered, Dead: u.Dead, Filtered: u.Filtered,
		})
	}
	return out, nil
}
