package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// ReplaySettings say which deliveries are made again. Every condition given must hold.
type ReplaySettings struct {
	Endpoint      string     `json:"endpoint_id" minLength:"1" maxLength:"100" doc:"Whose finished deliveries are replayed; with missing, who has none."`
	Missing       bool       `json:"missing,omitempty" doc:"Mail that came before the endpoint was declared: that would go to it today, and that it was never owed."`
	Message       string     `json:"message_id,omitempty" maxLength:"100"`
	States        []string   `json:"states,omitempty" nullable:"false" maxItems:"4" enum:"delivered,dead,missed,filtered" doc:"Left out: delivered, dead and missed."`
	Domain        string     `json:"domain,omitempty" maxLength:"300" doc:"Of a recipient."`
	Recipient     string     `json:"recipient,omitempty" maxLength:"400" doc:"An address."`
	Sender        string     `json:"sender,omitempty" maxLength:"400" doc:"Reverse-path: an address, a domain, or <> for the null one."`
	Kind          string     `json:"kind,omitempty" maxLength:"40" example:"human"`
	From          *time.Time `json:"from,omitempty" nullable:"false" doc:"Received then or later."`
	Until         *time.Time `json:"until,omitempty" nullable:"false" doc:"Received before."`
	To            string     `json:"to_endpoint_id,omitempty" maxLength:"100" doc:"Who gets them instead."`
	URL           string     `json:"url,omitempty" maxLength:"2000" doc:"Where they are posted instead, signed with the endpoint's secrets; it needs the scope write too. For an endpoint of the operator's file, or with allow_private or a proxy, the operator alone may give it."`
	Rate          float64    `json:"rate,omitempty" minimum:"0" maximum:"100000" doc:"Deliveries made in a second; left out: any."`
	IgnoreFilters bool       `json:"ignore_filters,omitempty" doc:"Ask no filters, and choose what they kept back too."`
}

// NewReplay is a replay to be made.
type NewReplay struct {
	ReplaySettings

	All bool `json:"all,omitempty" doc:"Needed where no condition is given beside the endpoint."`
}

// Replay is a job that makes deliveries again.
type Replay struct {
	ID         string              `json:"id"`
	Account    string              `json:"account_id"`
	State      storage.ReplayState `json:"state" enum:"running,paused,made,cancelling,cancelled" doc:"made: every delivery was made; not all need be finished."`
	CreatedAt  time.Time           `json:"created_at"`
	FinishedAt *time.Time          `json:"finished_at,omitempty"`
	Total      int64               `json:"total" doc:"To be made, as counted at the beginning."`
	Pending    int64               `json:"pending" doc:"Made and not finished."`
	Finished   map[string]int64    `json:"finished" doc:"By state."`

	ReplayCount
	ReplaySettings
}

// ReplayCount is what a replay came across, or would.
type ReplayCount struct {
	Made int64 `json:"made" doc:"Deliveries made, or to be made."`
	Owed int64 `json:"owed" doc:"Passed over: the endpoint is owed them already."`
	Gone int64 `json:"gone" doc:"Passed over: retention has taken their message."`
}

// ReplayPath names a replay.
type ReplayPath struct {
	ID string `path:"replay" maxLength:"100" doc:"The id of the replay."`
}

func (s *service) registerReplays() {
	register(s, operation{
		method: http.MethodGet, path: "/replays", id: "list-replays", tag: tagReplay, scope: access.ScopeRead, summary: "List replays", about: "The newest first.",
	}, s.listReplays)
	register(s, operation{
		method: http.MethodPost, path: "/replays", id: "create-replay", tag: tagReplay, scope: access.ScopeReplay, status: http.StatusCreated, summary: "Make deliveries again",
		about: "A job that a running server works at in small steps, and that survives a restart.",
	}, s.createReplay)
	register(s, operation{
		method: http.MethodPost, path: "/replay-counts", id: "count-replay", tag: tagReplay, scope: access.ScopeReplay, summary: "Count what a replay would make",
		about: "It makes nothing.",
	}, s.countReplay)
	register(s, operation{
		method: http.MethodGet, path: "/replays/{replay}", id: "get-replay", tag: tagReplay, scope: access.ScopeRead, summary: "Show a replay",
	}, s.getReplay)
	for _, verb := range []struct {
		id, summary string
		turn        func(context.Context, string) error
	}{
		{"pause", "Make no more deliveries for now", s.Store.PauseReplay}, {"resume", "Go on with a paused replay", s.Store.ResumeReplay},
		{"cancel", "End a replay and take back what is unfinished", s.Store.CancelReplay},
	} {
		register(s, operation{
			method: http.MethodPost, path: "/replays/{replay}/" + verb.id, id: verb.id + "-replay", tag: tagReplay, scope: access.ScopeReplay, summary: verb.summary,
		}, func(ctx context.Context, p access.Principal, in *ReplayPath) (*output[Replay], error) {
			return s.turnReplay(ctx, p, in, verb.id, verb.turn)
		})
	}
}

// accountsOfEndpoints gives the account of every endpoint that the principal may see.
func (s *service) accountsOfEndpoints(ctx context.Context, p access.Principal) (map[string]string, error) {
	known, err := s.Store.KnownEndpoints(ctx)
	if err != nil {
		return nil, err
	}
	accounts := map[string]string{}
	for _, k := range known {
		if p.Sees(k.Account) {
			accounts[k.ID] = k.Account
		}
	}
	return accounts, nil
}

func (s *service) showReplay(ctx context.Context, r *storage.Replay, account string) (Replay, error) {
	progress, err := s.Store.ReplayProgress(ctx, r.ID)
	spec := &r.Spec
	return Replay{
		ID: r.ID, Account: account, State: r.State, CreatedAt: r.CreatedAt.UTC(), FinishedAt: optionalTime(r.FinishedAt), Total: r.Total, Pending: progress.Pending,
		Finished: progress.Finished, ReplayCount: ReplayCount(r.ReplayCount), ReplaySettings: ReplaySettings{
			Endpoint: spec.Endpoint, Missing: spec.Missing, Message: spec.Message, States: spec.States, Domain: spec.Domain, Recipient: spec.Recipient,
			Sender: spec.Sender, Kind: spec.Kind, From: optionalTime(spec.From), Until: optionalTime(spec.Until), To: spec.To, URL: spec.URL, Rate: spec.Rate,
			IgnoreFilters: spec.IgnoreFilters,
		},
	}, err
}

func (s *service) listReplays(ctx context.Context, p access.Principal, in *struct{ PageQuery }) (*pageOutput[Replay], error) {
	before, err := in.after()
	if err != nil {
		return nil, err
	}
	accounts, err := s.accountsOfEndpoints(ctx, p)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Replays(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(r *storage.Replay) bool { return accounts[r.Spec.Endpoint] == "" || before != "" && r.ID >= before })
	list = list[:min(len(list), in.Limit+1)]
	shown := make([]Replay, len(list))
	for i, r := range list {
		if shown[i], err = s.showReplay(ctx, r, accounts[r.Spec.Endpoint]); err != nil {
			return nil, err
		}
	}
	return page(shown, in.Limit, func(r Replay) Replay { return r }, func(r Replay) string { return r.ID }), nil
}

// replay gives a replay that the principal may see, with its account.
func (s *service) replay(ctx context.Context, p access.Principal, id string) (*storage.Replay, string, error) {
	r, err := s.Store.Replay(ctx, id)
	if err != nil {
		return nil, "", err
	}
	accounts, err := s.accountsOfEndpoints(ctx, p)
	if err == nil && accounts[r.Spec.Endpoint] == "" {
		err = notFound()
	}
	return r, accounts[r.Spec.Endpoint], err
}

func (s *service) getReplay(ctx context.Context, p access.Principal, in *ReplayPath) (*output[Replay], error) {
	r, account, err := s.replay(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	shown, err := s.showReplay(ctx, r, account)
	return &output[Replay]{shown}, err
}

// spec reads settings as the store has them.
func (s *service) spec(ctx context.Context, p access.Principal, in *ReplaySettings) (spec storage.ReplaySpec, account string, err error) {
	accounts, err := s.accountsOfEndpoints(ctx, p)
	if err != nil {
		return spec, "", err
	}
	var faults []Fault
	add := func(key, message string) { faults = append(faults, fault("body."+key, message)) }
	account = accounts[in.Endpoint]
	if account == "" {
		add("endpoint_id", "there is no such endpoint, or it is not yours")
	}
	if in.To != "" && (accounts[in.To] == "" || accounts[in.To] != account) {
		add("to_endpoint_id", "the account has no such endpoint")
	}
	if in.URL != "" {
		if err := dispatch.CheckURL(in.URL); err != nil {
			add("url", err.Error())
		}
	}
	if in.URL != "" && !p.May(access.ScopeWrite) { // whoever chooses where mail goes reads it
		return spec, "", problem.New(http.StatusForbidden, "The key needs the scope write to name a url: it leads mail elsewhere.")
	}
	if e := s.Configuration.Directory().Endpoints[in.Endpoint]; in.URL != "" && account != "" && e != nil {
		if e.Source != storage.SourceAPI || e.AllowPrivate || e.Access.Proxy != "" { // its requests may go, or show, what the account may not
			if err := operators(p, []string{"url for an endpoint of the file, or for one with allow_private or a proxy"}); err != nil {
				return spec, "", err
			}
		}
	}
	if in.URL != "" && in.To != "" {
		add("url", "an endpoint is named too; give one of the two")
	}
	if in.Missing && (in.To != "" || len(in.States) > 0) {
		add("missing", "chooses what has no state, and leads to the endpoint itself")
	}
	spec = storage.ReplaySpec{
		Endpoint: in.Endpoint, Missing: in.Missing, Message: in.Message, States: in.States, Domain: in.Domain, Recipient: in.Recipient, Sender: in.Sender,
		Kind: in.Kind, To: in.To, URL: in.URL, Rate: in.Rate, IgnoreFilters: in.IgnoreFilters,
	}
	for _, moment := range []struct {
		key  string
		from *time.Time
		to   *time.Time
	}{{"from", in.From, &spec.From}, {"until", in.Until, &spec.Until}} {
		if moment.from == nil {
			continue
		}
		if y := moment.from.Year(); y < 1970 || y > 9000 {
			add(moment.key, "is not a time of mail")
			continue
		}
		*moment.to = moment.from.UTC()
	}
	if spec.To == spec.Endpoint {
		spec.To = ""
	}
	if e := s.Configuration.Directory().Endpoints[in.Endpoint]; in.URL != "" && (e == nil || e.Disabled) && account != "" {
		add("url", "the endpoint is declared no more, so nothing can be signed for it")
	}
	if len(faults) > 0 {
		err = invalid(faults...)
	}
	return spec, account, err
}

func (s *service) count(ctx context.Context, spec *storage.ReplaySpec) (storage.ReplayCount, error) {
	d := s.Configuration.Directory()
	lane := spec.To
	if lane == "" {
		lane = spec.Endpoint
	}
	return s.Store.CountReplay(ctx, spec, d.Endpoints[lane], d)
}

func (s *service) countReplay(ctx context.Context, p access.Principal, in *struct{ Body ReplaySettings }) (*output[ReplayCount], error) {
	spec, _, err := s.spec(ctx, p, &in.Body)
	if err != nil {
		return nil, err
	}
	count, err := s.count(ctx, &spec)
	return &output[ReplayCount]{ReplayCount(count)}, err
}

func (s *service) createReplay(ctx context.Context, p access.Principal, in *struct{ Body NewReplay }) (*output[Replay], error) {
	b := &in.Body.ReplaySettings
	spec, account, err := s.spec(ctx, p, b)
	if err != nil {
		return nil, err
	}
	chosen := b.Missing || b.Message != "" || len(b.States) > 0 || b.Domain != "" || b.Recipient != "" || b.Sender != "" || b.Kind != "" || b.From != nil || b.Until != nil
	if !chosen && !in.Body.All {
		return nil, invalid(fault("body.all", "nothing is chosen: say all, or name a condition"))
	}
	count, err := s.count(ctx, &spec)
	if err != nil {
		return nil, err
	}
	r, err := s.Store.CreateReplay(ctx, spec, count.Made)
	if err != nil {
		return nil, err
	}
	shown, err := s.showReplay(ctx, r, account)
	if err != nil {
		return nil, err
	}
	return &output[Replay]{shown}, s.note(ctx, s.line(p, account, "replay.create", r.ID, nil, shown.ReplaySettings))
}

func (s *service) turnReplay(ctx context.Context, p access.Principal, in *ReplayPath, verb string, turn func(context.Context, string) error) (*output[Replay], error) {
	_, account, err := s.replay(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	if err := turn(ctx, in.ID); errors.Is(err, storage.ErrStale) {
		return nil, problem.New(http.StatusConflict, "The state of the replay does not allow it.")
	} else if err != nil {
		return nil, err
	}
	if err := s.note(ctx, s.line(p, account, "replay."+verb, in.ID, nil, nil)); err != nil {
		return nil, err
	}
	return s.getReplay(ctx, p, in)
}
