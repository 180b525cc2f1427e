package dispatch

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// asLibrary is the JSON that encoding/json makes.
func asLibrary(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// TestEventAsLibrary writes events whose every field has been anything, and compares with encoding/json, which knows of each field.
func TestEventAsLibrary(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // no secret
		var ev Event
		fill(r, reflect.ValueOf(&ev).Elem())
		got, err := appendEvent([]byte("before"), &ev)
		if err != nil {
			t.Fatal(err)
		}
		if want := "before" + asLibrary(t, &ev); string(got) != want {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			t.Fatalf("seed %d, octet %d: %.120q, want %.120q", seed, at, got[max(at-20, 0):], want[max(at-20, 0):])
		}
	}
}

// fill sets a value to anything, often to nothing.
func fill(r *rand.Rand, v reflect.Value) {
	if at, ok := reflect.TypeAssert[*Time](v.Addr()); ok {
		*at = [...]Time{{}, {time.Unix(r.Int64N(1<<33), r.Int64N(1e9))}, {time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}}[r.IntN(3)]
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(r, field)
		}
	case reflect.Pointer:
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Slice:
		if n := r.IntN(4) - 1; n >= 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(r, v.Index(i))
			}
		}
	case reflect.Map:
		if n := r.IntN(4) - 1; n >= 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range n {
				key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				fill(r, key)
				fill(r, value)
				v.SetMapIndex(key, value)
			}
		}
	case reflect.String:
		v.SetString(anyText(r))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64() >> r.IntN(64))
	case reflect.Float64:
		v.SetFloat([...]float64{0, 1, 0.85, r.Float64(), -1, 1e-9, 1e22}[r.IntN(7)])
	default:
		panic("no value for " + v.Type().String())
	}
}

// anyText makes strings of pieces that JSON writes in different ways, at any distance from each other.
func anyText(r *rand.Rand) string {
	pieces := []string{"plain text", "x", `"`, `\`, "\n", "\r\n", "\t", "\b\f\x00\x1f", "\x7f", "ä", "€", "😀", "\u2028", "\u2029", "\xff", "\xe2\x80", "\ufffd", "<&>"}
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteString(pieces[r.IntN(len(pieces))])
		b.WriteString(strings.Repeat("y", r.IntN(10)))
	}
	return b.String()
}

func FuzzAppendJSONString(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(anyText(rand.New(rand.NewPCG(seed, 1)))) //nolint:gosec // no secret
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(appendJSONString(nil, s)), asLibrary(t, s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// TestEventUnwritable wants an error and no half event.
func TestEventUnwritable(t *testing.T) {
	ev := &Event{Data: &EventData{}}
	ev.Data.Reply.Confidence = 1 / func() float64 { return 0 }()
	if _, err := appendEvent(nil, ev); err == nil {
		t.Error("infinity was written")
	}
	var r renderer
	if body, err := r.render(ev, 0, false); err == nil || body != nil {
		t.Errorf("infinity was rendered as %q", body)
	}
}
