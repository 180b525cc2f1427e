package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDocumentLints: what others read the document with has nothing to say against it.
func TestDocumentLints(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(cache, "letterhook", "redocly", "node_modules", "@redocly", "cli", "bin", "cli.js")
	_, missing := os.Stat(program)
	if node, err := exec.LookPath("node"); missing != nil || err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("node %q, %v: make services installs them", node, missing)
		}
		t.Skip("no Redocly: make services installs it")
	}
	h := newHouse(t)
	var document json.RawMessage
	h.ask(t, "", http.MethodGet, "/api/v1/openapi.json", nil, &document)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "openapi.json"), document, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "redocly.yaml"), []byte("extends: [recommended]\ntelemetry: off\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", program, "lint", "openapi.json", "--format=json")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, stderr.String())
	}
	var said struct {
		Totals   struct{ Errors, Warnings, Ignored int }
		Problems []struct{ RuleID, Message string }
	}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("%v: %s%s", err, out, stderr.String())
	}
	if said.Totals.Errors+said.Totals.Warnings+said.Totals.Ignored != 0 {
		t.Errorf("%+v", said)
	}
}
