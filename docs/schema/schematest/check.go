// Package schematest checks what tests receive against the schemas of the contract.
package schematest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/letterhook/letterhook/docs/schema"
)

// Check says where the body of an event is not what the schema of its type promises, or that there is no schema for it.
func Check(body []byte) error {
	var frame struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(body, &frame); err != nil {
		return fmt.Errorf("not an event: %w", err)
	}
	all, err := compiled()
	if err != nil {
		return err
	}
	s := all[fmt.Sprintf("%s.v%d", frame.Type, frame.Version)]
	if s == nil {
		return fmt.Errorf("there is no schema for %q, version %d: add it to docs/schema/generate", frame.Type, frame.Version)
	}
	return validate(s, body)
}

// CheckData says where the data of a mail, without an event around it, is not what the schema of email.received promises of it.
func CheckData(data []byte) error {
	all, err := compiled()
	if err != nil {
		return err
	}
	return validate(all[mailData], data)
}

func validate(s *jsonschema.Schema, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	if err := s.Validate(value); err != nil {
		return fmt.Errorf("not what the schema promises: %w", err)
	}
	return nil
}

// mailData is where the schema of a mail's data stands.
const mailData = "email.received.v1#/$defs/EventData"

// compiled are the schemas by name, and that of [mailData].
var compiled = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	const urn = "urn:letterhook:schema:"
	all := map[string]*jsonschema.Schema{}
	for _, name := range schema.Names() {
		text, err := schema.Read(name)
		if err != nil {
			return nil, err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		if err := c.AddResource(urn+name, value); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
	}
	for _, name := range append(schema.Names(), mailData) {
		var err error
		if all[name], err = c.Compile(urn + name); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
	}
	return all, nil
})
