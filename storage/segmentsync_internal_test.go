package storage

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
)

// gatedFile is a real file whose syncs wait for a word from the test: the error that they end with.
type gatedFile struct {
	*os.File
	gate chan error
}

func (f *gatedFile) Sync() error {
	if err := <-f.gate; err != nil {
		return err
	}
	return f.File.Sync()
}

func openGated(t *testing.T, gate chan error) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.segments.create = func(path string) (segmentFile, error) {
		f, err := createSegment(path)
		if err != nil {
			return nil, err
		}
		return &gatedFile{f.(*os.File), gate}, nil
	}
	return s
}

func (s *Store) acceptLater(content string) chan error {
	answer := make(chan error, 1)
	go func() {
		_, err := s.Accept(context.Background(), textEnvelope(), newText(content))
		answer <- err
	}()
	return answer
}

func count(t *testing.T, s *Store) int {
	t.Helper()
	mails, err := s.Messages(t.Context(), MessageFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return len(mails)
}

// TestNothingIsCommittedBeforeItsPackIsSynced holds a sync up until everything else stands still.
func TestNothingIsCommittedBeforeItsPackIsSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan error)
		s := openGated(t, gate)
		defer s.Close()
		answer := s.acceptLater("a mail")
		synctest.Wait()
		if len(answer) > 0 || count(t, s) > 0 {
			t.Errorf("before the sync has ended, %d answers and %d messages are there", len(answer), count(t, s))
		}
		gate <- nil
		if err := <-answer; err != nil || count(t, s) != 1 {
			t.Errorf("error %v, %d messages", err, count(t, s))
		}
	})
}

// TestARecordOutlivesThePackOfItsBatch lets the sync fail of a batch in which a completion rides.
func TestARecordOutlivesThePackOfItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan error)
		s := openGated(t, gate)
		defer s.Close()
		answer := s.acceptLater("before")
		gate <- nil
		if err := <-answer; err != nil {
			t.Fatal(err)
		}
		ds, err := s.Fetch(t.Context(), "ep_1", Cursor{}, s.cfg.Now(), 10)
		if err != nil || len(ds) != 1 {
			t.Fatalf("%d deliveries, error %v", len(ds), err)
		}

		first := s.acceptLater("holds the committer up")
		synctest.Wait()
		second := s.acceptLater("shares its batch with the record")
		recorded := make(chan error, 1)
		s.Complete(Completion{State: StateDelivered, Attempt: Attempt{
			Delivery: ds[0].ID, Message: ds[0].Message, Endpoint: "ep_1", N: 1, At: s.cfg.Now(), Outcome: "delivered", Status: 200,
		}}, func(err error) { recorded <- err })
		synctest.Wait()
		gate <- nil
		if err := <-first; err != nil {
			t.Error(err)
		}
		broken := errors.New("broken")
		gate <- broken
		if err := <-second; !errors.Is(err, broken) {
			t.Errorf("the mail whose pack was not synced got %v", err)
		}
		if err := <-recorded; err != nil {
			t.Errorf("the record got %v", err)
		}

		third := s.acceptLater("after")
		gate <- nil
		if err := <-third; err != nil {
			t.Error(err)
		}
		if n := count(t, s); n != 3 {
			t.Errorf("%d messages stand, want those before, first and after", n)
		}
		if err := s.Check(t.Context(), func(f Fault) { t.Errorf("fault: %v", f) }); err != nil {
			t.Error(err)
		}
	})
}
