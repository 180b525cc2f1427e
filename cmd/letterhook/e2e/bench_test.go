package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
)

// TestBenchManyEndpoints runs a bench with a configuration that it writes itself.
func TestBenchManyEndpoints(t *testing.T) {
	report, err := bench.Run(t.Context(), bench.Options{
		Load: bench.Load{
			To: "load@bench.example", Run: "test", Connections: 2, Messages: 20, Size: 1000, Endpoints: 3, Hanging: 1,
		},
		Program: program(t),
		Wait:    time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Acked != 20 {
		t.Errorf("%d of 20 messages were acknowledged", report.Acked)
	}
}

// TestBenchTellsWhy wants the server's own words when it does not start.
func TestBenchTellsWhy(t *testing.T) {
	_, err := bench.StartServer(t.Context(), bench.ServerOptions{Program: program(t), Config: t.TempDir() + "/none.yaml"})
	if err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("the error is %v, want one that names the configuration", err)
	}
}
