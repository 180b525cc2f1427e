package storage

import (
	"database/sql/driver"
	"slices"
	"sync"
	"time"
)

// The bounds of one transaction, and how long completions wait for an accept to ride with.
const (
	maxAccepts       = 128
	maxAcceptBytes   = 8 << 20
	maxCompletions   = 256
	completionsReady = 64
	completionWait   = 10 * time.Millisecond
	quietWait        = time.Second // for what nobody waits for
	// crowd is how many mails in one batch tell that more come than can be taken at once, for crowdLasts: batches of a flood differ in size.
	// A thousand a second, which are no flood, come in batches of up to seven.
	// lull is how long after any batch of these the next mails are on their way, nowhere to be seen: their peers read the answer and
	// send again.
	crowd      = 8
	crowdLasts = 20 * time.Millisecond
	lull       = 3 * time.Millisecond
)

// acceptance is one mail on its way to the disk: one or more messages that become durable together or not at all.
type acceptance struct {
	messages []*incoming
	done     chan error // buffered; gets exactly one value once the acceptance was taken from a queue
}

func (a *acceptance) sealedSize() (n int) {
	for _, m := range a.messages {
		n += len(m.sealed)
	}
	return n
}

// acceptances is a list of waiting acceptances. Not safe for concurrent use.
type acceptances []*acceptance

// take removes what fits into one batch.
func (q *acceptances) take() []*acceptance {
	n, size := 0, 0
	for n < len(*q) && n < maxAccepts {
		size += (*q)[n].sealedSize()
		if n > 0 && size > maxAcceptBytes {
			break
		}
		n++
	}
	taken := (*q)[:n:n]
	if *q = (*q)[n:]; len(*q) == 0 {
		*q = nil // lets go of the array
	}
	return taken
}

// withdraw removes an acceptance that nobody has taken yet.
func (q *acceptances) withdraw(a *acceptance) bool {
	for i, other := range *q {
		if other == a {
			// A new array: the old one may be shared with a batch that was taken.
			*q = append(append(acceptances(nil), (*q)[:i]...), (*q)[i+1:]...)
			return true
		}
	}
	return false
}

// completing is a completion on its way to the disk.
type completing struct {
	Completion
	detail  string       // JSON
	summary driver.Value // JSON or nil
	// attachments is 0 when the message certainly has none in Blobs.
	attachments int64
	settles     bool // the message is held
	done        func(error)
	err         error // ErrStale
}

// finishes says whether the completion is a terminal result of its message.
func (c *completing) finishes() bool {
	return c.RetryAt.IsZero() && (!c.settles || c.State == StateDelivered)
}

// beginning is a parse whose begin is to be counted.
type beginning struct {
	message string
	count   int
	done    chan error
}

// task is a write that is rare enough for a transaction of its own.
type task struct {
	do   func(*writer) error
	bare bool // without a transaction
	// apart says that the write depends on nothing that others write, and that nobody need look at what it wrote.
	apart bool
	done  chan error
}

// queue is what waits for the committer.
type queue struct {
	mu          sync.Mutex
	accepts     acceptances
	taken       int       // acceptances in the batch that is being written
	writtenAt   time.Time // when the last batch with acceptances was written
	crowdAt     time.Time // when one with a crowd was
	completions []*completing
	since       time.Time // when the first of completions came
	begins      []*beginning
	acks        retired
	ends        []string    // ids of messages whose parse came back
	quiet       *time.Timer // wakes the committer when acks and ends have waited long enough; nil: not yet needed
	quietDue    bool        // that was so
	tasks       []*task
	closed      bool
	wake        chan struct{} // capacity 1
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// put lets add change the queue, and wakes the committer when add says that it may have something to do. It is false when
// the queue is closed.
func (q *queue) put(add func() (wake bool)) bool {
	q.mu.Lock()
	ok := !q.closed
	wake := ok && add()
	q.mu.Unlock()
	if wake {
		q.signal()
	}
	return ok
}

// putAccept queues an acceptance for the commit.
func (q *queue) putAccept(a *acceptance) bool {
	return q.put(func() bool {
		q.accepts = append(q.accepts, a)
		return true
	})
}

// putCompletion queues a completion. The first one wakes the committer for its clock, the last one that fits for the work.
func (q *queue) putCompletion(c *completing) bool {
	return q.put(func() bool {
		q.completions = append(q.completions, c)
		if len(q.completions) == 1 {
			q.since = time.Now()
			return true
		}
		return len(q.completions) == completionsReady
	})
}

func (q *queue) putBeginning(p *beginning) bool {
	return q.put(func() bool {
		q.begins = append(q.begins, p)
		return true
	})
}

func (q *queue) putTask(t *task) bool {
	return q.put(func() bool {
		q.tasks = append(q.tasks, t)
		return true
	})
}

// putAcks queues dedupe keys that retire.
func (q *queue) putAcks(r retired) {
	q.put(func() bool {
		q.beginQuiet()
		q.acks.add(r)
		return false
	})
}

// putEnds queues the ends of parses.
func (q *queue) putEnds(messages []string) {
	q.put(func() bool {
		q.beginQuiet()
		q.ends = append(q.ends, messages...)
		return false
	})
}

// beginQuiet starts the clock of what nobody waits for, unless it runs. A timer does not have to wake the committer now, as
// asking it to wait would: this runs within the sessions. Called under the lock.
func (q *queue) beginQuiet() {
	switch {
	case q.acks.len() > 0 || len(q.ends) > 0:
	case q.quiet == nil:
		q.quiet = time.AfterFunc(quietWait, q.endQuiet)
	default:
		q.quiet.Reset(quietWait)
	}
}

// endQuiet is called by the clock.
func (q *queue) endQuiet() {
	q.mu.Lock()
	q.quietDue = true
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // it is going to look anyway
	}
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

// take gives the next batch. An empty batch comes with the time until there may be one; 0 means: when woken. last is true
// when the queue is closed and empty.
func (q *queue) take() (b *batch, wait time.Duration, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b = &batch{accepts: q.accepts.take()}
	q.taken = len(b.accepts)
	b.begins, q.begins = q.begins, nil
	b.tasks, q.tasks = q.tasks, nil
	going := len(b.accepts) > 0 || len(b.begins) > 0 || q.closed
	if n := len(q.completions); n > 0 {
		wait = completionWait - time.Since(q.since)
		if going || n >= completionsReady || wait <= 0 {
			n = min(n, maxCompletions)
			b.completions, q.completions = q.completions[:n:n], q.completions[n:]
			going, wait = true, 0
			if len(q.completions) == 0 {
				q.completions = nil
			}
		}
	}
	if (going || q.quietDue) && (q.acks.len() > 0 || len(q.ends) > 0) {
		b.acks, q.acks = q.acks, retired{}
		b.ends, q.ends = q.ends, nil
		q.quiet.Stop()
	}
	q.quietDue = false
	return b, wait, q.closed && b.empty()
}

// written says that the batch that was taken last is on the disk or was given up.
func (q *queue) written() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken > 0 {
		q.writtenAt = time.Now()
	}
	if q.taken >= crowd {
		q.crowdAt = q.writtenAt
	}
	q.taken = 0
}

func (q *queue) withdraw(a *acceptance) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.accepts.withdraw(a)
}

func (q *queue) withdrawBeginning(p *beginning) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.begins, p)
	if i >= 0 {
		q.begins = slices.Delete(q.begins, i, i+1)
	}
	return i >= 0
}

func (q *queue) withdrawTask(t *task) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.tasks, t)
	if i >= 0 {
		q.tasks = slices.Delete(q.tasks, i, i+1)
	}
	return i >= 0
}

func (q *queue) acceptsWaiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.accepts) + q.taken
}

// acceptsPress says whether mails wait or are on their way, and whether they are part of a crowd.
func (q *queue) acceptsPress() Press {
	q.mu.Lock()
	defer q.mu.Unlock()
	crowd, quiet := q.writtenAt.Sub(q.crowdAt) < crowdLasts, time.Since(q.writtenAt)
	switch {
	case crowd && (quiet < lull || (len(q.accepts)+q.taken > 0 && quiet < crowdLasts)):
		return PressCrowd
	case len(q.accepts)+q.taken > 0:
		return PressSome
	}
	return PressNone
}
