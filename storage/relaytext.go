package storage

import (
	"encoding/json"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// told is a row that a node has written for the others. Programs of two versions read each other's: what one does not know it passes over.
type told struct {
	node string
	n    int64

	Node   string      `json:"node"`             // its name
	Missed int64       `json:"missed,omitempty"` // that it dropped before Events
	Events []toldEvent `json:"events"`
}

// toldEvent is a [Happening] as another node gets it: what lists show, and nothing of what explains it.
type toldEvent struct {
	At      time.Time    `json:"at"`
	Mail    *toldMail    `json:"mail,omitempty"`
	Attempt *toldAttempt `json:"attempt,omitempty"`
	RetryAt time.Time    `json:"retry_at,omitzero"`
	State   string       `json:"state,omitempty"`
	Refusal *Refusal     `json:"refusal,omitempty"` // as its own row has it
}

type toldMail struct {
	ID         string         `json:"id"`
	Account    string         `json:"account"`
	ReceivedAt time.Time      `json:"received_at"`
	Size       int64          `json:"size"`
	From       inbound.Path   `json:"from"`
	To         []inbound.Path `json:"to"`
}

type toldAttempt struct {
	Delivery string        `json:"delivery"`
	Message  string        `json:"message"`
	Endpoint string        `json:"endpoint"`
	N        int           `json:"n"`
	At       time.Time     `json:"at"`
	Duration time.Duration `json:"duration"`
	Outcome  string        `json:"outcome"`
	Status   int           `json:"status,omitempty"`
	Error    string        `json:"error,omitempty"`
}

// tellText writes the body of a row with as many happenings as fit.
func tellText(name string, missed int64, list []Happening) (body string, kept int) {
	var events []json.RawMessage
	octets := 0
	for i := range list {
		text, err := json.Marshal(tellEvent(&list[i]))
		if err != nil || octets+len(text) > relayOctets {
			continue // a smaller one may fit
		}
		octets += len(text)
		events = append(events, text)
	}
	text, err := json.Marshal(struct {
		Node   string            `json:"node"`
		Missed int64             `json:"missed,omitempty"`
		Events []json.RawMessage `json:"events"`
	}{name, missed, events})
	if err != nil {
		return "{}", 0 // there is nothing in it that cannot be written
	}
	return string(text), len(events)
}

func tellEvent(h *Happening) *toldEvent {
	e := &toldEvent{At: h.At, RetryAt: h.RetryAt, State: h.State, Refusal: h.Refusal}
	if m := h.Mail; m != nil {
		e.Mail = &toldMail{m.ID, m.Account, m.ReceivedAt, m.Size, m.Envelope.ReversePath, pathsOf(m.Envelope.Recipients)}
	}
	if a := h.Attempt; a != nil {
		e.Attempt = &toldAttempt{a.Delivery, a.Message, a.Endpoint, a.N, a.At, a.Duration, a.Outcome, a.Status, a.Detail.Error}
	}
	return e
}

// read reads the body of a row. One that cannot be read has no happenings, and counts by its number.
func (t *told) read(body []byte) {
	if json.Unmarshal(body, t) != nil {
		t.Events = nil
	}
}

func (t *told) happenings() (list []Happening) {
	for i := range t.Events {
		e := &t.Events[i]
		h := Happening{Node: t.Node, At: e.At, RetryAt: e.RetryAt, State: e.State, Refusal: e.Refusal}
		if m := e.Mail; m != nil {
			h.Mail = &Mail{ID: m.ID, Account: m.Account, ReceivedAt: m.ReceivedAt, Size: m.Size, Envelope: inbound.Envelope{ReversePath: m.From}}
			for _, path := range m.To {
				h.Mail.Envelope.Recipients = append(h.Mail.Envelope.Recipients, inbound.Recipient{Path: path})
			}
		}
		if a := e.Attempt; a != nil {
			h.Attempt = &Attempt{a.Delivery, a.Message, a.Endpoint, a.N, a.At, a.Duration, a.Outcome, a.Status, AttemptDetail{Error: a.Error}}
		}
		if h.Mail != nil || h.Attempt != nil || h.Refusal != nil {
			list = append(list, h)
		}
	}
	return list
}
