package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// What stands in the mails that are erased, and nowhere else.
const (
	erasedSender  = "victim.of.gossip"
	erasedSubject = "ъыщобтаниум"
	erasedAnswer  = "the-application-echoed-the-mail"
)

// where gives the files of the data folder, the blobs left out, in which something stands.
func where(t *testing.T, config storage.Config, what []byte) (names []string) {
	t.Helper()
	err := filepath.WalkDir(config.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(text, what) {
			names = append(names, e.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// keyOf is the key of a message as it stands in its row.
func keyOf(t *testing.T, config storage.Config, id string) (key []byte) {
	t.Helper()
	db := database(t, config)
	defer db.Close()
	text := "SELECT key FROM message WHERE id = '" + id + "'"
	if err := db.QueryRow(text).Scan(&key); err != nil {
		t.Fatal(err)
	}
	return key
}

func victimEnvelope(endpoints ...string) *inbound.Envelope {
	env := envelope(endpoints...)
	env.ReversePath.LocalPart = erasedSender
	env.AuthResults.Identity.Address = erasedSender + "@example.org"
	return env
}

// attempted records an attempt that says much about the mail.
func attempted(t *testing.T, s *storage.Store, d storage.Delivery, retry bool) {
	t.Helper()
	c := attempt(d)
	c.Summary = &storage.Summary{From: erasedSender + "@example.org", Subject: "The " + erasedSubject + " merger", Attachments: []storage.AttachmentBlob{}}
	c.Attempt.Detail.Body = erasedAnswer
	if retry {
		c.State, c.Reason, c.RetryAt = "", "", time.Now().Add(time.Minute)
	}
	if err := complete(s, c); err != nil {
		t.Fatal(err)
	}
}

// TestErasedIsGone erases messages among many, from beside the server, and looks for what is left in every file of the store.
func TestErasedIsGone(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		noise := func(n int) {
			for i := range n {
				env := envelope("ep_noise")
				env.ReversePath.LocalPart = fmt.Sprintf("sender%d", i)
				accept(t, s, env, newBody(content(500)))
			}
		}
		noise(100)
		delivered := accept(t, s, victimEnvelope("ep_1"), newBody(content(300)))[0]
		noise(100)
		retrying := accept(t, s, victimEnvelope("ep_2"), newBody(content(300)))[0]
		pending := accept(t, s, victimEnvelope("ep_3"), newBody(content(2<<20)))[0]
		attempted(t, s, due(t, s, "ep_1")[0], false)
		attempted(t, s, due(t, s, "ep_2")[0], true)
		flying := due(t, s, "ep_3")[0]
		key := storage.AttachmentKey("acc_1", delivered, "00ff")
		if err := config.Blobs.Put(t.Context(), key, bytes.NewReader([]byte("x")), 1); err != nil {
			t.Fatal(err)
		}
		noise(100)
		victims := []string{delivered, retrying, pending}
		secrets := map[string][]byte{"the sender": []byte(erasedSender), "the answer": []byte(erasedAnswer)}
		for _, id := range victims {
			secrets["the key of "+id] = keyOf(t, config, id)
			m, err := s.Mail(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			secrets["the hash of "+id] = m.SHA256[:]
		}
		if config.Database == "" {
			if err := s.IndexNow(t.Context()); err != nil {
				t.Fatal(err)
			}
			secrets["the subject"] = []byte(erasedSubject)
			secrets["a beginning of its word"] = []byte(erasedSubject[:6]) // three letters, which the index of the search has in a piece
			for name, secret := range secrets {
				if len(where(t, config, secret)) == 0 {
					t.Errorf("%s is nowhere before", name)
				}
			}
		}
		if found, err := s.Search(t.Context(), storage.Search{Subject: erasedSubject}); err != nil || len(found.Messages) != 2 {
			t.Errorf("before: found %d, error %v", len(found.Messages), err)
		}

		beside := config
		beside.Beside = true
		other := open(t, beside)
		if _, err := other.Erase(t.Context(), storage.Erasure{Account: "acc_2", Message: delivered}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("another account erases: %v", err)
		}
		one, err := other.Erase(t.Context(), storage.Erasure{Message: delivered})
		if err != nil || one.Messages != 1 || one.Attachments != 1 || one.Deliveries != 0 {
			t.Errorf("one message: %+v, %v", one, err)
		}
		rest, err := other.Erase(t.Context(), storage.Erasure{Account: "acc_1", Address: "Victim.of.Gossip@example.org"})
		if err != nil || rest.Messages != 2 || rest.Deliveries != 2 {
			t.Errorf("an address: %+v, %v", rest, err)
		}
		if config.Database == "" {
			if !rest.Checkpointed {
				t.Error("the write-ahead log could not be emptied")
			}
			for name, secret := range secrets {
				if files := where(t, config, secret); len(files) > 0 {
					t.Errorf("%s is still in %q", name, files)
				}
			}
		}
		erasedEverywhere(t, s, victims, flying)
		if found, err := s.Search(t.Context(), storage.Search{Words: []string{erasedSubject}}); err != nil || len(found.Messages) != 0 {
			t.Errorf("found %d, error %v", len(found.Messages), err)
		}
		if rows, err := s.Messages(t.Context(), storage.MessageFilter{Limit: 1000}); err != nil || len(rows) != 303 {
			t.Errorf("%d messages are listed, error %v; want the others and three tombstones", len(rows), err)
		}
	})
}

// erasedEverywhere looks at erased messages by every way that leads to them.
func erasedEverywhere(t *testing.T, s *storage.Store, victims []string, flying storage.Delivery) {
	t.Helper()
	if err := complete(s, attempt(flying)); !errors.Is(err, storage.ErrStale) {
		t.Errorf("an attempt that was under way is recorded: %v", err)
	}
	known, err := s.ErasedSince(t.Context(), time.Now().Add(-time.Hour))
	if err != nil || len(known) != len(victims) {
		t.Errorf("known as erased: %q, %v", known, err)
	}
	for _, id := range victims {
		m, err := s.Mail(t.Context(), id)
		if err != nil || !m.Erased || m.Summary != nil || len(m.Envelope.Recipients) > 0 || m.SHA256 != [32]byte{} {
			t.Errorf("the tombstone is %+v, %v", m, err)
			continue
		}
		if _, err := rawOf(s, id); !errors.Is(err, storage.ErrErased) || !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("its bytes: %v", err)
		}
		as, err := s.Attempts(t.Context(), id)
		if err != nil {
			t.Error(err)
		}
		for _, a := range as {
			if a.Detail.Body != "" {
				t.Errorf("an attempt says %q", a.Detail.Body)
			}
		}
		rows, err := s.Deliveries(t.Context(), storage.DeliveryFilter{Message: id})
		if err != nil || len(rows) != 1 || rows[0].Reason != storage.ErasedReason || rows[0].State == storage.StatePending {
			t.Errorf("its deliveries: %+v, %v", rows, err)
		}
		if err := s.Retry(t.Context(), rows[0].ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("it is tried again: %v", err)
		}
	}
	checkClean(t, s)
}

// TestErasedThenKept: a tombstone is in nobody's way, stays over a restart and goes with retention.
func TestErasedThenKept(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		clock := newClock()
		config.Now = clock.now
		s, err := storage.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		mail := content(100)
		id := accept(t, s, victimEnvelope("ep_1"), newBody(mail))[0]
		if _, err := s.Erase(t.Context(), storage.Erasure{Message: id}); err != nil {
			t.Fatal(err)
		}
		if again, err := s.Erase(t.Context(), storage.Erasure{Message: id}); err != nil || again.Deliveries != 0 {
			t.Errorf("erased again: %+v, %v", again, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, config) // the newest message has no key to try
		if next := accept(t, s, victimEnvelope("ep_1"), newBody(mail))[0]; next == id {
			t.Error("the same mail, sent again, is taken for the erased one")
		}
		clock.at = clock.at.Add(20 * day)
		swept := sweep(t, s, storage.Retention{Messages: 10 * day, Attachments: 5 * day, Attempts: 10 * day})
		if swept.Messages != 1 {
			t.Errorf("swept %+v", swept)
		}
		if _, err := s.Mail(t.Context(), id); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the tombstone: %v", err)
		}
		if known, err := s.ErasedSince(t.Context(), time.Time{}); err != nil || len(known) != 0 {
			t.Errorf("known as erased: %q, %v", known, err)
		}
	})
}

// TestEraseHeldMail: what its endpoint has not decided about yet is withdrawn.
func TestEraseHeldMail(t *testing.T) {
	forEachLayout(t, func(t *testing.T, config storage.Config) {
		s := open(t, config)
		env := victimEnvelope("ep_1")
		env.Recipients[0].Sync = true
		held, err := s.Hold(t.Context(), env, newBody(content(100)))
		if err != nil {
			t.Fatal(err)
		}
		id := held.Mail.ID
		held.Close()
		if got, err := s.Erase(t.Context(), storage.Erasure{Message: id}); err != nil || got.Deliveries != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		rows, err := s.Deliveries(t.Context(), storage.DeliveryFilter{Message: id})
		if err != nil || len(rows) != 1 || rows[0].State != storage.StateWithdrawn || rows[0].Reason != storage.ErasedReason {
			t.Errorf("%+v, %v", rows, err)
		}
		checkClean(t, s)
	})
}
