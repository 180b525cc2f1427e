package admin

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/letterhook/letterhook/admin/problem"
	"github.com/letterhook/letterhook/docs/schema"
)

// schemaLife is how long a schema may be kept: an upgrade of the program can add keys to it.
const schemaLife = "public, max-age=3600"

// serveSchemas lists the schemas of events.
func serveSchemas(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", schemaLife)
	if err := json.NewEncoder(w).Encode(map[string][]string{"schemas": schema.Names()}); err != nil {
		return // the peer is gone
	}
}

// serveSchema serves the schema of one event; its name may end in ".json".
func serveSchema(w http.ResponseWriter, r *http.Request) {
	text, err := schema.Read(strings.TrimSuffix(r.PathValue("name"), ".json"))
	if err != nil {
		problem.Write(w, http.StatusNotFound, "There is no such schema.")
		return
	}
	w.Header().Set("Content-Type", "application/schema+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Access-Control-Allow-Origin", "*") // it is nobody's secret
	w.Header().Set("Cache-Control", schemaLife)
	_, _ = w.Write(text)
}
