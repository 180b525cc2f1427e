package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/letterhook/letterhook/storage"
)

const (
	// settling is how long it may take from the making of a message's id until it is seen in the database, on whatever node.
	settling   = 15 * time.Second
	listenBack = time.Hour       // as much is sent to a listener that was away
	listenLook = 2 * time.Second // between two looks for what other nodes took
	listenPage = 100
	// linePatience is how long a listener may take for one line.
	linePatience = time.Minute
)

// tell sends what comes until the listener is gone, its key has ended or the server ends. What this node takes it hears at once; what
// others take, or what it missed because the listener was slow, it looks for in the database. So nothing is kept here but the ids of
// the last seconds.
func (s *service) tell(ctx context.Context, w *wish, out *lines) {
	feed := s.Store.Follow(func(h *storage.Happening) bool {
		return h.Mail != nil && (w.account == "" || h.Mail.Account == w.account)
	})
	defer feed.Close()
	heard := &heardOf{began: w.since, since: w.since, ids: map[string]time.Time{}}
	endpoint := ""
	if w.endpoint != nil {
		endpoint = w.endpoint.ID
	}
	if out.send(Heard{Type: "listening", At: s.Now().UTC(), Endpoint: endpoint}) != nil {
		return
	}
	look := time.NewTicker(listenLook)
	defer look.Stop()
	behind, quiet := true, time.Now()
	for {
		if behind {
			if err := s.catchUp(ctx, w, heard, out); err != nil {
				return
			}
			behind = false
		}
		select {
		case <-ctx.Done():
			return
		case h := <-feed.Happenings:
			if err := s.tellMail(ctx, w, heard, h.Mail, out); err != nil {
				return
			}
			if !s.Store.Shared() { // what other nodes took is only known from a look
				heard.forget(storage.MessageTime(h.Mail.ID))
			}
		case <-look.C:
			behind = s.Store.Shared()
			if !s.mayHear(ctx, w) {
				return
			}
			if time.Since(quiet) > streamAlive*time.Second && out.send(Heard{Type: "alive", At: s.Now().UTC()}) != nil {
				return
			}
		}
		if out.sent {
			quiet, out.sent = time.Now(), false
		}
		behind = behind || feed.Missed() > 0
	}
}

// mayHear says whether somebody may hear more. It asks now and then, however much there is to tell: what a listener gets that was away or is
// slow may take hours.
func (s *service) mayHear(ctx context.Context, w *wish) bool {
	if s.Stopping != nil && s.Stopping() {
		return false
	}
	if now := s.Now(); now.Sub(w.asked) >= listenLook {
		w.asked, w.ended = now, !s.stillWorks(ctx, w.principal)
	}
	return !w.ended
}

// errEnded says that a listener may hear no more.
var errEnded = errors.New("the listener may hear no more")

// heardOf is what a listener has heard.
type heardOf struct {
	began, since time.Time
	ids          map[string]time.Time // of messages since then
}

// first says whether it has not heard of a message.
func (h *heardOf) first(m *storage.Mail) bool {
	at := storage.MessageTime(m.ID)
	if _, known := h.ids[m.ID]; known || at.Before(h.began.Truncate(time.Millisecond)) {
		return false
	}
	h.ids[m.ID] = at
	return true
}

// forget keeps what may be met again, where all is told that was made [settling] before now.
func (h *heardOf) forget(now time.Time) {
	since := now.Add(-settling)
	if since.Sub(h.since) < time.Second { // not for each message
		return
	}
	h.since = since
	for id, at := range h.ids {
		if at.Before(h.since) {
			delete(h.ids, id)
		}
	}
}

func (s *service) tellMail(ctx context.Context, w *wish, heard *heardOf, m *storage.Mail, out *lines) error {
	if m.Erased || m.Envelope.Decider() != "" || !heard.first(m) {
		return nil
	}
	if !s.mayHear(ctx, w) {
		return errEnded
	}
	return s.mirror(ctx, w, m, out)
}

// catchUp looks for what came since the last look, and a while before. It forgets as it goes: a listener that was away has an hour to
// hear, and one that is slow never comes to the end.
func (s *service) catchUp(ctx context.Context, w *wish, heard *heardOf, out *lines) error {
	now := s.Now()
	for after := ""; ; {
		page, err := s.Store.Arrived(ctx, w.account, heard.since, after, listenPage)
		if err != nil {
			s.Log.Warn("a listener hears nothing for now", "error", err)
			return err
		}
		for _, m := range page {
			if err := s.tellMail(ctx, w, heard, m, out); err != nil {
				return err
			}
			after = m.ID
		}
		if len(page) < listenPage {
			heard.forget(now)
			return nil
		}
		if at := storage.MessageTime(after); at.Before(now) {
			heard.forget(at)
			continue
		}
		heard.forget(now) // and once more from there: some of it may have been seen late
		now, after = s.Now(), ""
	}
}

// lines writes JSON objects, one per line.
type lines struct {
	w       io.Writer
	control *http.ResponseController // nil: it has neither deadlines nor a buffer
	sent    bool
}

func newLines(w io.Writer) *lines {
	l := &lines{w: w}
	if response, ok := w.(http.ResponseWriter); ok {
		l.control = http.NewResponseController(response)
	}
	return l
}

func (l *lines) send(v Heard) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing a line: %w", err)
	}
	l.sent = true
	if l.control == nil {
		_, err := l.w.Write(append(text, '\n'))
		return err
	}
	if err := l.control.SetWriteDeadline(time.Now().Add(linePatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := l.w.Write(append(text, '\n')); err != nil {
		return err
	}
	return l.control.Flush()
}
