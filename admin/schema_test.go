package admin_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/letterhook/letterhook/admin"
	"github.com/letterhook/letterhook/docs/schema"
	"github.com/letterhook/letterhook/storage"
)

// The schemas are served to everybody, below the path of the public URL too.
func TestSchemasAreServed(t *testing.T) {
	links, err := storage.NewLinks("https://mail.example/hooks", [][]byte{bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	h := admin.Public(nil, nil, links, nil)
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w
	}
	for _, prefix := range []string{"", "/hooks"} {
		var list struct{ Schemas []string }
		if w := get(prefix + "/v1/schema"); json.Unmarshal(w.Body.Bytes(), &list) != nil || !slices.Equal(list.Schemas, schema.Names()) {
			t.Errorf("%s: list %s", prefix, w.Body)
		}
		for _, name := range schema.Names() {
			want, err := schema.Read(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{prefix + "/v1/schema/" + name, prefix + "/v1/schema/" + name + ".json"} {
				w := get(path)
				if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), want) || w.Header().Get("Content-Type") != "application/schema+json" {
					t.Errorf("%s: %d, %s", path, w.Code, w.Header().Get("Content-Type"))
				}
			}
		}
	}
	for _, path := range []string{"/v1/schema/email.sent.v1", "/v1/schema/..%2fschema.go", "/v1/schema/email.received.v1.json.json"} {
		if w := get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
