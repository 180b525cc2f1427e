package api_test

import (
	"bufio"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/letterhook/letterhook/admin/api"
	"github.com/letterhook/letterhook/storage"
	"github.com/letterhook/letterhook/storage/throwaway"
)

// TestStreamOfAllNodes: a reader at one node hears what happens on another, its own alone where it is an account's; the operator hears
// where, and the account does not.
func TestStreamOfAllNodes(t *testing.T) {
	blobs, err := storage.NewDir(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	config := storage.Config{Database: throwaway.StartPostgres(t).Database(t), Blobs: blobs, PackInBlobs: true}
	node := func(name string) *house {
		config.Dir = t.TempDir()
		h := newHouseOn(t, config)
		if err := h.store.Enrol(t.Context(), &storage.Member{Name: name}); err != nil {
			t.Fatal(err)
		}
		return h
	}
	here, there := node("here"), node("there")
	here.receive(t, "acme", "before") // so that the endpoints are known here
	here.receive(t, "zenith", "before")
	operator, acme, zenith := here.follow(t, here.token(t, "")), here.follow(t, here.token(t, "acme")), here.follow(t, here.token(t, "zenith"))
	db, err := pgx.Connect(t.Context(), config.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	for nodes := 0; nodes == 0; { // until here has said that it has readers
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM member WHERE follows_until > 0").Scan(&nodes); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := there.store.ConfigurationRevision(t.Context()); err != nil { // as a server does all the time
		t.Fatal(err)
	}
	id, _ := there.receive(t, "acme", "hello")
	other, _ := there.receive(t, "zenith", "hello")
	there.store.NoteRefusal(storage.Refusal{Account: there.accounts["zenith"], Reason: "spam", Code: 551}, nil)

	heard := func(lines *bufio.Scanner, message, node string) {
		t.Helper()
		var m api.StreamAccepted
		if next(t, lines, "accepted", &m); m.ID != message || m.Node != node || m.MailFrom != "ann@sender.example" || len(m.Recipients) != 1 {
			t.Errorf("%+v", m)
		}
		var a api.StreamAttempt
		if next(t, lines, "attempt", &a); a.Message != message || a.Node != node || a.State != storage.StateDead || a.Status != 500 {
			t.Errorf("%+v", a)
		}
	}
	var r api.StreamRefusal
	heard(zenith, other, "") // and nothing of the other account before it
	if next(t, zenith, "refusal", &r); r.Code != 551 || r.Node != "" {
		t.Errorf("%+v", r)
	}
	heard(acme, id, "")
	heard(operator, id, "there")
	heard(operator, other, "there")
	if next(t, operator, "refusal", &r); r.Code != 551 || r.Node != "there" {
		t.Errorf("%+v", r)
	}
	// A third node has dropped some: whose they were nobody knows.
	_, err = db.Exec(t.Context(), `INSERT INTO told SELECT 'node_third', 9, seen_at + 3600000, '{"node":"third","missed":9,"events":[]}' FROM member WHERE name = 'here'`)
	if err != nil {
		t.Fatal(err)
	}
	var missed api.StreamMissed
	if next(t, operator, "missed", &missed); missed.N != 9 || missed.Unsure {
		t.Errorf("the operator hears %+v", missed)
	}
	if next(t, acme, "missed", &missed); missed.N != 0 || !missed.Unsure {
		t.Errorf("an account hears %+v", missed)
	}
}
