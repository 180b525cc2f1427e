package config

import (
	"encoding"
	"reflect"
	"strings"
)

// environmentPrefix starts the name of every variable that overrides a key.
const environmentPrefix = "LETTERHOOK_"

// environment applies the variables LETTERHOOK_SECTION_KEY to v. Lists of words are separated by commas; lists of
// sections (listeners, endpoints, domains) have no variable. It returns the variables that it knew.
func (d *decoder) environment(v reflect.Value, key string) map[string]bool {
	known := map[string]bool{}
	for name, field := range fieldsOf(v) {
		path := join(key, name)
		if field.Kind() == reflect.Struct {
			if _, ok := reflect.TypeAssert[encoding.TextUnmarshaler](field.Addr()); !ok {
				for variable := range d.environment(field, path) {
					known[variable] = true
				}
				continue
			}
		}
		variable := environmentPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
		if !overridable(field) {
			continue
		}
		known[variable] = true
		text, ok := d.lookup(variable)
		if !ok {
			continue
		}
		at := position{file: "environment"}
		d.positions[path] = at
		if err := setWord(field, text); err != nil {
			d.faults.addf(at, variable, "%v", err)
		}
	}
	return known
}

// overridable says whether a word or a list of words can fill v.
func overridable(v reflect.Value) bool {
	if _, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		return true
	}
	switch v.Kind() {
	case reflect.Map, reflect.Struct:
		return false
	case reflect.Slice:
		return overridable(reflect.New(v.Type().Elem()).Elem())
	default:
		return true
	}
}

// setWord reads a variable's value, a list at its commas.
func setWord(v reflect.Value, text string) error {
	if _, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok || v.Kind() != reflect.Slice {
		return setScalar(v, text)
	}
	list := reflect.MakeSlice(v.Type(), 0, 4)
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if err := setScalar(item, word); err != nil {
			return err
		}
		list = reflect.Append(list, item)
	}
	v.Set(list)
	return nil
}
