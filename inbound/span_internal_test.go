package inbound

import "testing"

// TestTracesOffAreFree: without a tracer the places that make spans allocate nothing.
func TestTracesOffAreFree(t *testing.T) {
	c := &conn{srv: &Server{}, listener: &Listener{Name: "mx"}}
	allocated := testing.AllocsPerRun(100, func() {
		c.tx = nil
		if c.beginSpan() != nil {
			t.Error("a span was made")
		}
		c.tx = freeTransaction
		_, span := c.step("accept")
		endStep(span, nil)
		c.traceRefusal(refuseTrouble)
		c.traceAccepted(nil, nil, 0)
		c.tx.endSpan()
	})
	if allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

var freeTransaction = &transaction{}
