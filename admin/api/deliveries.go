package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// Delivery is a POST that is or was owed to an endpoint.
type Delivery struct {
	ID         string     `json:"id"`
	Message    string     `json:"message_id" doc:"Id of the message."`
	Endpoint   string     `json:"endpoint_id"`
	Part       int        `json:"part,omitempty" doc:"The number of the recipient that it is for alone; left out: for all."`
	State      string     `json:"state" doc:"pending, delivered, dead, missed or filtered; held, withdrawn or refused where the endpoint decides about the message."`
	Reason     string     `json:"reason,omitempty"`
	Attempts   int        `json:"attempts" doc:"Made so far."`
	Replay     bool       `json:"replay,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	DueAt      *time.Time `json:"due_at,omitempty" doc:"Of the next attempt; left out: it is finished."`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	ReplayedBy string     `json:"replayed_by,omitempty" doc:"Id of the delivery that has taken its place."`
}

// Attempt is one POST that was made.
type Attempt struct {
	Delivery   string                `json:"delivery_id"`
	Message    string                `json:"message_id"`
	Endpoint   string                `json:"endpoint_id"`
	N          int                   `json:"n" doc:"Counted from 1."`
	At         time.Time             `json:"at"`
	DurationMS float64               `json:"duration_ms"`
	Outcome    string                `json:"outcome" doc:"delivered, or why not."`
	Status     int                   `json:"status,omitempty" doc:"Of the answer; left out: there was none."`
	Detail     storage.AttemptDetail `json:"detail"`
}

// DeliveryDetail is a delivery with its attempts.
type DeliveryDetail struct {
	Delivery

	Log []Attempt `json:"log" nullable:"false"`
}

// DeliveryPath names a delivery.
type DeliveryPath struct {
	ID string `path:"delivery" maxLength:"100" doc:"The id of the delivery."`
}

func (s *service) registerDeliveries() {
	register(s, operation{
		method: http.MethodGet, path: "/deliveries", id: "list-deliveries", tag: tagMessages, scope: access.ScopeRead, summary: "List deliveries",
		about: "Those of the newest message first.",
	}, s.listDeliveries)
	register(s, operation{
		method: http.MethodGet, path: "/deliveries/{delivery}", id: "get-delivery", tag: tagMessages, scope: access.ScopeRead, summary: "Show a delivery with its attempts",
	}, s.getDelivery)
	register(s, operation{
		method: http.MethodPost, path: "/deliveries/{delivery}/retry", id: "retry-delivery", tag: tagMessages, scope: access.ScopeReplay, summary: "Try a delivery again, at once",
		about: "A finished one is replayed under the same webhook-id.",
	}, s.retryDelivery)
}

func showDelivery(d storage.DeliveryRow) Delivery {
	return Delivery{
		ID: d.ID, Message: d.Message, Endpoint: d.Endpoint, Part: d.Part, State: d.State, Reason: d.Reason, Attempts: d.Attempts, Replay: d.Replay,
		CreatedAt: d.CreatedAt.UTC(), DueAt: optionalTime(d.DueAt), FinishedAt: optionalTime(d.FinishedAt), ReplayedBy: d.ReplayedBy,
	}
}

func showAttempt(a *storage.Attempt) Attempt {
	return Attempt{
		Delivery: a.Delivery, Message: a.Message, Endpoint: a.Endpoint, N: a.N, At: a.At.UTC(), DurationMS: float64(a.Duration.Microseconds()) / 1000,
		Outcome: a.Outcome, Status: a.Status, Detail: a.Detail,
	}
}

type deliveriesInput struct {
	PageQuery

	State    string `query:"state" enum:"pending,delivered,dead,missed,filtered,held,withdrawn,refused"`
	Message  string `query:"message" maxLength:"100" doc:"Of the message with this id."`
	Endpoint string `query:"endpoint" maxLength:"100" doc:"To the endpoint with this id."`
	Account  string `query:"account_id" maxLength:"100" doc:"For the operator: of this account alone."`
}

func (s *service) listDeliveries(ctx context.Context, p access.Principal, in *deliveriesInput) (*pageOutput[Delivery], error) {
	account, err := accountOf(p, in.Account)
	if err != nil {
		return nil, err
	}
	cursor, err := in.after()
	if err != nil {
		return nil, err
	}
	f := storage.DeliveryFilter{Account: account, State: in.State, Message: in.Message, Endpoint: in.Endpoint, Limit: in.Limit + 1}
	if cursor != "" {
		message, id, ok := strings.Cut(cursor, " ")
		if !ok {
			return nil, problem.New(http.StatusUnprocessableEntity, "The cursor is none of ours.", fault("query.cursor", "is not a next_cursor"))
		}
		f.Before = &storage.DeliveryRow{Delivery: storage.Delivery{Message: message, ID: id}}
	}
	rows, err := s.Store.Deliveries(ctx, f)
	if err != nil {
		return nil, err
	}
	return page(rows, in.Limit, showDelivery, func(d storage.DeliveryRow) string { return d.Message + " " + d.ID }), nil
}

// delivery gives a delivery that the principal may see.
func (s *service) delivery(ctx context.Context, p access.Principal, id string) (*storage.DeliveryRow, error) {
	rows, err := s.Store.Deliveries(ctx, storage.DeliveryFilter{ID: id, Account: p.Account, Limit: 1})
	if err == nil && len(rows) == 0 {
		err = notFound()
	}
	if err != nil {
		return nil, err
	}
	return &rows[0], nil
}

func (s *service) getDelivery(ctx context.Context, p access.Principal, in *DeliveryPath) (*output[DeliveryDetail], error) {
	row, err := s.delivery(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	attempts, err := s.Store.Attempts(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	v := DeliveryDetail{Delivery: showDelivery(*row), Log: []Attempt{}}
	for i := range attempts {
		v.Log = append(v.Log, showAttempt(&attempts[i]))
	}
	return &output[DeliveryDetail]{v}, nil
}

func (s *service) retryDelivery(ctx context.Context, p access.Principal, in *DeliveryPath) (*output[Delivery], error) {
	row, err := s.delivery(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	if row.NotAccepted() {
		return nil, problem.New(http.StatusConflict, "The message was not accepted: only its sender can send it again.")
	}
	if err := s.Store.Retry(ctx, row.ID); err != nil {
		return nil, err
	}
	account := p.Account
	if mail, err := s.Store.Mail(ctx, row.Message); err == nil {
		account = mail.Account
	}
	if err := s.note(ctx, s.line(p, account, "delivery.retry", row.ID, nil, nil)); err != nil {
		return nil, err
	}
	after, err := s.delivery(ctx, p, in.ID)
	if err != nil {
		return nil, err
	}
	return &output[Delivery]{showDelivery(*after)}, nil
}
