package e2e

import (
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// TestBenchViewers: who looks on sees pages and all that happens, and no mail is lost by it.
func TestBenchViewers(t *testing.T) {
	report, err := bench.Rounds(t.Context(), bench.Options{
		Load:    bench.Load{Run: "viewers", Connections: 2, Messages: 40, Size: 1000, Rate: 40},
		Program: program(t), Viewers: 2, Wait: time.Minute,
	}, 1, func(*bench.Report) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.With) != 1 || len(report.Without) != 1 || report.Without[0].Viewers != nil {
		t.Fatalf("%+v", report)
	}
	seen := report.With[0]
	if v := seen.Viewers; v == nil || v.Pages < 2 || v.Events+v.Missed == 0 || seen.Lost != 0 || seen.Acked != 40 {
		t.Errorf("%+v, of which %+v", seen, v)
	}
}
