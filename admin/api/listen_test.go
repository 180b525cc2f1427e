package api_test

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// TestListenerWhoseKeyEnds: a listener that was away gets what came meanwhile for as long as its key works, and not to the end of it.
func TestListenerWhoseKeyEnds(t *testing.T) {
	h := newHouse(t)
	first, _ := h.receive(t, "acme", "one")
	h.receive(t, "acme", "two")
	h.receive(t, "acme", "three")
	key := &storage.APIKey{ID: h.store.NewAPIKeyID(), Account: h.accounts["acme"], Name: "laptop", Scopes: []string{"read"}, CreatedAt: time.Now()}
	token := access.Mint(key)
	if err := h.store.CreateAPIKey(t.Context(), key, storage.AuditLine{}); err != nil {
		t.Fatal(err)
	}
	var later atomic.Int64
	var made []string
	log := slog.New(slog.DiscardHandler)
	server := httptest.NewServer(access.New(access.Config{Store: h.store, Log: log}).Handler(api.New(api.Config{
		Store: h.store, Log: log, Configuration: api.Configuration{Directory: h.directory.Load},
		Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) },
		Mirror: func(ctx context.Context, message string, _ *storage.Endpoint, _ func(*inbound.Recipient) bool, _ bool, _ func(*dispatch.Mirrored) error) error {
			made = append(made, message)
			later.Add(int64(5 * time.Second)) // the listener took so long
			return h.store.RevokeAPIKey(ctx, key.ID, storage.AuditLine{})
		},
	})))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/listen?after="+first, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
	}
	if len(made) != 1 || made[0] != first {
		t.Errorf("it heard of %v with a key that had ended", made)
	}
}
