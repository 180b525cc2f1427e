package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
	"github.com/letterhook/letterhook/storage/throwaway"
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

// TestBenchVerdicts wants the server of a bench to check who sent each mail, and DNS to be asked more often where nothing may be
// remembered.
func TestBenchVerdicts(t *testing.T) {
	questions := map[bool]int{}
	for _, cold := range []bool{false, true} {
		report, err := bench.Run(t.Context(), bench.Options{
			Load: bench.Load{
				To: "load@bench.example", Run: "verdicts", Connections: 2, Messages: 40, Size: 1000,
			},
			Program: program(t), Verdicts: true, Unseen: 0.25, Cold: cold, Wait: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		v := report.Verdicts
		if v == nil {
			t.Fatal("no verdicts in the report")
		}
		if v.Events != 40 || v.Unchecked != 0 || v.DMARC != 40 || v.SPF != 40 || v.DKIM != 40 || v.IPRev != 40 {
			t.Errorf("of 40 mails these passed: %+v", *v)
		}
		// The mails 0, 10, 20 and 30, which come from known domains, are sealed, and the first of the ten from fresh ones.
		if v.ARC != 5 {
			t.Errorf("%d mails have a chain that passes, want 5", v.ARC)
		}
		if v.DNSQuestions == 0 {
			t.Error("DNS was not asked")
		}
		questions[cold] = v.DNSQuestions
	}
	if questions[true] <= questions[false] {
		t.Errorf("%d questions where nothing may be remembered, %d where all is", questions[true], questions[false])
	}
}

// TestBenchUnchecked wants no word of verdicts where nobody checks who sent the mails.
func TestBenchUnchecked(t *testing.T) {
	report, err := bench.Run(t.Context(), bench.Options{
		Load:    bench.Load{Run: "unchecked", Connections: 1, Messages: 2, Size: 1000},
		Program: program(t), Wait: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Delivered != 2 || report.Verdicts != nil {
		t.Errorf("%d delivered, verdicts %+v", report.Delivered, report.Verdicts)
	}
}

// TestIdleMemory holds what a server needs before the first mail to the 40 MB that were promised: what the API and the dashboard are made of, for
// one, is made when somebody asks for it, and what only the start needed is given back.
func TestIdleMemory(t *testing.T) {
	const limit = 40 << 20
	server := start(t.Context(), t, bench.ServerOptions{Program: program(t), Data: t.TempDir(), Forward: receive(t).URL})
	usage, err := bench.UsageOf(server.PID())
	if err != nil {
		t.Fatal(err)
	}
	if usage.RSS > limit {
		t.Errorf("%d MB, want %d", usage.RSS>>20, limit>>20)
	}
}

// TestBenchNodes loads three servers on one database and one bucket, which all of them take part of.
func TestBenchNodes(t *testing.T) {
	ctx := within(t, 2*time.Minute)
	b := startBucket(ctx, t)
	report, err := bench.Run(ctx, bench.Options{
		Load:    bench.Load{Run: "nodes", Connections: 6, Messages: 60, Size: 1000, Endpoints: 3},
		Program: program(t), Nodes: 3, Wait: time.Minute,
		Place: bench.Place{Database: throwaway.Database(t), Bucket: "http://" + accessKey + ":" + accessSecret + "@" + b.addr + "/" + bucketName},
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Nodes != 3 || report.Delivered != 60 || report.Refused+report.Broken > 0 || report.PutsPerMessage <= 0 || report.WALPerMessage <= 0 {
		t.Errorf("%+v", *report)
	}
}
