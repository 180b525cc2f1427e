package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/bench"
	"github.com/letterhook/letterhook/storage/throwaway"
)

const rolesConfiguration = `hostname: ` + serverName + `
public_url: http://%[1]s
data_dir: %[2]s
node: %[3]s
smtp: {listeners: [{name: mx, address: "%[4]s", tls: none}]}
http:
  public: {address: "%[1]s"}
  private: {address: "%[5]s"}
storage:
  database: %[6]s
  min_free: 0
%[7]s
endpoints:
  - {name: app, url: "%[8]s", secrets: [%[9]s], allow_private: true}
domains:
  - name: one.example
    routes: [{match: "*", endpoints: [app]}]
`

// part is a node with one role.
type part struct {
	*daemon

	role, private, web, config string
}

// start starts the node and waits until it is well.
func (p *part) start(ctx context.Context, t *testing.T) {
	t.Helper()
	p.daemon = startDaemon(ctx, t, p.private, "GET /healthz HTTP/1.0\r\n\r\n", "200 OK", program(t), "serve", "-c", p.config, "--roles", p.role)
}

// startParts starts a node for each role on one database and one bucket.
func startParts(ctx context.Context, t *testing.T, in *inbox) (parts map[string]*part, smtp string) {
	t.Helper()
	cluster, b := throwaway.StartPostgres(t), startBucket(ctx, t)
	database, dir := cluster.Database(t), t.TempDir()
	keys := fmt.Sprintf("\n  key_file: %s\n  link_key_files: [%s]", newKey(t, filepath.Join(dir, "instance.key")), newKey(t, filepath.Join(dir, "link.key")))
	free := func() string {
		addr, err := bench.FreeAddr()
		if err != nil {
			t.Fatal(err)
		}
		return addr
	}
	smtp, web := free(), free()
	parts = map[string]*part{}
	for _, role := range []string{"smtp", "dispatch", "admin"} {
		p := &part{role: role, private: free(), web: web}
		p.config = writeConf(t, t.TempDir(), "letterhook.yaml", fmt.Sprintf(rolesConfiguration, web, t.TempDir(), "of-"+role, smtp, p.private, database,
			b.storageSection(b.addr)+keys, in.URL, secret))
		p.start(ctx, t)
		parts[role] = p
	}
	return parts, smtp
}

// nodesOf asks the API for the nodes, by their names.
func nodesOf(ctx context.Context, t *testing.T, base, token string) map[string]apiNode {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/nodes", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var list struct{ Items []apiNode }
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", res.Status, err)
	}
	found := map[string]apiNode{}
	for _, n := range list.Items {
		found[n.Name] = n
	}
	return found
}

type apiNode struct {
	Name  string
	Here  bool
	Ready bool
	Roles []string
	Lease *struct {
		Lanes      int
		KeepsHouse bool `json:"keeps_house"`
	}
}

// TestRoles divides the work: one node takes mail, one makes attempts, one serves links and API, and each does nothing else. The one that
// makes attempts is killed and started again: what came meanwhile goes out.
func TestRoles(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	in := newInbox(t)
	parts, smtp := startParts(ctx, t, in)
	if r := deliver(ctx, t, smtp, mailWith(attached()[:1]), "ann@one.example"); r.code != 250 {
		t.Fatal(r)
	}
	e := in.awaitFor(ctx, t, "ann@one.example")
	if got := fetch(ctx, t, e.Data.Raw.URL); string(got) != string(wire(mailWith(attached()[:1]))) {
		t.Error("the link gives something else than was sent")
	}
	out, err := exec.CommandContext(ctx, program(t), "keys", "create", "ops", "-c", parts["admin"].config).Output()
	if err != nil {
		t.Fatal(err)
	}
	token := lhk(string(out))
	base, _, _ := strings.Cut(e.Data.Raw.URL, "/v1/")
	eventually(ctx, t, "the API lists what every node does", func() bool {
		nodes := nodesOf(ctx, t, base, token)
		for _, role := range []string{"smtp", "dispatch", "admin"} {
			n := nodes["of-"+role]
			if !slices.Equal(n.Roles, []string{role}) || !n.Ready || n.Here != (role == "admin") || (n.Lease != nil) != (role == "dispatch") {
				return false
			}
		}
		return len(nodes) == 3 && nodes["of-dispatch"].Lease.KeepsHouse && nodes["of-dispatch"].Lease.Lanes > 0
	})
	for role, p := range parts {
		metrics := string(fetch(ctx, t, "http://"+p.private+"/metrics"))
		if leased := strings.Contains(metrics, "\nletterhook_node_lease_seconds "); leased != (role == "dispatch") {
			t.Errorf("%s tells of a lease: %t", role, leased)
		}
	}

	parts["dispatch"].kill()
	if r := deliver(ctx, t, smtp, []byte(greeting), "bob@one.example"); r.code != 250 {
		t.Fatal(r)
	}
	parts["dispatch"].start(ctx, t)
	in.awaitFor(ctx, t, "bob@one.example")
	in.exactly(t, "ann@one.example", "bob@one.example")
}

// lhk finds the token of a key in what the command printed.
func lhk(text string) string {
	for word := range strings.FieldsSeq(text) {
		if strings.HasPrefix(word, "lhk_") {
			return word
		}
	}
	return ""
}
