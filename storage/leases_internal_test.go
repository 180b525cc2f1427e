package storage

import (
	"context"
	"database/sql/driver"
	"testing"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// cutAtCommit is a connection on which a question is given up just when its last answer has come: nothing that is asked shows that it was cut.
type cutAtCommit struct {
	connection
	giveUp func()
	cut    chan struct{}
}

func (c cutAtCommit) exec(text string, args []driver.Value) (int64, error) {
	n, err := c.connection.exec(text, args)
	if text == "COMMIT" {
		c.giveUp()
		<-c.cut
	}
	return n, err
}

func (c cutAtCommit) sever() {
	c.connection.sever()
	close(c.cut)
}

// TestAGivenUpQuestionLeavesTheNextOneAlone: a node that shuts down gives up what it asks the database for at the time, and then hands its
// lanes over.
func TestAGivenUpQuestionLeavesTheNextOneAlone(t *testing.T) {
	e, err := newPostgresEngine(throwaway.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	l := newLeases(e)
	defer l.close()
	ask := func(ctx context.Context) error {
		return l.transact(ctx, func(w *writer) error {
			_, err := w.queryInt("SELECT 1")
			return err
		})
	}
	if err := ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	l.w.conn = cutAtCommit{l.w.conn, giveUp, make(chan struct{})}
	if err := ask(ctx); err != nil {
		t.Errorf("the question that was answered and given up: %v", err)
	}
	if err := ask(t.Context()); err != nil {
		t.Errorf("the next one: %v", err)
	}
}
