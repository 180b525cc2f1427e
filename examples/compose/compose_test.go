// Package compose tests the compose files above it; what they start is run as processes by TestComposition.
package compose

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

type file struct {
	Services map[string]struct {
		Image       string
		Environment map[string]string
		Volumes     []string
		DependsOn   any      `yaml:"depends_on"`
		Networks    []string `yaml:"networks"`
		Grace       string   `yaml:"stop_grace_period"`
	}
	Networks map[string]struct {
		IPAM struct{ Config []map[string]string }
	}
	Volumes map[string]any
}

func read(t *testing.T, path string) (text string, f file) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return string(b), f
}

// TestFilesAreWellFormed holds both to the specification of compose.
func TestFilesAreWellFormed(t *testing.T) {
	tool, err := exec.LookPath("compose-spec")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("compose-spec is missing; make services builds it")
		}
		t.Skip("compose-spec is not there: make services")
	}
	for _, path := range []string{"../compose.yaml", "../compose-one.yaml"} {
		if out, err := exec.Command(tool, "-no-interpolation", path).CombinedOutput(); err != nil || strings.Contains(string(out), "failed") {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}

// TestPartsFit: what one file names another has.
func TestPartsFit(t *testing.T) {
	text, f := read(t, "../compose.yaml")
	config, balancer := content(t, "letterhook.yaml"), content(t, "haproxy.cfg")
	if len(f.Networks["inside"].IPAM.Config) != 1 || !strings.Contains(config, "proxy_protocol: ["+f.Networks["inside"].IPAM.Config[0]["subnet"]+"]") {
		t.Error("the nodes do not believe the balancer's network")
	}
	nodes := 0
	for name, s := range f.Services {
		for _, volume := range s.Volumes {
			if source, _, _ := strings.Cut(volume, ":"); !strings.HasPrefix(source, ".") {
				if _, ok := f.Volumes[source]; !ok {
					t.Errorf("%s: there is no volume %s", name, source)
				}
			}
		}
		if !strings.HasPrefix(name, "letterhook") {
			continue
		}
		nodes++
		if s.Grace != "60s" { // smtp.shutdown_timeout and delivery.drain_timeout are 30 s and 20 s
			t.Errorf("%s is given %s to stop", name, s.Grace)
		}
		for _, port := range []string{"2525", "8080"} {
			if !strings.Contains(balancer, "server "+name+" "+name+":"+port+"\n") {
				t.Errorf("the balancer does not know port %s of %s", port, name)
			}
		}
		for _, variable := range regexp.MustCompile(`\$\{([A-Z_]+)\}`).FindAllStringSubmatch(config, -1) {
			if _, ok := s.Environment[variable[1]]; !ok {
				t.Errorf("%s does not get %s, which its configuration needs", name, variable[1])
			}
		}
	}
	if nodes != 2 {
		t.Errorf("%d nodes", nodes)
	}
	for _, service := range []string{"postgres", "s3", "bucket", "balancer"} {
		if f.Services[service].Image == "" {
			t.Errorf("there is no %s", service)
		}
	}
	for _, variable := range regexp.MustCompile(`\$\{([A-Z_]+)`).FindAllStringSubmatch(text, -1) {
		if !regexp.MustCompile(`(?m)^#   ` + variable[1] + `=`).MatchString(text) {
			t.Errorf("what to write into .env for %s is not told", variable[1])
		}
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
