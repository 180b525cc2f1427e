package notice

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// Event is the body of a notice by webhook.
type Event struct {
	Type      string        `json:"type"`      // endpoint.warning, endpoint.broken, endpoint.disabled or endpoint.recovered
	Version   int           `json:"version"`   // of the contract
	Timestamp dispatch.Time `json:"timestamp"` // of the change
	Data      EventData     `json:"data"`
}

// EventData is what a notice tells.
type EventData struct {
	ID         string                `json:"id"`          // "evt_" and a ULID; the webhook-id too
	EndpointID string                `json:"endpoint_id"` // "ep_" and a ULID
	Endpoint   string                `json:"endpoint"`    // its name
	AccountID  string                `json:"account_id"`  // its owner
	From       storage.EndpointState `json:"from"`        // enabled, paused, broken or disabled
	To         storage.EndpointState `json:"to"`          // likewise
	Reason     string                `json:"reason"`      // for people
	Percent    int                   `json:"percent"`     // of the time until it is disabled, in a warning; else 0
	DisableAt  *dispatch.Time        `json:"disable_at"`  // in a warning; else null
}

func eventOf(n *Notice) *Event {
	e := &Event{Type: n.Type, Version: dispatch.EventVersion, Timestamp: dispatch.Time{Time: n.At}, Data: EventData{
		ID: n.ID, EndpointID: n.Endpoint, Endpoint: n.Name, AccountID: n.Account, From: n.From, To: n.To, Reason: n.Reason, Percent: n.Warning,
	}}
	if !n.DisableAt.IsZero() {
		e.Data.DisableAt = &dispatch.Time{Time: n.DisableAt}
	}
	return e
}

// post tells by webhook, one after the other, until nobody takes one.
func (n *Notifier) post(ctx context.Context, notices []Notice, try int) (told int, err error) {
	for i := range notices {
		body, err := json.Marshal(eventOf(&notices[i]))
		if err != nil {
			return i, err
		}
		attempt := 1
		if i == 0 {
			attempt = try
		}
		res := n.cfg.Send(ctx, &dispatch.Post{
			Endpoint: n.cfg.Webhook, ID: notices[i].ID, Attempt: attempt, Form: &dispatch.Form{MediaType: "application/json", Body: body},
		})
		if res.Outcome != dispatch.OutcomeDelivered {
			return i, errors.New(res.Outcome + ": " + res.Detail.Error)
		}
		n.cfg.Log.Info("notice", "by", "webhook", "id", notices[i].ID, "type", notices[i].Type, "after", time.Since(notices[i].At))
	}
	return len(notices), nil
}
