package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"os"
	"time"
)

// counter is where tickets are opened. Put your own login in front of it: as it stands, whoever reaches it can have mail
// sent to anybody.
type counter struct {
	desk   *desk
	notify func(t ticket, text string) error
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	var asked struct{ Customer, Subject, Text string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&asked); err != nil {
		http.Error(w, "a JSON object with customer, subject and text, please", http.StatusBadRequest)
		return
	}
	customer, err := mail.ParseAddress(asked.Customer)
	if err != nil {
		http.Error(w, "customer is not a mail address", http.StatusBadRequest)
		return
	}
	t := c.desk.open(customer.Address, asked.Subject, asked.Text, time.Now())
	if err := c.notify(t, asked.Text); err != nil {
		fmt.Fprintf(os.Stderr, "%s: the notice was not sent: %v\n", t.ID, err)
		http.Error(w, "the notice was not sent", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	if err := json.NewEncoder(w).Encode(t); err != nil {
		fmt.Fprintf(os.Stderr, "%s: answering: %v\n", t.ID, err) // the browser left; the ticket is open all the same
	}
}
