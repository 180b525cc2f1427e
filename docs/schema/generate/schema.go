package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/letterhook/letterhook/cmd/letterhook/notice"
	"github.com/letterhook/letterhook/dispatch"
)

// events are the types of events with the Go types of their bodies.
var events = map[string]reflect.Type{
	dispatch.EventReceived:       reflect.TypeFor[dispatch.Event](),
	dispatch.EventTest:           reflect.TypeFor[dispatch.TestEvent](),
	dispatch.EventRecipientCheck: reflect.TypeFor[dispatch.RecipientQuestion](),
	"endpoint.warning":           reflect.TypeFor[notice.Event](),
	"endpoint.broken":            reflect.TypeFor[notice.Event](),
	"endpoint.disabled":          reflect.TypeFor[notice.Event](),
	"endpoint.recovered":         reflect.TypeFor[notice.Event](),
}

// module is the path that all packages begin with.
const module = "github.com/letterhook/letterhook/"

// set are the times that are never null.
var set = map[string]bool{"timestamp": true}

// node is a schema. encoding/json keeps the order of its members, and that of properties is the order of the fields.
type node struct {
	Schema      string     `json:"$schema,omitempty"`
	ID          string     `json:"$id,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Ref         string     `json:"$ref,omitempty"`
	AnyOf       []*node    `json:"anyOf,omitempty"`
	Const       any        `json:"const,omitempty"`
	Type        any        `json:"type,omitempty"` // a word or several
	Format      string     `json:"format,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Items       *node      `json:"items,omitempty"`
	Values      *node      `json:"additionalProperties,omitempty"`
	Defs        properties `json:"$defs,omitempty"`
}

type property struct {
	name string
	node *node
}

// properties is an object whose members have an order.
type properties []property

// MarshalJSON implements [json.Marshaler].
func (ps properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		text, err := marshal(p.node)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s:%s", strconv.Quote(p.name), text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("writing a schema: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// schemas makes the schemas of all events, by name, with the comments of the sources below root.
func schemas(root string) (map[string][]byte, error) {
	all := map[string][]byte{}
	for kind, typ := range events {
		c, err := readComments(filepath.Join(root, strings.TrimPrefix(typ.PkgPath(), module)))
		if err != nil {
			return nil, err
		}
		g := &generator{comments: c, seen: map[string]bool{}}
		root, err := g.object(typ, typ.Name())
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%s.v%d", kind, dispatch.EventVersion)
		root.Schema, root.ID, root.Title, root.Defs = "https://json-schema.org/draft/2020-12/schema", "urn:letterhook:schema:"+name, name, g.defs
		for _, p := range root.Properties {
			switch p.name {
			case "type":
				p.node.Const = kind
			case "version":
				p.node.Const = dispatch.EventVersion
			}
		}
		text, err := marshal(root)
		if err != nil {
			return nil, err
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, text, "", "  "); err != nil {
			return nil, fmt.Errorf("indenting a schema: %w", err)
		}
		pretty.WriteByte('\n')
		all[name] = pretty.Bytes()
	}
	return all, nil
}

// generator makes one schema.
type generator struct {
	comments *comments
	seen     map[string]bool
	defs     properties
}

// object makes the schema of a struct. name is that of its comments.
func (g *generator) object(typ reflect.Type, name string) (*node, error) {
	n := &node{Type: "object", Required: []string{}, Properties: properties{}}
	keys := map[string]string{}
	for f := range typ.Fields() {
		keys[f.Name] = f.Tag.Get("json")
	}
	n.Description = g.comments.describe(g.comments.types[name], nil)
	for f := range typ.Fields() {
		key := f.Tag.Get("json")
		if key == "" || strings.Contains(key, ",") {
			return nil, fmt.Errorf("%s.%s: a key that is not always there has no place in the contract", name, f.Name)
		}
		value, err := g.value(f.Type, name+"."+f.Name, key)
		if err != nil {
			return nil, err
		}
		if text := g.comments.describe(g.comments.fields[name][f.Name], keys); text != "" {
			value.Description = text
		}
		n.Required = append(n.Required, key)
		n.Properties = append(n.Properties, property{key, value})
	}
	return n, nil
}

// value makes the schema of what a key has. where names the field, for the comments of a type without a name.
func (g *generator) value(typ reflect.Type, where, key string) (*node, error) {
	if typ == reflect.TypeFor[dispatch.Time]() {
		if set[key] {
			return &node{Type: "string", Format: "date-time"}, nil
		}
		return &node{Type: []string{"string", "null"}, Format: "date-time"}, nil
	}
	switch typ.Kind() {
	case reflect.String:
		return &node{Type: "string"}, nil
	case reflect.Bool:
		return &node{Type: "boolean"}, nil
	case reflect.Int, reflect.Int64:
		return &node{Type: "integer"}, nil
	case reflect.Float64:
		return &node{Type: "number"}, nil
	case reflect.Slice:
		items, err := g.value(typ.Elem(), where, "")
		return &node{Type: "array", Items: items}, err
	case reflect.Map:
		values, err := g.value(typ.Elem(), where, "")
		return &node{Type: "object", Values: values}, err
	case reflect.Pointer:
		return g.optional(typ, where, key)
	case reflect.Struct:
		return g.reference(typ, where)
	}
	return nil, fmt.Errorf("%s: no schema for %s", where, typ)
}

// optional makes the schema of what may be null. Data is where the contract says that an event is never without it.
func (g *generator) optional(typ reflect.Type, where, key string) (*node, error) {
	value, err := g.value(typ.Elem(), where, key)
	switch {
	case err != nil || where == "Event.Data": // of dispatch
		return value, err
	case value.Ref != "":
		return &node{AnyOf: []*node{value, {Type: "null"}}}, nil
	}
	if word, ok := value.Type.(string); ok {
		value.Type = []string{word, "null"}
	}
	return value, nil
}

// reference makes a definition of a type and refers to it. A type without a name stands where it is used.
func (g *generator) reference(typ reflect.Type, where string) (*node, error) {
	name := typ.Name()
	if name == "" {
		return g.object(typ, where)
	}
	if !g.seen[name] {
		g.seen[name] = true
		def, err := g.object(typ, name)
		if err != nil {
			return nil, err
		}
		g.defs = append(g.defs, property{name, def})
	}
	return &node{Ref: "#/$defs/" + name}, nil
}
