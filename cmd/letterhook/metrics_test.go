package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

const metricsPage = "../../docs/metrics.md"

// documented is a metric as docs/metrics.md has it.
type documented struct {
	kind   string
	labels string              // in the order of their names
	values map[string][]string // of the labels whose values are a closed set
}

var (
	metricRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (counter|gauge|histogram) \\|([^|]*)\\| [^|]+ \\|$")
	labelOf   = regexp.MustCompile("`([a-z_]+)`(?: \\(([^)]*)\\))?")
)

// documentedMetrics reads the tables of the page.
func documentedMetrics(t *testing.T) map[string]documented {
	t.Helper()
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]documented{}
	for _, row := range metricRow.FindAllStringSubmatch(string(page), -1) {
		d := documented{kind: row[2], values: map[string][]string{}}
		var labels []string
		for _, label := range labelOf.FindAllStringSubmatch(row[3], -1) {
			labels = append(labels, label[1])
			if label[2] != "" && !strings.HasPrefix(label[2], "each ") {
				d.values[label[1]] = strings.Split(label[2], ", ")
			}
		}
		slices.Sort(labels)
		d.labels = strings.Join(labels, ",")
		if _, twice := found[row[1]]; twice {
			t.Errorf("%s stands there twice", row[1])
		}
		found[row[1]] = d
	}
	return found
}

var descOf = regexp.MustCompile(`^Desc\{fqName: "([^"]*)", help: "[^"]+", unit: "[^"]*", constLabels: \{[^}]*\}, variableLabels: \{([^}]*)\}\}$`)

// describedMetrics are all metrics that a running server can expose, with their labels: also those of which there is nothing to tell
// yet.
func describedMetrics(t *testing.T, registry *prometheus.Registry) map[string]string {
	t.Helper()
	descs := make(chan *prometheus.Desc, 1000)
	registry.Describe(descs)
	close(descs)
	found := map[string]string{}
	for desc := range descs {
		parts := descOf.FindStringSubmatch(desc.String())
		if parts == nil {
			t.Fatalf("a description reads %s", desc)
		}
		labels := strings.Split(parts[2], ",")
		slices.Sort(labels)
		found[parts[1]] = strings.Join(labels, ",")
	}
	return found
}

// ofTheRuntime are the metrics of the libraries, which the page names as a whole.
func ofTheRuntime(name string) bool {
	return strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_")
}

// TestMetricsAreDocumented holds docs/metrics.md and a running server with everything switched on together: names, types, labels,
// and the values of labels, so that none grows with what strangers send.
func TestMetricsAreDocumented(t *testing.T) {
	url, verified := endpointOf(t, testSecret, func() int { return http.StatusOK })
	text := strings.ReplaceAll(served, "URL", url) + fmt.Sprintf("tracing: {endpoint: %q}\nscanners: {rspamd: {address: \"127.0.0.1:1\", timeout: 1s}}\n"+
		"tls: {acme: {names: [mx.example.com], agree_to_terms: true, directory: \"https://127.0.0.1:1/\"}}\n", collectTraces(t).url)
	s := serveFile(t, text)
	send(t, s.smtpListeners[0].Addr().String(), sendOptions{from: "a@sender.example", to: []string{"ann@in.example.com"}, text: "Hello\n"})
	<-verified
	recipient(t, s, "nobody@in.example.com")
	s.log.await(t, "outcome=delivered")

	page := documentedMetrics(t)
	want, got := map[string]string{}, describedMetrics(t, s.registry)
	maps.DeleteFunc(got, func(name, _ string) bool { return ofTheRuntime(name) })
	for name, d := range page {
		want[name] = d.labels
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/metrics.md and the server differ (-page +server):\n%s", diff)
	}
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	scraped := get(t, "http://"+s.private.Addr().String()+"/metrics")
	for _, family := range families {
		name := family.GetName()
		if ofTheRuntime(name) {
			continue
		}
		d := page[name]
		if kind := strings.ToLower(family.GetType().String()); kind != d.kind {
			t.Errorf("%s is a %s, and the page says %q", name, kind, d.kind)
		}
		if !strings.Contains(scraped, "# HELP "+name+" ") {
			t.Errorf("%s is not in what the private listener shows", name)
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				values, closed := d.values[label.GetName()]
				if closed && !slices.Contains(values, label.GetValue()) {
					t.Errorf("%s has %s=%q, which the page does not know", name, label.GetName(), label.GetValue())
				}
			}
		}
	}
}
