package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// What is done with an answer whose sender is not proven to be the customer, which includes every answer where the server
// does not evaluate identities.
const (
	identityOptional = "optional" // it is appended, marked as not verified: the address alone was the key
	identityRequired = "required" // it is held for a person to look at
)

const maxEvent = 30 << 20

// hook takes the webhooks.
type hook struct {
	desk   *desk
	verify func(body []byte, header http.Header) error
	policy string
}

// event is what this application reads of an event. docs/payload.md has the whole.
type event struct {
	Type string `json:"type"`
	Data struct {
		ReceivedAt time.Time `json:"received_at"`
		Kind       string    `json:"kind"`
		Recipients []struct {
			Token *struct {
				Valid bool   `json:"valid"`
				Data  string `json:"data"`
			} `json:"token"`
		} `json:"recipients"`
		Identity *struct {
			Address        string `json:"address"`
			DomainVerified bool   `json:"domain_verified"`
		} `json:"identity"`
		From []struct {
			Address string `json:"address"`
		} `json:"from"`
		Reply struct {
			Text *string `json:"text"`
		} `json:"reply"`
	} `json:"data"`
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEvent))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err := h.verify(body, r.Header); err != nil { // before anything else looks at it
		http.Error(w, "not verified", http.StatusUnauthorized)
		return
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, "no event", http.StatusBadRequest)
		return
	}
	h.take(r.Header.Get("webhook-id"), &e)
	w.WriteHeader(http.StatusNoContent) // also for what is of no use: it would not be the next time either
}

// take appends an answer to the tickets that it was sent to.
func (h *hook) take(id string, e *event) {
	if e.Type != "email.received" {
		return
	}
	if e.Data.Kind != "human" { // an out-of-office note is not an answer, a bounce even less
		fmt.Printf("%s is %s\n", id, e.Data.Kind)
		return
	}
	entries := map[string]entry{}
	for _, recipient := range e.Data.Recipients {
		if recipient.Token == nil || !recipient.Token.Valid {
			continue
		}
		customer, ok := h.desk.customer(recipient.Token.Data)
		if !ok {
			fmt.Printf("%s answers a ticket that is gone\n", id)
			continue
		}
		entries[recipient.Token.Data] = h.entry(e, customer)
	}
	h.desk.add(id, entries)
}

// entry is what a mail says. The From field proves nothing by itself: anybody can write it.
func (h *hook) entry(e *event, customer string) entry {
	said := entry{At: e.Data.ReceivedAt}
	if len(e.Data.From) > 0 {
		said.From = e.Data.From[0].Address
	}
	if e.Data.Reply.Text != nil {
		said.Text = strings.TrimSpace(*e.Data.Reply.Text)
	}
	if identity := e.Data.Identity; identity != nil {
		said.Verified = identity.DomainVerified && strings.EqualFold(identity.Address, customer)
	}
	said.Held = !said.Verified && h.policy == identityRequired
	return said
}
