package storage_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// TestConfiguration: settings keep the ids of what they declare, a change made for an older revision is refused whole, and what is
// written comes back.
func TestConfiguration(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		directory := apply(t, s, storage.Declaration{Accounts: []string{"acme"}, Endpoints: []storage.Endpoint{{Account: "acme", Name: "old"}}})
		var old string
		for old = range directory.Endpoints {
		}
		account := directory.Endpoints[old].Account
		body := []byte(`{"url":"https://app.example/","bearer_token":"s3cret"}`)
		endpoint := &storage.Setting{Kind: storage.SettingEndpoint, Account: account, Name: "old", Position: 2, Body: body}
		route := &storage.Setting{Kind: storage.SettingRoute, Account: account, Name: "in.example.com support", Position: 1, Body: []byte("{}")}
		revision, err := s.ChangeConfiguration(t.Context(), 0, []storage.SettingChange{
			{Put: endpoint, Line: storage.AuditLine{Account: account, Action: "endpoint.create"}}, {Put: route},
		})
		if err != nil || revision != 1 || endpoint.ID != old {
			t.Fatalf("%d %v %s, want the id %s", revision, err, endpoint.ID, old)
		}
		c, err := s.Configuration(t.Context())
		if err != nil || c.Revision != 1 || len(c.Settings) != 2 || !bytes.Equal(c.Settings[0].Body, body) || c.Settings[0].CreatedAt.IsZero() {
			t.Fatalf("%+v %v", c, err)
		}
		lines, err := s.AuditLines(t.Context(), storage.AuditQuery{Account: account, Limit: 10})
		if err != nil || len(lines) != 1 || lines[0].Object != old {
			t.Errorf("%+v %v", lines, err)
		}
		// A change for what stood there before changes nothing, its lines included.
		late := []storage.SettingChange{{Delete: route.ID, Line: storage.AuditLine{Action: "route.delete"}}}
		if _, err := s.ChangeConfiguration(t.Context(), 0, late); !errors.Is(err, storage.ErrStale) {
			t.Errorf("late: %v", err)
		}
		again := &storage.Setting{Kind: storage.SettingEndpoint, Account: account, Name: "old", Body: body}
		if _, err := s.ChangeConfiguration(t.Context(), 1, []storage.SettingChange{{Delete: route.ID}, {Put: again}}); !errors.Is(err, storage.ErrTaken) {
			t.Errorf("taken: %v", err)
		}
		if _, err := s.ChangeConfiguration(t.Context(), 1, []storage.SettingChange{{Delete: "rt_none"}}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("not there: %v", err)
		}
		if c, err := s.Configuration(t.Context()); err != nil || len(c.Settings) != 2 || c.Revision != 1 {
			t.Errorf("%+v %v", c, err)
		}
		endpoint.Body = []byte(`{}`)
		if _, err := s.ChangeConfiguration(t.Context(), 1, []storage.SettingChange{{Put: endpoint}, {Delete: route.ID}}); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Configuration(t.Context()); err != nil || len(c.Settings) != 1 || string(c.Settings[0].Body) != "{}" || c.Settings[0].Revision != 2 {
			t.Errorf("%+v %v", c, err)
		}
	})
}

// TestKeysAndAnswers: keys, logins and answers on both engines.
func TestKeysAndAnswers(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		now := time.UnixMilli(1_800_000_000_000)
		config.Now = func() time.Time { return now }
		s := open(t, config)
		k := &storage.APIKey{ID: s.NewAPIKeyID(), Name: "one", Scopes: []string{"read", "admin"}, Hash: sha256.Sum256([]byte("one")), CreatedAt: now}
		if err := s.CreateAPIKey(t.Context(), k, storage.AuditLine{Action: "key.create", Object: k.ID}); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateAPIKey(t.Context(), &storage.APIKey{ID: s.NewAPIKeyID(), Account: "acc_none"}, storage.AuditLine{}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("no account: %v", err)
		}
		next := &storage.APIKey{ID: s.NewAPIKeyID(), Name: "two", Scopes: k.Scopes, CreatedAt: now, Replaces: k.ID}
		if err := s.RotateAPIKey(t.Context(), next, time.Hour, storage.AuditLine{}); err != nil {
			t.Fatal(err)
		}
		if err := s.NoteAPIKeyUse(t.Context(), k.ID, now); err != nil {
			t.Fatal(err)
		}
		got, err := s.APIKey(t.Context(), k.ID)
		if err != nil || !slices.Equal(got.Scopes, k.Scopes) || got.Hash != k.Hash || !got.UsedAt.Equal(now) || !got.ExpiresAt.Equal(now.Add(time.Hour)) {
			t.Errorf("%+v %v", got, err)
		}
		session := sha256.Sum256([]byte("cookie"))
		if err := s.CreateAPISession(t.Context(), session, k.ID, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.APISession(t.Context(), session); err != nil || got.ID != k.ID {
			t.Errorf("%+v %v", got, err)
		}
		now = now.Add(2 * time.Minute)
		if _, err := s.APISession(t.Context(), session); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("expired: %v", err)
		}
		list, err := s.APIKeys(t.Context(), storage.APIKeyQuery{Limit: 10})
		if err != nil || len(list) != 2 {
			t.Errorf("%v %v", list, err)
		}

		id, request := sha256.Sum256([]byte("id")), sha256.Sum256([]byte("request"))
		if a, err := s.BeginOnce(t.Context(), id, request); a != nil || err != nil {
			t.Fatalf("%v %v", a, err)
		}
		if _, err := s.BeginOnce(t.Context(), id, request); !errors.Is(err, storage.ErrInProgress) {
			t.Errorf("in progress: %v", err)
		}
		now = now.Add(2 * time.Minute) // its server must have died
		if a, err := s.BeginOnce(t.Context(), id, request); a != nil || err != nil {
			t.Fatalf("%v %v", a, err)
		}
		want := &storage.Answer{Request: request, Status: 201, Header: `{"ETag":"x"}`, Body: []byte("secret")}
		if err := s.EndOnce(t.Context(), id, want); err != nil {
			t.Fatal(err)
		}
		if a, err := s.BeginOnce(t.Context(), id, request); err != nil || fmt.Sprint(a) != fmt.Sprint(want) {
			t.Errorf("%v %v", a, err)
		}
		now = now.Add(25 * time.Hour)
		if a, err := s.BeginOnce(t.Context(), id, request); a != nil || err != nil {
			t.Errorf("after a day: %v %v", a, err)
		}
		if err := s.EndOnce(t.Context(), id, nil); err != nil {
			t.Fatal(err)
		}
	})
}
