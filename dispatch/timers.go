package dispatch

import (
	"container/heap"
	"time"
)

// timers is a heap of lanes by wakeAt.
type timers []*lane

// set gives the lane a time, or none if that is zero, and says whether the lane is now the first of all.
func (t *timers) set(l *lane, at time.Time) (first bool) {
	switch {
	case at.IsZero() && l.timer < 0, l.timer >= 0 && l.wakeAt.Equal(at):
		return false
	case at.IsZero():
		heap.Remove(t, l.timer)
		return false
	case l.timer < 0:
		l.wakeAt = at
		heap.Push(t, l)
	default:
		l.wakeAt = at
		heap.Fix(t, l.timer)
	}
	return l.timer == 0
}

// Len implements [heap.Interface].
func (t timers) Len() int { return len(t) }

// Less implements [heap.Interface].
func (t timers) Less(i, j int) bool { return t[i].wakeAt.Before(t[j].wakeAt) }

// Swap implements [heap.Interface].
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].timer, t[j].timer = i, j
}

// Push implements [heap.Interface].
func (t *timers) Push(x any) {
	if l, ok := x.(*lane); ok {
		l.timer = len(*t)
		*t = append(*t, l)
	}
}

// Pop implements [heap.Interface].
func (t *timers) Pop() any {
	last := len(*t) - 1
	l := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	l.timer = -1
	return l
}
