package api

import (
	"maps"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Patch is a merge patch (RFC 7396) of settings: it names what changes, and null takes a setting back to its default.
type Patch[T any] map[string]any

// Schema is that of the settings with nothing required and everything nullable.
func (Patch[T]) Schema(r huma.Registry) *huma.Schema {
	t := reflect.TypeFor[T]()
	whole := r.SchemaFromRef(r.Schema(t, true, t.Name()).Ref)
	s := &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}, Description: "A merge patch (RFC 7396): what it does not name stays; null takes it back to its default.",
	}
	for name, p := range whole.Properties {
		one := *p
		if p.Ref != "" {
			one = *r.SchemaFromRef(p.Ref)
		}
		one.Nullable = true
		if value, ok := one.AdditionalProperties.(*huma.Schema); ok && value.Ref == "" {
			item := *value
			item.Nullable = true // takes one away
			one.AdditionalProperties = &item
		}
		if len(one.Enum) > 0 {
			one.Enum = append(append([]any{}, one.Enum...), nil)
		}
		s.Properties[name] = &one
	}
	for name := range maps.Keys(s.Properties) {
		s.Properties[name].PrecomputeMessages()
	}
	return s
}
