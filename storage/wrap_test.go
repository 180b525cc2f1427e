package storage

import (
	"bytes"
	"errors"
	"testing"
)

func TestWrapKey(t *testing.T) {
	older, newer := noise(32, 1), noise(32, 2)
	key := newMessageKey()
	wrap := func(instance ...[]byte) []byte {
		t.Helper()
		stored, err := wrapKey(instance, "msg_1", key)
		if err != nil {
			t.Fatal(err)
		}
		return stored
	}
	flipped := wrap(newer)
	flipped[wrapSalt+3] ^= 1
	tests := []struct {
		name     string
		stored   []byte
		id       string
		instance [][]byte
		want     error
	}{
		{"one key", wrap(newer), "msg_1", [][]byte{newer}, nil},
		{"the first wraps", wrap(newer, older), "msg_1", [][]byte{newer}, nil},
		{"all unwrap", wrap(older), "msg_1", [][]byte{newer, older}, nil},
		{"no instance key", wrap(), "msg_1", nil, nil},
		{"stored before there was one", wrap(), "msg_1", [][]byte{newer}, nil},
		{"key gone", wrap(older), "msg_1", [][]byte{newer}, ErrOtherKey},
		{"all keys gone", wrap(older), "msg_1", nil, ErrOtherKey},
		{"row of another message", wrap(newer), "msg_2", [][]byte{newer}, ErrOtherKey},
		{"damaged", flipped, "msg_1", [][]byte{newer}, ErrOtherKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := bytes.Clone(tt.stored)
			got, err := unwrapKey(tt.instance, tt.id, tt.stored)
			if !errors.Is(err, tt.want) {
				t.Fatalf("unwrapKey: %v", err)
			}
			if err == nil && got != key {
				t.Error("another key came out")
			}
			if !bytes.Equal(before, tt.stored) {
				t.Error("the stored form was changed")
			}
		})
	}
	for _, n := range []int{0, 31, 33, wrappedSize - 1, wrappedSize + 1} {
		if _, err := unwrapKey([][]byte{newer}, "msg_1", make([]byte, n)); err == nil {
			t.Errorf("a stored key of %d octets was taken", n)
		}
	}
}

func TestWrapKeyIsNeverTheSameTwice(t *testing.T) {
	instance := [][]byte{noise(32, 1)}
	key := newMessageKey()
	a, _ := wrapKey(instance, "msg_1", key)
	b, _ := wrapKey(instance, "msg_1", key)
	if bytes.Equal(a, b) || bytes.Contains(a, key[:]) {
		t.Error("the wrapped form gives away the key or that it is the same")
	}
}

func BenchmarkWrapKey(b *testing.B) {
	instance := [][]byte{noise(32, 1)}
	key := newMessageKey()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wrapKey(instance, "msg_01", key); err != nil {
			b.Fatal(err)
		}
	}
}
