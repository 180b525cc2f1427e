package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage"
)

// TestNodesBesideTheServer: the command lists the server that runs on the same data, by the command and by the API beside it, and is none
// of those that serve itself.
func TestNodesBesideTheServer(t *testing.T) {
	onBothEngines(t, func(t *testing.T, text string) {
		url, _ := endpointOf(t, testSecret, func() int { return 200 })
		s := serveFile(t, strings.ReplaceAll(text, "URL", url))
		told, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		// What the system chose, as a configuration names it.
		known := strings.Replace(string(told), `private: {address: "localhost:0"}`, `private: {address: "`+s.private.Addr().String()+`"}`, 1)
		path := filepath.Join(t.TempDir(), "letterhook.yaml")
		if err := os.WriteFile(path, []byte(known), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if out := says(t, []string{"nodes", "-c", path}, s.nodeName(), version(), "yes"); strings.Count(out, "\n") != 2 {
				t.Errorf("the list is\n%s", out)
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.private.Addr().String()+nodesPath, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "rebound.evil.example" // a page in a browser has such a one for its own
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("a page in a browser is told of the nodes: %s", response.Status)
		}
		if n := firstJSON(t, must(t, "nodes", "--json", "-c", path)); n["name"] != s.nodeName() || n["ready"] != true {
			t.Errorf("%v", n)
		}
		says(t, []string{"api", "get", "/nodes", "-c", path}, `"name":"`+s.nodeName()+`"`)
		if out, err := command(t, "api", "get", "/levers", "-c", path); err == nil || strings.Contains(out, "false") || !strings.Contains(err.Error(), "letterhook lever show") {
			t.Errorf("beside the server the levers are said to be %s, %v", out, err)
		}
		if strings.Contains(s.log.String(), "WARN") {
			t.Errorf("it was noticed:\n%s", s.log)
		}
	})
}

// TestNodesOfNobody: where no server answers the command says so, and where it looked.
func TestNodesOfNobody(t *testing.T) {
	url, _ := endpointOf(t, testSecret, func() int { return 200 })
	s := serveFile(t, strings.ReplaceAll(served, "URL", url))
	out, err := command(t, "nodes", "-c", s.path) // nobody listens at port 0
	if err == nil || !strings.Contains(err.Error(), "no server answers at localhost:0 (http.private)") {
		t.Errorf("%v %s", err, out)
	}
	if status, _ := (&apiHouse{serving: s, base: "http://" + s.public.Addr().String() + "/api/v1"}).page(t, "", "GET", nodesPath, nil); status == 200 {
		t.Error("strangers are told of the nodes")
	}
}

// TestPrivateListenerIsAskedAsLocalhost: by another name, which http.private may have, it would take the command for a page in a browser.
func TestPrivateListenerIsAskedAsLocalhost(t *testing.T) {
	asked := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Host }))
	defer srv.Close()
	response, err := askPrivate(t.Context(), http.MethodGet, srv.Listener.Addr().String(), nodesPath, false, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if host := <-asked; host != "localhost" {
		t.Errorf("it was asked as %q", host)
	}
}

// TestSilentNodeSaysSoFirst: what a dead node said last does not hide that it is dead.
func TestSilentNodeSaysSoFirst(t *testing.T) {
	n := showNode(&storage.Member{Silent: time.Minute, Reasons: []string{"the disk is nearly full"}}, false)
	if n.Ready || !slices.Equal(n.Reasons, []string{"nothing is heard of it", "the disk is nearly full"}) {
		t.Errorf("%+v", n)
	}
}
