package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills a Config from a YAML tree. It stops at nothing: every key that is unknown or of the wrong type becomes
// a fault, and the position of every key is kept for the faults found later. That is what the library's own decoder,
// which ends at the first fault, does not give.
type decoder struct {
	faults    *faults
	positions map[string]position
	lookup    func(string) (string, bool) // environment
	anchors   map[string]ast.Node
}

func (d *decoder) at(node ast.Node) position {
	return position{d.faults.file, node.GetToken().Position.Line}
}

// resolve takes anchors, aliases and tags away.
func (d *decoder) resolve(node ast.Node) ast.Node {
	for range 10 {
		switch n := node.(type) {
		case *ast.AnchorNode:
			d.anchors[n.Name.GetToken().Value] = n.Value
			node = n.Value
		case *ast.AliasNode:
			target, ok := d.anchors[n.Value.GetToken().Value]
			if !ok {
				return n
			}
			node = target
		case *ast.TagNode:
			node = n.Value
		default:
			return node
		}
	}
	return node
}

// decode reads node into v; key is the path of v.
func (d *decoder) decode(node ast.Node, v reflect.Value, key string) {
	at := d.at(node)
	d.positions[key] = at
	node = d.resolve(node)
	switch node.(type) {
	case *ast.NullNode:
		return // "key:" with nothing behind it keeps the default
	case *ast.AliasNode:
		d.faults.addf(at, key, "unknown anchor")
		return
	}
	if _, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		d.scalar(node, v, at, key)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(node, v, at, key)
	case reflect.Slice:
		d.sequence(node, v, at, key)
	case reflect.Map:
		d.dictionary(node, v, at, key)
	default:
		d.scalar(node, v, at, key)
	}
}

func (d *decoder) mapping(node ast.Node, v reflect.Value, at position, key string) {
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		d.faults.addf(at, key, "must be a section of keys")
		return
	}
	fields, seen := fieldsOf(v), map[string]bool{}
	for _, entry := range mapping.Values {
		name := entry.Key.GetToken().Value
		if seen[name] {
			d.faults.addf(d.at(entry.Key), join(key, name), "is set twice")
		}
		seen[name] = true
		field, known := fields[name]
		if !known {
			d.faults.addf(d.at(entry.Key), join(key, name), "unknown key")
			continue
		}
		d.decode(entry.Value, field, join(key, name))
		d.positions[join(key, name)] = d.at(entry.Key)
	}
}

func (d *decoder) sequence(node ast.Node, v reflect.Value, at position, key string) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		d.faults.addf(at, key, "must be a list")
		return
	}
	list := reflect.MakeSlice(v.Type(), len(sequence.Values), len(sequence.Values))
	for i, item := range sequence.Values {
		d.item(item, list.Index(i), fmt.Sprintf("%s[%d]", key, i))
	}
	v.Set(list)
}

// item is decode for what stands in a list or behind a free name, where nothing has a default to keep.
func (d *decoder) item(node ast.Node, v reflect.Value, key string) {
	if _, null := d.resolve(node).(*ast.NullNode); null {
		d.positions[key] = d.at(node)
		d.faults.addf(d.at(node), key, "is empty")
		return
	}
	d.decode(node, v, key)
}

func (d *decoder) dictionary(node ast.Node, v reflect.Value, at position, key string) {
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		d.faults.addf(at, key, "must be a section of keys")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, entry := range mapping.Values {
		name := entry.Key.GetToken().Value
		value := reflect.New(v.Type().Elem()).Elem()
		d.item(entry.Value, value, join(key, name))
		v.SetMapIndex(reflect.ValueOf(name), value)
	}
}

func (d *decoder) scalar(node ast.Node, v reflect.Value, at position, key string) {
	var text string
	switch n := node.(type) {
	case *ast.LiteralNode:
		text = n.Value.Value
	case ast.ScalarNode:
		text = n.GetToken().Value
	default:
		d.faults.addf(at, key, "must be a single value")
		return
	}
	text, err := d.expand(text)
	if err == nil {
		err = setScalar(v, text)
	} else {
		d.faults.lost[key] = true
	}
	if err != nil {
		d.faults.addf(at, key, "%v", err)
	}
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand puts the environment's values in the place of ${NAME}. A variable that is not set is a fault: an empty secret
// must not pass for one.
func (d *decoder) expand(text string) (string, error) {
	var missing error
	text = variable.ReplaceAllStringFunc(text, func(m string) string {
		name := m[2 : len(m)-1]
		value, ok := d.lookup(name)
		if !ok {
			missing = fmt.Errorf("the environment variable %s is not set", name)
		}
		return value
	})
	return text, missing
}

// setScalar reads one word into v.
func setScalar(v reflect.Value, text string) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("must be true or false, not %q", text)
		}
		v.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("must be a whole number, not %q", text)
		}
		v.SetInt(int64(n))
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Errorf("must be a number, not %q", text)
		}
		v.SetFloat(n)
	default:
		return fmt.Errorf("cannot be set by a single value")
	}
	return nil
}

// fieldsOf gives the fields of a struct by their key.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := make(map[string]reflect.Value, v.NumField())
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			fields[name] = v.Field(i)
		}
	}
	return fields
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}
