// Package monitoring tests what stands beside it: rules for Prometheus and a dashboard for Grafana.
package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// promtool runs the tool of Prometheus.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is missing; .ci/services installs it")
		}
		t.Skip("promtool is not installed")
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestConfiguration(t *testing.T) { promtool(t, "check", "config", "prometheus.yaml") }

func TestAlerts(t *testing.T) {
	promtool(t, "check", "rules", "alerts.yaml")
	promtool(t, "test", "rules", "alerts_test.yaml")
}

// TestEveryAlertIsTested: each fires once and holds its peace once.
func TestEveryAlertIsTested(t *testing.T) {
	tests := read(t, "alerts_test.yaml")
	alerts := regexp.MustCompile(`(?m)- alert: (\w+)$`).FindAllStringSubmatch(read(t, "alerts.yaml"), -1)
	if len(alerts) == 0 {
		t.Fatal("there are no alerts")
	}
	for _, alert := range alerts {
		of := regexp.MustCompile("alertname: " + alert[1] + "\n +exp_alerts:(.*)\n")
		fires, quiet := false, false
		for _, test := range of.FindAllStringSubmatch(tests, -1) {
			fires, quiet = fires || test[1] == "", quiet || test[1] == " []"
		}
		if !fires || !quiet {
			t.Errorf("%s is tested to fire: %v, and to hold its peace: %v", alert[1], fires, quiet)
		}
	}
}

// panel is what the tests read of a panel.
type panel struct {
	Title   string
	Type    string
	GridPos struct{ H, W, X, Y int }
	Targets []struct{ Expr, RefID string }
}

func dashboard(t *testing.T) []panel {
	t.Helper()
	var d struct{ Panels []panel }
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d.Panels
}

// TestDashboardIsWhole: no panel is empty, lies over another or beyond the edge, and every query is one that Prometheus understands.
func TestDashboardIsWhole(t *testing.T) {
	taken := map[string]string{}
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	n := 0
	for _, p := range dashboard(t) {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				place := fmt.Sprint(x, " ", y)
				if other := taken[place]; other != "" || x >= 24 {
					t.Fatalf("%s lies over %q, or beyond the edge", p.Title, other)
				}
				taken[place] = p.Title
			}
		}
		for _, target := range p.Targets {
			n++
			expr := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(target.Expr)
			fmt.Fprintf(&rules, "      - {record: \"dashboard:query%d\", expr: %q}\n", n, expr)
		}
	}
	if n == 0 {
		t.Fatal("there are no queries")
	}
	path := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(path, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", path)
}

// TestMetricsExist holds rules and dashboard to the metrics that docs/metrics.md has, which a running server exposes.
func TestMetricsExist(t *testing.T) {
	page := read(t, "../../docs/metrics.md")
	used := read(t, "alerts.yaml") + read(t, "alerts_test.yaml") + read(t, "dashboard.json") + read(t, "../../docs/operations.md")
	names := regexp.MustCompile(`\bletterhook_[a-z_]+`).FindAllString(used, -1)
	if len(names) < 50 {
		t.Fatalf("only %d names are used", len(names))
	}
	for _, name := range names {
		whole := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if histogram, ok := strings.CutSuffix(name, suffix); ok && strings.Contains(page, "| `"+histogram+"` | histogram |") {
				whole = histogram
			}
		}
		if !strings.Contains(page, "| `"+whole+"` |") {
			t.Errorf("%s is not in docs/metrics.md", name)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
