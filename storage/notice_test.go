package storage_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// TestNotices keeps a notice until every way has told it, once for the same change, and no more of them than have room.
func TestNotices(t *testing.T) {
	s, err := storage.Open(t.Context(), storage.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	both := []storage.NoticeWay{storage.NoticeByWebhook, storage.NoticeByMail}
	count := func(way storage.NoticeWay) []storage.Notice {
		t.Helper()
		found, err := s.Notices(t.Context(), way, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	save := func(notices ...storage.Notice) {
		t.Helper()
		if _, err := s.SaveLives(t.Context(), nil, notices...); err != nil {
			t.Fatal(err)
		}
	}
	one := storage.Notice{ID: "evt_1", At: time.UnixMilli(1_700_000_000_000), Text: []byte(`{"x":1}`), Ways: both}
	save(one)
	save(one) // the commit was made and its answer lost
	if found := count(storage.NoticeByMail); len(found) != 1 || found[0].ID != one.ID || !found[0].At.Equal(one.At) || string(found[0].Text) != string(one.Text) {
		t.Errorf("%+v", found)
	}
	if err := s.EndNotices(t.Context(), storage.NoticeByMail, one.ID); err != nil {
		t.Fatal(err)
	}
	if byMail, byWebhook := count(storage.NoticeByMail), count(storage.NoticeByWebhook); len(byMail) != 0 || len(byWebhook) != 1 {
		t.Errorf("%d are left by mail, %d by webhook", len(byMail), len(byWebhook))
	}
	if err := s.EndNotices(t.Context(), storage.NoticeByWebhook, one.ID); err != nil {
		t.Fatal(err)
	}
	var many []storage.Notice
	for i := range 10_010 {
		many = append(many, storage.Notice{ID: fmt.Sprintf("evt_%05d", i), At: one.At, Text: one.Text, Ways: both})
	}
	save(many...)
	if found := count(storage.NoticeByWebhook); len(found) != 10_000 || found[0].ID != many[10].ID {
		t.Errorf("%d notices are kept, the first is %s", len(found), found[0].ID)
	}
	if err := s.DropNotices(t.Context(), storage.NoticeByWebhook); err != nil {
		t.Fatal(err)
	}
	if byMail, byWebhook := count(storage.NoticeByMail), count(storage.NoticeByWebhook); len(byMail) != 10_000 || len(byWebhook) != 0 {
		t.Errorf("%d are left by mail, %d by webhook", len(byMail), len(byWebhook))
	}
}
