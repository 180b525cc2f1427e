// Package schema holds the JSON Schemas (draft 2020-12) of the events that the program sends. They are generated from the Go types
// of package dispatch, by `go generate ./docs/schema`. Neither objects nor lists of words are closed: receivers must ignore keys
// that they do not know and take unknown words for the documented default.
package schema

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
)

//go:generate go run ./generate

//go:embed *.json
var files embed.FS

const suffix = ".json"

// Names lists the schemas: the type of an event and the version of the contract, for example "email.received.v1".
func Names() []string {
	found, err := fs.Glob(files, "*"+suffix)
	if err != nil {
		return nil // the pattern is good
	}
	for i := range found {
		found[i] = strings.TrimSuffix(found[i], suffix)
	}
	slices.Sort(found)
	return found
}

// Read gives a schema by its name, as JSON. A name that is not among [Names] gives an error that Is [fs.ErrNotExist].
func Read(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return files.ReadFile(name + suffix)
}
