package dispatch

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A plain queue, as it is written everywhere: one table, an index of what is due, FOR UPDATE SKIP LOCKED. It sends a body that lies in
// memory: no mail is read, parsed, signed or recorded.

const (
	makePlain = `CREATE UNLOGGED TABLE plain (id BIGINT PRIMARY KEY, url TEXT NOT NULL, due_at TIMESTAMPTZ NOT NULL, state SMALLINT NOT NULL DEFAULT 0);
		ALTER TABLE plain SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0)`
	claimPlain = `UPDATE plain SET state = 1, due_at = now() + interval '60 s' WHERE id IN
		(SELECT id FROM plain WHERE state = 0 AND due_at <= now() ORDER BY due_at, id LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING id, url`
	finishPlain = "DELETE FROM plain WHERE id = ANY ($1)"
	retryPlain  = "UPDATE plain SET state = 0, due_at = now() + interval '5 s' WHERE id = $1"
	// loadPlain puts into the queue what the deliveries are.
	loadPlain = `INSERT INTO plain (id, url, due_at) SELECT row_number() OVER (ORDER BY d.message, d.id), u.url, now() FROM delivery AS d
		JOIN plain_url AS u ON u.endpoint = d.endpoint`
	resetPlain = "UPDATE plain SET state = 0, due_at = now() WHERE state = 1"
)

// fillPlain makes the plain queue.
func (c *backlogged) fillPlain(b *testing.B) {
	b.Helper()
	for _, text := range []string{
		makePlain, "ALTER TABLE plain SET LOGGED", "CREATE TABLE plain_url (endpoint TEXT PRIMARY KEY, url TEXT NOT NULL)",
	} {
		c.exec(b, text)
	}
	var ids, urls []string
	for id, ep := range c.directory.Endpoints {
		ids, urls = append(ids, id), append(urls, ep.URL)
	}
	if _, err := c.pool.Exec(b.Context(), "INSERT INTO plain_url (endpoint, url) SELECT u.endpoint, u.url FROM unnest($1::text[], $2::text[]) AS u (endpoint, url)", ids, urls); err != nil {
		b.Fatal(err)
	}
	c.exec(b, loadPlain)
	for _, text := range []string{"CREATE INDEX plain_due ON plain (due_at, id) WHERE state = 0", "VACUUM ANALYZE plain"} {
		c.exec(b, text)
	}
}

// topUpPlain makes sure that the plain queue, which is quicker than what is measured beside it, does not run empty in the window that follows.
func (c *backlogged) topUpPlain(b *testing.B) {
	b.Helper()
	if 2*c.number(b, "SELECT count(*) FROM plain") >= c.number(b, "SELECT count(*) FROM delivery") {
		return
	}
	for _, text := range []string{"TRUNCATE plain", loadPlain, "VACUUM ANALYZE plain"} {
		c.exec(b, text)
	}
}

// plainJob is a claimed row.
type plainJob struct {
	id  int64
	url string
}

// measurePlain gives what the endpoints that do not hang get per second from the plain queue.
func (c *backlogged) measurePlain(b *testing.B, hung bool) float64 {
	b.Helper()
	c.r.hang.Store(hung)
	c.topUpPlain(b)
	c.exec(b, resetPlain)
	ctx, cancel := context.WithCancel(b.Context())
	jobs, done := make(chan plainJob), make(chan int64, backlogSlots)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() { c.claimPlain(ctx, jobs) })
		workers.Go(func() { c.finishPlain(ctx, done) })
	}
	for range backlogSlots {
		workers.Go(func() { c.sendPlain(ctx, jobs, done) })
	}
	<-time.After(plainWarmUp)
	before, begun := c.r.healthy.Load(), time.Now()
	<-time.After(*backlogWindow)
	rate := float64(c.r.healthy.Load()-before) / time.Since(begun).Seconds()
	cancel()
	workers.Wait()
	if !hung && c.number(b, "SELECT count(*) FROM plain") == 0 {
		b.Logf("the plain queue has run empty, so what follows says nothing of it: give it a larger backlog or a shorter window")
	}
	return rate
}

func (c *backlogged) claimPlain(ctx context.Context, jobs chan<- plainJob) {
	for ctx.Err() == nil {
		rows, err := c.pool.Query(ctx, claimPlain, 100)
		if err != nil {
			return
		}
		var claimed []plainJob
		for rows.Next() {
			var j plainJob
			if rows.Scan(&j.id, &j.url) == nil {
				claimed = append(claimed, j)
			}
		}
		rows.Close()
		for _, j := range claimed {
			select {
			case jobs <- j:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (c *backlogged) sendPlain(ctx context.Context, jobs <-chan plainJob, done chan<- int64) {
	body := bytes.Repeat([]byte("{\"a\":1}\n"), 200)
	client := &http.Client{Timeout: defaultTimeout, Transport: c.r.transport}
	for {
		var j plainJob
		select {
		case j = <-jobs:
		case <-ctx.Done():
			return
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, j.url, bytes.NewReader(body))
		if err != nil {
			return
		}
		res, err := client.Do(req)
		if err != nil {
			_, _ = c.pool.Exec(ctx, retryPlain, j.id)
			continue
		}
		_ = res.Body.Close()
		select {
		case done <- j.id:
		case <-ctx.Done():
			return
		}
	}
}

// finishPlain deletes what is done, in batches as large as they come.
func (c *backlogged) finishPlain(ctx context.Context, done <-chan int64) {
	for {
		var ids []int64
		select {
		case id := <-done:
			ids = append(ids, id)
		case <-ctx.Done():
			return
		}
		for more := true; more && len(ids) < 500; {
			select {
			case id := <-done:
				ids = append(ids, id)
			default:
				more = false
			}
		}
		_, _ = c.pool.Exec(ctx, finishPlain, ids)
	}
}
