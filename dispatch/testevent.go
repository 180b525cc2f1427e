package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// EventTest is the type of the event that tests an endpoint. It is signed and sent like any other and tells of no mail. An endpoint with
// the format of a vendor, which has no such event, gets a mail instead that says what it is.
const EventTest = "webhook.test"

// TestEvent is the body of a test.
type TestEvent struct {
	// Type is [EventTest].
	Type string `json:"type"`
	// Version of the contract; [EventVersion].
	Version int `json:"version"`
	// Timestamp is when the test was asked for.
	Timestamp Time `json:"timestamp"`
	// Data says whom the test was made for.
	Data TestEventData `json:"data"`
}

// TestEventData is what a test event tells.
type TestEventData struct {
	// ID is the id of the test, "tst_" and a ULID. It is the webhook-id too.
	ID string `json:"id"`
	// EndpointID is the endpoint that is tested.
	EndpointID string `json:"endpoint_id"`
}

// maxTests is how many test events may be under way at once.
const maxTests = 16

// Test asks for a test event at the endpoint and waits for what came of it. A success enables an endpoint that is broken or
// disabled.
func (d *Dispatcher) Test(ctx context.Context, endpoint string) (storage.EndpointTest, error) {
	if d.tenant != nil {
		return d.testByOwner(ctx, endpoint)
	}
	id, err := d.askTest(ctx, endpoint)
	if err != nil {
		return storage.EndpointTest{}, err
	}
	defer d.endTest(id)
	return d.test(ctx, storage.EndpointTest{ID: id, Endpoint: endpoint, AskedAt: time.Now()})
}

// askTest notes the test as under way before makeTests can find it.
func (d *Dispatcher) askTest(ctx context.Context, endpoint string) (string, error) {
	d.asking.Lock()
	defer d.asking.Unlock()
	id, err := d.cfg.Store.AskTest(ctx, endpoint)
	if err == nil && !d.beginTest(id) {
		err = errors.New("dispatch: too many tests are under way")
	}
	return id, err
}

// makeTests makes the tests that were asked for, in the background.
func (d *Dispatcher) makeTests(ctx context.Context) error {
	d.asking.Lock()
	defer d.asking.Unlock()
	asked, err := d.cfg.Store.PendingTests(ctx)
	if err != nil {
		return err
	}
	for _, t := range asked {
		if !d.board.owns(t.Endpoint) || !d.beginTest(t.ID) {
			continue
		}
		d.tests.Go(func() {
			defer d.endTest(t.ID)
			if _, err := d.test(ctx, t); err != nil && ctx.Err() == nil {
				d.log.Error("a test event could not be recorded", "endpoint", t.Endpoint, "error", err)
			}
		})
	}
	return nil
}

// beginTest is false when the test is under way, or too many others are.
func (d *Dispatcher) beginTest(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.testing[id]; ok || len(d.testing) >= maxTests {
		return false
	}
	d.testing[id] = struct{}{}
	return true
}

func (d *Dispatcher) endTest(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.testing, id)
}

func (d *Dispatcher) test(ctx context.Context, t storage.EndpointTest) (storage.EndpointTest, error) {
	res := Result{At: time.Now(), Outcome: OutcomeURL}
	res.Detail.Error = "the endpoint is not configured"
	if ep := d.cfg.Directory().Endpoints[t.Endpoint]; ep != nil && !ep.Disabled {
		res = d.sendTest(ctx, ep, &t)
	}
	if res.Outcome == outcomeCut {
		return t, ctx.Err()
	}
	t.At, t.Duration, t.Outcome, t.Status, t.Detail = res.At, res.Duration, res.Outcome, res.Status, res.Detail
	d.board.tested(t.Endpoint, &res, time.Now())
	d.log.Info("test event", "endpoint", t.Endpoint, "outcome", t.Outcome, "status", t.Status, "duration", t.Duration)
	return t, d.cfg.Store.EndTest(ctx, &t)
}

func (d *Dispatcher) sendTest(ctx context.Context, ep *storage.Endpoint, t *storage.EndpointTest) Result {
	form, err := d.testForm(ctx, ep, t)
	res := Result{At: time.Now(), Outcome: outcomeUnready, Err: err}
	if err == nil {
		res = d.sender.Send(ctx, &Post{Endpoint: ep, ID: t.ID, Attempt: 1, Form: form})
	}
	if res.Outcome == outcomeUnready {
		d.log.Error("a test event could not be made ready", "endpoint", ep.ID, "error", res.Err)
		res.Detail.Error = "the test event could not be made ready"
	}
	return res
}
