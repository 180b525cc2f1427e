package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// fill reads values of JSON into a part of the configuration, by the same keys as the file's. Nothing is put in the place of ${NAME}:
// what came from outside must not read the environment. Every fault is reported with its key.
func fill(v reflect.Value, value any, key string, report func(key, reason string)) {
	if value == nil {
		return
	}
	if _, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		fillScalar(v, value, key, report)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		fields := fieldsOf(v)
		section, ok := value.(map[string]any)
		if !ok {
			report(key, "must be an object")
			return
		}
		for name, item := range section {
			field, known := fields[name]
			if !known || strings.HasSuffix(name, "_file") { // files are the operator's to name
				report(join(key, name), "unknown key")
				continue
			}
			fill(field, item, join(key, name), report)
		}
	case reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			report(key, "must be a list")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i, item := range list {
			fill(v.Index(i), item, fmt.Sprintf("%s[%d]", key, i), report)
		}
	case reflect.Map:
		section, ok := value.(map[string]any)
		if !ok {
			report(key, "must be an object")
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for name, item := range section {
			one := reflect.New(v.Type().Elem()).Elem()
			fill(one, item, join(key, name), report)
			v.SetMapIndex(reflect.ValueOf(name), one)
		}
	default:
		fillScalar(v, value, key, report)
	}
}

func fillScalar(v reflect.Value, value any, key string, report func(key, reason string)) {
	var text string
	switch one := value.(type) {
	case string:
		text = one
	case bool:
		text = strconv.FormatBool(one)
	case json.Number:
		text = one.String()
	default:
		report(key, "must be a single value")
		return
	}
	if err := setScalar(v, text); err != nil {
		report(key, err.Error())
	}
}
