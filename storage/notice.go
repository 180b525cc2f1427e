package storage

import (
	"context"
	"fmt"
	"time"
)

// maxNotices bounds the notices that wait. Where endpoints fail by the thousand nobody reads every one.
const maxNotices = 10_000

// NoticeWay is a way in which operators hear of a notice.
type NoticeWay string

// The ways of notices.
const (
	NoticeByWebhook NoticeWay = "webhook"
	NoticeByMail    NoticeWay = "mail"
)

// Notice is a change that operators are to be told of.
type Notice struct {
	ID string // "evt_" and a ULID; the same for the same change
	// Endpoint is the one that has changed, see [Store.SaveLives]. It is not kept apart from Text.
	Endpoint string
	At       time.Time
	Text     []byte // JSON, of whoever tells
	Ways     []NoticeWay
}

const (
	insertNotice  = "INSERT INTO notice (id, at, text, by_webhook, by_mail) VALUES (?,?,?,?,?) ON CONFLICT (id) DO NOTHING"
	forgetNotices = "DELETE FROM notice WHERE by_webhook = 0 AND by_mail = 0"
	boundNotices  = "DELETE FROM notice WHERE id <= (SELECT id FROM notice ORDER BY id DESC LIMIT 1 OFFSET ?)"
)

// The statements over notices of one way.
var noticeStatements = map[NoticeWay]struct{ find, told, forget string }{
	NoticeByWebhook: {
		find:   "SELECT id, at, text FROM notice WHERE by_webhook = 1 ORDER BY id LIMIT ?",
		told:   "UPDATE notice SET by_webhook = 0 WHERE id = ?",
		forget: "UPDATE notice SET by_webhook = 0 WHERE by_webhook = 1",
	},
	NoticeByMail: {
		find:   "SELECT id, at, text FROM notice WHERE by_mail = 1 ORDER BY id LIMIT ?",
		told:   "UPDATE notice SET by_mail = 0 WHERE id = ?",
		forget: "UPDATE notice SET by_mail = 0 WHERE by_mail = 1",
	},
}

// notify makes notices durable. Where there are too many the oldest go.
func notify(w *writer, notices []Notice) error {
	if len(notices) == 0 {
		return nil
	}
	for i := range notices {
		n := &notices[i]
		by := map[NoticeWay]int64{}
		for _, way := range n.Ways {
			by[way] = 1
		}
		if _, err := w.exec(insertNotice, n.ID, n.At.UnixMilli(), string(n.Text), by[NoticeByWebhook], by[NoticeByMail]); err != nil {
			return err
		}
	}
	_, err := w.exec(boundNotices, int64(maxNotices))
	return err
}

// Notices gives the oldest notices that nobody was told of by a way, most of them at most.
func (s *Store) Notices(ctx context.Context, way NoticeWay, most int) ([]Notice, error) {
	rows, err := s.read.QueryContext(ctx, noticeStatements[way].find, most)
	if err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	var found []Notice
	err = each(rows, func() error {
		n := Notice{Ways: []NoticeWay{way}}
		var at int64
		err := rows.Scan(&n.ID, &at, &n.Text)
		n.At = time.UnixMilli(at)
		found = append(found, n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	return found, nil
}

// EndNotices says that notices were told by a way, or were given up. It is durable when it returns.
func (s *Store) EndNotices(ctx context.Context, way NoticeWay, ids ...string) error {
	err := s.do(ctx, func(w *writer) error {
		for _, id := range ids {
			if _, err := w.exec(noticeStatements[way].told, id); err != nil {
				return err
			}
		}
		_, err := w.exec(forgetNotices)
		return err
	})
	if err != nil {
		return fmt.Errorf("end notices: %w", err)
	}
	return nil
}

// DropNotices ends all the notices of a way that there is no more.
func (s *Store) DropNotices(ctx context.Context, way NoticeWay) error {
	err := s.do(ctx, func(w *writer) error {
		if _, err := w.exec(noticeStatements[way].forget); err != nil {
			return err
		}
		_, err := w.exec(forgetNotices)
		return err
	})
	if err != nil {
		return fmt.Errorf("drop notices: %w", err)
	}
	return nil
}
