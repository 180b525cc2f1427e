package dispatch

import (
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// The hand-over follows the commit, and a read of the lane may come between the two. The delivery is attempted once all
// the same.
func TestReadOvertakesHandOver(t *testing.T) {
	b := newBoard(8, 1<<20, anybody(8))
	b.sweep([]storage.LaneHead{{Endpoint: "a", DueAt: epoch}}, false, epoch)
	r := b.nextRead(epoch)
	if r == nil {
		t.Fatal("the lane is not read")
	}
	d := storage.Delivery{ID: "d", Message: "m", Endpoint: "a", DueAt: epoch}
	if n := b.readDone(r, []storage.Delivery{d}, nil, nil, epoch); n != 1 {
		t.Fatalf("%d rows taken", n)
	}
	b.handOver([]storage.Accepted{{Mail: &storage.Mail{ID: "m"}, Raw: []byte("x"), Deliveries: []storage.Delivery{d}}}, epoch)
	if b.next(epoch) == nil {
		t.Fatal("nothing to attempt")
	}
	if j := b.next(epoch); j != nil {
		t.Errorf("%s is attempted a second time", j.delivery.ID)
	}
}
