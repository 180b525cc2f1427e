package scan

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// sound fails the test unless a verdict can be stored, or an error names its kind.
func sound(t *testing.T, f *finding, err error) {
	t.Helper()
	if err != nil {
		if f != nil || !errors.Is(err, errAnswer) && !errors.Is(err, errTooLarge) {
			t.Fatalf("%v with %+v", err, f)
		}
		return
	}
	if (f.spam == nil) == (f.virus == nil) {
		t.Fatalf("not one verdict: %+v", f)
	}
	words := []string{f.text}
	if f.virus != nil {
		words = append(words, f.virus.Signature)
		if f.virus.Infected != (f.virus.Signature != "") {
			t.Fatalf("%+v", f.virus)
		}
	}
	if f.spam != nil {
		words = append(words, f.spam.Action)
		if len(f.spam.Symbols) > maxSymbols || f.spam.Symbols == nil {
			t.Fatalf("%d symbols", len(f.spam.Symbols))
		}
		for _, s := range f.spam.Symbols {
			words = append(words, s.Name)
		}
	}
	for _, w := range words {
		if len(w) > maxWord || strings.ContainsFunc(w, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q", w)
		}
	}
	if _, err := json.Marshal([]any{f.spam, f.virus}); err != nil {
		t.Fatalf("cannot be stored: %v", err)
	}
}

func FuzzRspamd(f *testing.F) {
	for _, c := range rspamdCases {
		f.Add([]byte(c.answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		got, err := parseRspamd(answer)
		sound(t, got, err)
	})
}

func FuzzClamd(f *testing.F) {
	for _, c := range clamdCases {
		f.Add(c.reply)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		got, err := parseClamd(reply)
		sound(t, got, err)
	})
}

func FuzzSpamd(f *testing.F) {
	for _, c := range spamdCases {
		f.Add([]byte(c.reply))
	}
	f.Fuzz(func(t *testing.T, reply []byte) {
		result, err := parseSpamd(reply)
		if err != nil {
			sound(t, nil, err)
			return
		}
		sound(t, &finding{spam: result}, nil)
	})
}
