package storage_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/inbound/greylist"
	"github.com/letterhook/letterhook/storage"
)

// TestGreylist: what is kept is there after the store was closed, replaced where it changed, and gone where it is forgotten.
func TestGreylist(t *testing.T) {
	config := newConfig(t, layouts()[0])
	open := func() *storage.Store {
		t.Helper()
		s, err := storage.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	first := greylist.Entry{Key: greylist.Key{1}, First: at, Last: at}
	second := greylist.Entry{Key: greylist.Key{2}, First: at, Last: at.Add(time.Hour), Passed: true}
	third := greylist.Entry{Key: greylist.Key{3}, First: at, Last: at.Add(time.Minute)}
	s := open()
	if err := s.KeepGreylist(t.Context(), []greylist.Entry{first, second, third}, nil); err != nil {
		t.Fatal(err)
	}
	first.Passed, first.Last = true, at.Add(2*time.Hour)
	if err := s.KeepGreylist(t.Context(), []greylist.Entry{first}, []greylist.Key{third.Key, {9}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	var got []greylist.Entry
	if err := s.Greylist(t.Context(), func(e greylist.Entry) { got = append(got, e) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]greylist.Entry{second, first}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
