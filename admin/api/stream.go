package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/letterhook/letterhook/admin/access"
	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/storage"
)

// StreamMissed tells a reader that it was not told all.
type StreamMissed struct {
	N      int64 `json:"n" doc:"So many events were left out: the reader was too slow, or too much happened on another node. The operator's count has the latter without regard to only."`
	Unsure bool  `json:"unsure,omitempty" doc:"More of other nodes were left out, and it is not known how many concern the reader."`
}

// StreamAccepted is a message as it was accepted.
type StreamAccepted struct {
	Message

	Node string `json:"node,omitempty" doc:"For the operator: the node that it happened on, where nodes share a database."`
}

// StreamRefusal is a refusal as it was recorded.
type StreamRefusal struct {
	Refusal

	Node string `json:"node,omitempty" doc:"For the operator: the node that it happened on, where nodes share a database."`
}

// StreamAlive is sent when nothing has happened for a while.
type StreamAlive struct {
	At time.Time `json:"at"`
}

// StreamAttempt is an attempt as it was made, without what explains it.
type StreamAttempt struct {
	Delivery   string     `json:"delivery_id"`
	Message    string     `json:"message_id"`
	Endpoint   string     `json:"endpoint_id"`
	N          int        `json:"n"`
	At         time.Time  `json:"at"`
	DurationMS float64    `json:"duration_ms"`
	Outcome    string     `json:"outcome"`
	Status     int        `json:"status,omitempty"`
	Error      string     `json:"error,omitempty"`
	RetryAt    *time.Time `json:"retry_at,omitempty" doc:"When it is tried again; left out: the delivery is finished."`
	State      string     `json:"state,omitempty" doc:"Of the delivery, when it is finished."`
	Node       string     `json:"node,omitempty" doc:"For the operator: the node that it happened on, where nodes share a database."`
}

// The rhythm of the stream.
const (
	streamLook  = time.Second // for the end of the server
	streamAsk   = 3           // looks between two questions whether the key still works
	streamAlive = 15          // looks between two signs of life
)

// streamsOfKey is how many streams a key may have open on a node: each takes memory for as long as its reader likes.
const streamsOfKey = 20

// readers counts the streams that are open, by key.
type readers struct {
	mu   sync.Mutex
	open map[string]int
}

// enter is false where the key has enough of them.
func (r *readers) enter(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[key] >= streamsOfKey {
		return false
	}
	if r.open == nil {
		r.open = map[string]int{}
	}
	r.open[key]++
	return true
}

func (r *readers) leave(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[key]--; r.open[key] == 0 {
		delete(r.open, key)
	}
}

// countReaders refuses a stream too many.
func (s *service) countReaders(ctx huma.Context, next func(huma.Context)) {
	p, _ := access.Of(ctx.Context())
	if !s.readers.enter(p.Key) {
		ctx.SetHeader("Retry-After", "60")
		s.refuse(ctx, problem.New(http.StatusTooManyRequests, fmt.Sprintf("The key has %d streams open, and may have no more.", streamsOfKey)))
		return
	}
	defer s.readers.leave(p.Key)
	next(ctx)
}

// registerStream serves the events, of all nodes.
func (s *service) registerStream() {
	o := operation{
		method: http.MethodGet, path: "/stream", id: "stream-events", tag: tagMessages, scope: access.ScopeRead, summary: "Follow what happens",
		about: "Server-sent events of messages as they are accepted, of attempts and of refusals, on all nodes that share a database: of the one that is asked at once, of the others within a second, each in its order. Nothing waits for a slow reader: it is told how much it missed. A reader that was away finds the rest in the lists.",
	}
	described := s.described(o)
	described.Middlewares = append(described.Middlewares, s.countReaders)
	sse.Register(s.api, described, map[string]any{
		"accepted": StreamAccepted{}, "attempt": StreamAttempt{}, "refusal": StreamRefusal{}, "missed": StreamMissed{}, "alive": StreamAlive{},
	}, func(ctx context.Context, in *struct {
		Only    string `query:"only" enum:"accepted,attempt,refusal" doc:"Events of this kind alone."`
		Seconds int    `query:"seconds" minimum:"1" maximum:"86400" doc:"End after so long; left out: never."`
	}, send sse.Sender) {
		if in.Seconds > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(in.Seconds)*time.Second)
			defer cancel()
		}
		if p, ok := access.Of(ctx); ok {
			s.stream(ctx, p, in.Only, send)
		}
	})
}

// stream sends until the reader is gone, its key has ended, or the server does.
func (s *service) stream(ctx context.Context, p access.Principal, only string, send sse.Sender) {
	feed := s.Store.FollowAll(func(h *storage.Happening) bool { return (only == "" || only == kindOf(h)) && s.owns(p, h) })
	defer feed.Close()
	ticker := time.NewTicker(streamLook)
	defer ticker.Stop()
	if send.Data(StreamAlive{s.Now().UTC()}) != nil {
		return
	}
	for looks, quiet := 1, 0; ; {
		select {
		case <-ctx.Done():
			return
		case h := <-feed.Happenings:
			quiet = 0
			if tellMissed(p, feed, send) != nil {
				return
			}
			if send(sse.Message{ID: int(h.ID), Data: showHappening(p, &h)}) != nil {
				return
			}
		case <-ticker.C:
			if s.Stopping != nil && s.Stopping() {
				return
			}
			if looks++; looks%streamAsk == 0 && !s.stillWorks(ctx, p) {
				return
			}
			if tellMissed(p, feed, send) != nil {
				return
			}
			if quiet++; quiet%streamAlive == 0 && send.Data(StreamAlive{s.Now().UTC()}) != nil {
				return
			}
		}
	}
}

// tellMissed tells a reader how much was left out since it was last told. Whose the events were that did not come through from other nodes
// nobody knows, so their number is the operator's alone.
func tellMissed(p access.Principal, feed *storage.Feed, send sse.Sender) error {
	missed := StreamMissed{N: feed.Missed()}
	lost, unsure := feed.Lost()
	missed.Unsure = unsure
	if p.Operator() {
		missed.N += lost
	} else if lost > 0 {
		missed.Unsure = true
	}
	if missed == (StreamMissed{}) {
		return nil
	}
	return send.Data(missed)
}

// stillWorks says whether who asked would be let in now: a key that has ended must not read on. A database that does not answer ends nothing.
func (s *service) stillWorks(ctx context.Context, p access.Principal) bool {
	if p.Key == "" {
		return true
	}
	key, err := s.Store.APIKey(ctx, p.Key)
	return err != nil && !errors.Is(err, storage.ErrNotFound) || err == nil && key.Works(s.Now())
}

func kindOf(h *storage.Happening) string {
	switch {
	case h.Mail != nil:
		return "accepted"
	case h.Attempt != nil:
		return "attempt"
	default:
		return "refusal"
	}
}

// owns says whether a principal may hear of something.
func (s *service) owns(p access.Principal, h *storage.Happening) bool {
	switch {
	case p.Operator():
		return true
	case h.Mail != nil:
		return h.Mail.Account == p.Account
	case h.Refusal != nil:
		return h.Refusal.Account == p.Account
	}
	if s.Configuration.Directory == nil {
		return false
	}
	e := s.Configuration.Directory().Endpoints[h.Attempt.Endpoint]
	return e != nil && e.Account == p.Account
}

// showHappening shows an event. What the nodes are called concerns the operator alone.
func showHappening(p access.Principal, h *storage.Happening) any {
	node := ""
	if p.Operator() {
		node = h.Node
	}
	switch {
	case h.Mail != nil:
		return StreamAccepted{showMessage(&storage.Listed{Mail: h.Mail, State: storage.StatePending}), node}
	case h.Refusal != nil:
		return StreamRefusal{showRefusal(*h.Refusal), node}
	}
	a := h.Attempt
	return StreamAttempt{
		Delivery: a.Delivery, Message: a.Message, Endpoint: a.Endpoint, N: a.N, At: a.At.UTC(), DurationMS: float64(a.Duration.Microseconds()) / 1000,
		Outcome: a.Outcome, Status: a.Status, Error: a.Detail.Error, RetryAt: optionalTime(h.RetryAt), State: h.State, Node: node,
	}
}
