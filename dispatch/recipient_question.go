package dispatch

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
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

// key is the same for questions that have the same answer: it holds all that is asked but the time, and the local-part has
// no case, as in the routes. It is a hash, so that what is remembered stays small.
func (q *RecipientQuestion) key() (string, error) {
	text, err := json.Marshal(q.Data)
	if err != nil {
		return "", fmt.Errorf("writing the question: %w", err)
	}
	sum := sha256.Sum256(bytes.ToLower(text))
	return string(sum[:]), nil
}
