package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ticket is a conversation with one customer.
type ticket struct {
	ID       string  `json:"id"`
	Customer string  `json:"customer"` // mail address
	Subject  string  `json:"subject"`
	Entries  []entry `json:"entries"`
}

// entry is what somebody said.
type entry struct {
	At       time.Time `json:"at"`
	From     string    `json:"from"`
	Verified bool      `json:"verified"` // the domain of From vouches for it, and it is the customer's address
	Held     bool      `json:"held"`     // waits for a person to look at it
	Text     string    `json:"text"`
}

// desk keeps the tickets; your database in real life.
type desk struct {
	mu      sync.Mutex
	tickets map[string]*ticket
	seen    map[string]bool // webhook-ids that were handled
}

func (d *desk) open(customer, subject, text string, now time.Time) ticket {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := &ticket{
		ID: fmt.Sprintf("ticket-%d", len(d.tickets)+1), Customer: customer, Subject: subject,
		Entries: []entry{{At: now, From: "desk", Verified: true, Text: text}},
	}
	d.tickets[t.ID] = t
	return *t
}

func (d *desk) customer(id string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.tickets[id]
	if !ok {
		return "", false
	}
	return t.Customer, true
}

// add appends entries once for each event. The id and what it brings are kept together: in a database, by one
// transaction.
func (d *desk) add(event string, entries map[string]entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[event] {
		return
	}
	d.seen[event] = true
	for id, e := range entries {
		t := d.tickets[id]
		t.Entries = append(t.Entries, e)
	}
}

// ServeHTTP shows a ticket.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, ok := d.show(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // the browser left
}

// show gives a ticket as JSON.
func (d *desk) show(id string) ([]byte, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.tickets[id]
	if !ok {
		return nil, false
	}
	text, err := json.Marshal(t)
	return text, err == nil
}
