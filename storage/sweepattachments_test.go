package storage_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// watchedBlobs calls deleting, where it is set, before each Delete, and fails it when that fails.
type watchedBlobs struct {
	storage.Blobs
	deleting func(key string) error
}

func (b *watchedBlobs) Delete(ctx context.Context, key string) error {
	if b.deleting != nil {
		if err := b.deleting(key); err != nil {
			return err
		}
	}
	return b.Blobs.Delete(ctx, key)
}

// hashOfX is the SHA-256 of the one octet that stands for an attachment here.
const hashOfX = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"

// finishWithAttachment accepts a mail and records its delivery, with an attachment in blobs.
func finishWithAttachment(t *testing.T, s *storage.Store, blobs storage.Blobs, c *clock) (delivery, key string) {
	t.Helper()
	id := accept(t, s, envelope("ep_1"), newBody(content(100)))[0]
	key = storage.AttachmentKey("acc_1", id, "00ff")
	completeWithAttachment(t, s, blobs, fetchAll(t, s, c, "ep_1")[0], key)
	rows, err := s.Deliveries(t.Context(), storage.DeliveryFilter{Message: id})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d deliveries, error %v", len(rows), err)
	}
	return rows[0].ID, key
}

func completeWithAttachment(t *testing.T, s *storage.Store, blobs storage.Blobs, d storage.Delivery, key string) {
	t.Helper()
	if err := blobs.Put(t.Context(), key, bytes.NewReader([]byte("x")), 1); err != nil {
		t.Fatal(err)
	}
	c := attempt(d)
	c.Summary = &storage.Summary{Attachments: []storage.AttachmentBlob{{Key: key, Size: 1, SHA256: hashOfX}}}
	if err := complete(s, c); err != nil {
		t.Fatal(err)
	}
}

// TestReplayWaitsForTheSweeper replays a mail in the middle of the removal of its attachments: one of the two must wait,
// else the sweeper removes what the replay stores.
func TestReplayWaitsForTheSweeper(t *testing.T) {
	for name, retention := range map[string]storage.Retention{"attachments": {Attachments: day}, "messages": {Messages: day}} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			config := newConfig(t, layouts()[0])
			config.Now = clock.now
			blobs := &watchedBlobs{Blobs: config.Blobs}
			config.Blobs = blobs
			s := open(t, config)
			delivery, _ := finishWithAttachment(t, s, blobs, clock)
			clock.at = clock.at.Add(2 * day)
			deletions := 0
			blobs.deleting = func(string) error {
				deletions++
				if err := s.Retry(t.Context(), delivery); !errors.Is(err, storage.ErrSweeping) {
					t.Errorf("a replay amid the removal: %v", err)
				}
				return nil
			}
			sweep(t, s, retention)
			if deletions != 1 {
				t.Errorf("%d deletions, want 1", deletions)
			}
		})
	}
}

// TestReplayKeepsItsAttachments finishes a replay after the first attachments were swept: what it stored belongs to the
// message again, and goes with it.
func TestReplayKeepsItsAttachments(t *testing.T) {
	clock := newClock()
	config := newConfig(t, layouts()[0])
	config.Now = clock.now
	s := open(t, config)
	delivery, key := finishWithAttachment(t, s, config.Blobs, clock)
	clock.at = clock.at.Add(2 * day)
	sweep(t, s, storage.Retention{Attachments: day})
	if err := s.Retry(t.Context(), delivery); err != nil {
		t.Fatal(err)
	}
	d := fetchAll(t, s, clock, "ep_1")[0]
	if m, err := s.Mail(t.Context(), d.Message); err != nil || m.Summary == nil || m.Summary.Attachments != nil {
		t.Errorf("summary %+v, error %v; want no list of attachments", m.Summary, err)
	}
	completeWithAttachment(t, s, config.Blobs, d, key)
	if m, err := s.Mail(t.Context(), d.Message); err != nil || len(m.Summary.Attachments) != 1 {
		t.Errorf("summary %+v, error %v; want the attachment of the replay", m.Summary, err)
	}
	if got := sweep(t, s, storage.Retention{Attachments: day}); got != (storage.Swept{}) {
		t.Errorf("swept %+v though the replay is young", got)
	}
	clock.at = clock.at.Add(2 * day)
	if got := sweep(t, s, storage.Retention{Messages: day}); got.Attachments != 1 || got.Messages != 1 {
		t.Errorf("swept %+v, want the message and the attachment", got)
	}
}

// TestSweepGoesOnWithWhatItClaimed fails a removal: the next sweep completes it, whatever retention says by then.
func TestSweepGoesOnWithWhatItClaimed(t *testing.T) {
	clock := newClock()
	config := newConfig(t, layouts()[0])
	config.Now = clock.now
	broken := errors.New("the bucket is away")
	blobs := &watchedBlobs{Blobs: config.Blobs, deleting: func(string) error { return broken }}
	config.Blobs = blobs
	s := open(t, config)
	finishWithAttachment(t, s, blobs, clock)
	clock.at = clock.at.Add(2 * day)
	if swept, err := s.Sweep(t.Context(), storage.Retention{Attachments: day}); !errors.Is(err, broken) {
		t.Fatalf("swept %+v, error %v", swept, err)
	}
	blobs.deleting = func(string) error { return nil }
	if got := sweep(t, s, storage.Retention{Attempts: time.Hour * 24 * 365}); got.Attachments != 1 {
		t.Errorf("swept %+v, want the attachment", got)
	}
}
