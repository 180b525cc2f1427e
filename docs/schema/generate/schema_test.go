package main

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/docs/schema"
)

// The schemas that are committed are those of the types.
func TestSchemasAreFresh(t *testing.T) {
	all, err := schemas("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(all)), schema.Names()); diff != "" {
		t.Errorf("schemas (-types +committed):\n%s", diff)
	}
	for name, want := range all {
		got, err := schema.Read(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is stale; run go generate ./docs/schema (-fresh +committed):\n%s", name, diff)
		}
	}
}

// Every key is described, and nothing is closed.
func TestSchemasAreOpenAndDescribed(t *testing.T) {
	for _, name := range schema.Names() {
		text, err := schema.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		var root map[string]any
		if err := json.Unmarshal(text, &root); err != nil {
			t.Fatal(err)
		}
		var look func(path string, value any)
		look = func(path string, value any) {
			object, ok := value.(map[string]any)
			if !ok {
				return
			}
			if _, closed := object["enum"]; closed || object["additionalProperties"] == false || object["unevaluatedProperties"] == false {
				t.Errorf("%s: %s is closed", name, path)
			}
			properties, _ := object["properties"].(map[string]any)
			for key, property := range properties {
				p, _ := property.(map[string]any)
				_, refers := p["$ref"]
				if p["description"] == nil && !refers && p["anyOf"] == nil && path == "/$defs/EventData" {
					t.Errorf("%s: %s/%s has no description", name, path, key)
				}
			}
			for key, v := range object {
				look(path+"/"+key, v)
			}
		}
		look("", root)
	}
}
