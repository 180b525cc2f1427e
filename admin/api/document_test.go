package api_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/letterhook/letterhook/admin/api"
)

// TestDocumentCurrent: the client that the command line uses was made from the operations that there are today.
func TestDocumentCurrent(t *testing.T) {
	document, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../../cmd/letterhook/apiclient/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(document, committed) {
		t.Error("the operations have changed: run make generate and commit what it makes")
	}
}
