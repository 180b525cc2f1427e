package greylist

import (
	"context"
	"fmt"
	"time"
)

// keepEvery is how much a crash may forget: then some senders wait once more.
const keepEvery = time.Minute

// Run keeps what has changed every minute, and a last time when ctx ends; then it returns.
func (l *List) Run(ctx context.Context) error {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.forget(time.Now())
			if err := l.keep(ctx); err != nil && ctx.Err() == nil {
				l.cfg.Log.Error("the greylist could not be kept; it goes on in memory", "error", err)
			}
		case <-ctx.Done():
			l.keepLast(context.WithoutCancel(ctx))
			return nil
		}
	}
}

// keepLast is keep at the end, when there is no next time.
func (l *List) keepLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := l.keep(ctx); err != nil {
		l.cfg.Log.Error("the greylist could not be kept; some senders wait once more", "error", err)
	}
}

// forget drops what has expired.
func (l *List) forget(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, element := range l.entries {
		if l.expired(element.Value.(*remembered), now) {
			l.drop(element)
		}
	}
}

// keepAtOnce bounds the rows of one transaction, so that mail never waits long for one.
const keepAtOnce = 200

// keep writes what has changed since it was last called. What could not be written is written by the next call.
func (l *List) keep(ctx context.Context) error {
	for {
		entries, gone := l.take()
		if len(entries)+len(gone) == 0 {
			return nil
		}
		if err := l.cfg.Store.KeepGreylist(ctx, entries, gone); err != nil {
			l.mu.Lock()
			for i := range entries {
				l.changed[entries[i].Key] = struct{}{}
			}
			for _, key := range gone {
				l.changed[key] = struct{}{}
			}
			l.mu.Unlock()
			return fmt.Errorf("keeping the greylist: %w", err)
		}
	}
}

// take gives some of what has changed.
func (l *List) take() (entries []Entry, gone []Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.changed {
		if len(entries)+len(gone) == keepAtOnce {
			break
		}
		delete(l.changed, key)
		if element := l.entries[key]; element != nil {
			e := element.Value.(*remembered)
			e.kept = true
			entries = append(entries, e.Entry)
		} else {
			gone = append(gone, key)
		}
	}
	return entries, gone
}
