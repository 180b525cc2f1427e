package dispatch

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestPlainHeader(t *testing.T) {
	raw := "Subject: =?utf-8?q?x?=\r\n folded\r\n\tagain\r\nX-Odd :  v \r\nno colon here\r\nX-Bad: \xff\x00\nFrom: a@b\r\n\r\nBody: no\r\n"
	got, err := plainHeader(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := []Header{
		{"Subject", "=?utf-8?q?x?= folded\tagain", "=?utf-8?q?x?= folded\tagain"},
		{"X-Odd", "v", "v"}, {"X-Bad", "\uFFFD\uFFFD", "\uFFFD\uFFFD"}, {"From", "a@b", "a@b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzPlainHeader(f *testing.F) {
	f.Add("A: b\r\n c\r\n\r\n")
	f.Add(" x\r\n:\r\n")
	f.Add(strings.Repeat("X: y\r\n", plainHeaderCount+1))
	f.Fuzz(func(t *testing.T, raw string) {
		fields, err := plainHeader(strings.NewReader(raw))
		if err != nil || fields == nil || len(fields) > plainHeaderCount {
			t.Fatalf("%d fields, %v", len(fields), err)
		}
		for _, h := range fields {
			for _, s := range []string{h.Name, h.Value, h.Raw} {
				if !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\r\n") && !strings.Contains(raw, "\r") {
					t.Fatalf("%q", s)
				}
			}
		}
	})
}
