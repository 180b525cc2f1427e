// Package kubernetes tests the manifests beside it: against the schemas of Kubernetes, and against each other.
package kubernetes

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/letterhook/letterhook/cmd/letterhook/config"
)

var manifests = []string{"namespace.yaml", "deployment.yaml", "service.yaml", "disruption.yaml", "network.yaml"}

// TestSchemas has a tool of Kubernetes' own hold each manifest to the schema of its kind: an unknown field is a fault.
func TestSchemas(t *testing.T) {
	tool, err := exec.LookPath("kubectl-validate")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("kubectl-validate is missing; make services builds it")
		}
		t.Skip("kubectl-validate is not there: make services")
	}
	all := append([]string{"backup.yaml", "--version", "1.30"}, manifests...)
	cmd := exec.Command(tool, all...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(t.TempDir(), "none"))
	if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), "OK") != len(manifests)+1 {
		t.Errorf("%v\n%s", err, out)
	}
}

// manifest is what the tests read of any of them.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Selector    map[string]any
		PodSelector map[string]any `yaml:"podSelector"`
		Traffic     string         `yaml:"externalTrafficPolicy"`
		Ports       []struct {
			Port   any
			Target string `yaml:"targetPort"`
		}
		Ingress []struct {
			Ports []struct{ Port string }
		}
		Template struct {
			Metadata struct{ Labels map[string]any }
			Spec     struct {
				Grace        int   `yaml:"terminationGracePeriodSeconds"`
				ServiceLinks *bool `yaml:"enableServiceLinks"`
				Volumes      []struct {
					Name      string
					ConfigMap *struct{ Name string } `yaml:"configMap"`
					Secret    *struct {
						SecretName string `yaml:"secretName"`
					}
				}
				Containers []struct {
					Ports []struct {
						Name string
						Port int `yaml:"containerPort"`
					}
					EnvFrom []struct {
						Secret struct{ Name string } `yaml:"secretRef"`
					} `yaml:"envFrom"`
					Mounts []struct {
						Name string
						Path string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
					Readiness probe `yaml:"readinessProbe"`
					Liveness  probe `yaml:"livenessProbe"`
					Startup   probe `yaml:"startupProbe"`
					Lifecycle struct {
						PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
					}
				}
			}
		}
	}
}

type probe struct {
	Get struct{ Path, Port string } `yaml:"httpGet"`
}

func read(t *testing.T, kind, name string) manifest {
	t.Helper()
	for _, path := range manifests {
		for text := range strings.SplitSeq(content(t, path), "\n---\n") {
			var m manifest
			if err := yaml.Unmarshal([]byte(text), &m); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if m.Kind == kind && m.Metadata.Name == name {
				return m
			}
		}
	}
	t.Fatalf("there is no %s %s", kind, name)
	return manifest{}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPartsFit: selectors select the pods, ports are there, probes ask what the server answers, and who is to stop is given the time.
func TestPartsFit(t *testing.T) {
	pod := read(t, "Deployment", "letterhook").Spec.Template
	c := pod.Spec.Containers[0]
	component := pod.Metadata.Labels["app.kubernetes.io/component"]
	smtp, web, budget, policy := read(t, "Service", "letterhook-smtp"), read(t, "Service", "letterhook-web"), read(t, "PodDisruptionBudget", "letterhook"), read(t, "NetworkPolicy", "letterhook")
	for name, selector := range map[string]any{
		"smtp": smtp.Spec.Selector["app.kubernetes.io/component"], "web": web.Spec.Selector["app.kubernetes.io/component"],
		"budget": budget.Spec.Selector["matchLabels"].(map[string]any)["app.kubernetes.io/component"],
		"policy": policy.Spec.PodSelector["matchLabels"].(map[string]any)["app.kubernetes.io/component"],
	} {
		if component == nil || selector != component {
			t.Errorf("%s selects %v, pods are %v", name, selector, component)
		}
	}
	ports := map[string]int{}
	for _, p := range c.Ports {
		ports[p.Name] = p.Port
	}
	var used []string
	for _, rule := range policy.Spec.Ingress {
		for _, p := range rule.Ports {
			used = append(used, p.Port)
		}
	}
	for _, name := range append(used, smtp.Spec.Ports[0].Target, web.Spec.Ports[0].Target, c.Readiness.Get.Port, c.Liveness.Get.Port, c.Startup.Get.Port) {
		if ports[name] == 0 {
			t.Errorf("the container has no port %s", name)
		}
	}
	if smtp.Spec.Traffic != "Local" {
		t.Error("the address of the client is lost")
	}
	if c.Readiness.Get.Path != "/readyz" || c.Liveness.Get.Path != "/healthz" || c.Startup.Get.Path != "/healthz" {
		t.Errorf("probes ask %v, %v, %v", c.Readiness, c.Liveness, c.Startup)
	}
	if pod.Spec.ServiceLinks == nil || *pod.Spec.ServiceLinks {
		t.Error("variables of services would be taken for keys of the configuration")
	}
	loaded := load(t)
	need := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second + loaded.SMTP.ShutdownTimeout.Std() + loaded.Delivery.DrainTimeout.Std()
	if grace := time.Duration(pod.Spec.Grace) * time.Second; grace <= need || c.Lifecycle.PreStop.Sleep.Seconds == 0 {
		t.Errorf("a pod is given %s to stop, and needs %s", grace, need)
	}
	for name, address := range map[string]string{"smtp": loaded.SMTP.Listeners[0].Address, "web": loaded.HTTP.Public.Address, "private": loaded.HTTP.Private.Address} {
		if want := regexp.MustCompile(`\d+$`).FindString(address); want == "" || want != strings.TrimPrefix(address, ":") || ports[name] == 0 || want != strconv.Itoa(ports[name]) {
			t.Errorf("%s: the configuration listens at %s, the container has %d", name, address, ports[name])
		}
	}
}

// load reads the configuration with the variables that README.md makes, and files where it names some.
func load(t *testing.T) *config.Config {
	t.Helper()
	dir := t.TempDir()
	text := strings.NewReplacer("/etc/letterhook/keys", dir, "/var/lib/letterhook", dir, // and without the certificate
		"tls:\n  certificates: [{cert_file: /etc/letterhook/tls/tls.crt, key_file: /etc/letterhook/tls/tls.key}]\n", "", "tls: starttls", "tls: none",
	).Replace(content(t, "letterhook.yaml"))
	path := filepath.Join(dir, "letterhook.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"instance.key", "link.key"} {
		key := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(name[:1], 32)))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(path, []string{
		"DATABASE_URL=postgres://letterhook:PASSWORD@db.example.com/letterhook?sslmode=verify-full", "BUCKET_KEY=KEY", "BUCKET_SECRET=SECRET",
		"APP_SECRET=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Divided(); err != nil {
		t.Error(err)
	}
	return c
}

// TestEverythingNamedIsMade: secrets, files and variables are those that README.md makes, and each volume is there.
func TestEverythingNamedIsMade(t *testing.T) {
	pod := read(t, "Deployment", "letterhook").Spec.Template.Spec
	readme, kustomization, text := content(t, "README.md"), content(t, "kustomization.yaml"), content(t, "letterhook.yaml")
	var volumes []string
	for _, v := range pod.Volumes {
		volumes = append(volumes, v.Name)
		if v.Secret != nil && !strings.Contains(readme, " "+v.Secret.SecretName+" ") {
			t.Errorf("README.md makes no secret %s", v.Secret.SecretName)
		}
		if v.ConfigMap != nil && !strings.Contains(kustomization, "- name: "+v.ConfigMap.Name) {
			t.Errorf("nobody makes the map %s", v.ConfigMap.Name)
		}
	}
	for _, m := range pod.Containers[0].Mounts {
		if !slices.Contains(volumes, m.Name) {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
	for _, variable := range regexp.MustCompile(`\$\{([A-Z_]+)\}`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(readme, "--from-literal="+variable[1]+"=") {
			t.Errorf("README.md does not make %s", variable[1])
		}
	}
	for _, path := range manifests {
		if !strings.Contains(kustomization, "- "+path+"\n") {
			t.Errorf("kustomization.yaml leaves %s out", path)
		}
	}
}
