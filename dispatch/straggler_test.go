package dispatch

import (
	"fmt"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// What is committed after mail that is due later was read has its turn within a second or so, although the lane never drains.
func TestStragglersAreReadInALaneThatGoesOn(t *testing.T) {
	const atRead = 10
	for name, come := range map[string]func(b *board, reading bool, cursor, now time.Time){
		"before the cursor": func(b *board, reading bool, _, now time.Time) {
			if !reading {
				bring(b, "straggler", epoch, now)
			}
		},
		"in the cursor's millisecond": func(b *board, reading bool, cursor, now time.Time) {
			if !reading {
				bring(b, "straggler", cursor.Add(300*time.Microsecond), now)
			}
		},
		"during a read": func(b *board, reading bool, cursor, now time.Time) {
			if reading {
				bring(b, "straggler", cursor.Add(time.Millisecond), now)
			}
		},
		"at another node": func(b *board, reading bool, _, now time.Time) {
			if !reading {
				b.own(1, []string{"a"}, nil, now)
			}
		},
		"of a replay": func(b *board, reading bool, _, now time.Time) {
			if !reading {
				b.stored("a", now)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(1, 1, anybody(8)) // no room to hand anything over
			b.share(func(time.Time) bool { return true })
			b.begin(1)
			now, n := epoch.Add(time.Second), 0
			b.own(1, []string{"a"}, nil, now)
			for read := range atRead + 25 { // of 50 ms
				now = now.Add(50 * time.Millisecond)
				bring(b, "later", now.Add(time.Minute), now)
				if read == atRead {
					come(b, false, b.lanes["a"].cursor.DueAt, now)
				}
				r := b.nextRead(now)
				switch {
				case r == nil:
					t.Fatalf("read %d is not made", read)
				case read > atRead && r.scans:
					return
				case read > 0 && r.scans:
					t.Fatalf("read %d begins anew", read)
				}
				if read == atRead {
					come(b, true, r.after.DueAt, now)
				}
				page := make([]storage.Delivery, 0, r.limit)
				for range r.limit {
					page = append(page, straggling(fmt.Sprintf("row%d", n), epoch.Add(time.Duration(n/10)*time.Millisecond)))
					n++
				}
				b.readDone(r, page, nil, nil, now)
				for j := b.next(now); j != nil; j = b.next(now) {
					b.posted(j, &Result{Outcome: OutcomeDelivered}, now)
					b.recorded(j, time.Time{}, now)
				}
			}
			t.Error("the lane is not read from the beginning")
		})
	}
}

func straggling(id string, due time.Time) storage.Delivery {
	return storage.Delivery{ID: id, Message: id, Endpoint: "a", DueAt: due}
}

func bring(b *board, id string, due, now time.Time) {
	b.handOver([]storage.Accepted{{Mail: &storage.Mail{ID: id}, Raw: []byte("x"), Deliveries: []storage.Delivery{straggling(id, due)}}}, now)
}
