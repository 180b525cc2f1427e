package dispatch

import (
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// EventRecipientCheck asks an application whether a recipient exists.
const EventRecipientCheck = "recipient.check"

// eventPrefix begins the ids of events that are about no message.
const eventPrefix = "evt_"

// RecipientQuestion is the body of the request that asks about a recipient. It has the frame of an [Event].
type RecipientQuestion struct {
	Type      string `json:"type"` // EventRecipientCheck
	Version   int    `json:"version"`
	Timestamp Time   `json:"timestamp"`
	Data      struct {
		Recipient Recipient `json:"recipient"` // as in data.recipients of a message
	} `json:"data"`
}

// recipientQuestion asks about a recipient and says nothing of who wants to write to it: the answer is remembered for others.
func recipientQuestion(r *inbound.Recipient, at time.Time) *RecipientQuestion {
	q := &RecipientQuestion{Type: EventRecipientCheck, Version: EventVersion, Timestamp: Time{at}}
	q.Data.Recipient = recipientOf(r)
	return q
}
