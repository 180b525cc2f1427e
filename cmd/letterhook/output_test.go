package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestJSONForTerminals: no text of a stranger is a command to a terminal, and all of it is there.
func TestJSONForTerminals(t *testing.T) {
	const text = "a\x1b[2Jb\u009b31mc\x7fd\u202ee\u2066f \u00fc\U0001f4e7\n<g>\t"
	var out strings.Builder
	if err := printJSON(&out, map[string]any{"subject": text, "raw": json.RawMessage(`"\u009d0;title\u0007"`), "direct": json.RawMessage("\"\u009d0;title\"")}); err != nil {
		t.Fatal(err)
	}
	line, found := strings.CutSuffix(out.String(), "\n")
	if !found || printable(line, false) != line {
		t.Errorf("%q", out.String())
	}
	var back map[string]string
	if err := json.Unmarshal([]byte(line), &back); err != nil || back["subject"] != text || back["direct"] != "\u009d0;title" {
		t.Errorf("%v %q", err, back)
	}
}

func TestPlural(t *testing.T) {
	for want, got := range map[string]string{
		"0 messages": plural(0, "message"), "1 message": plural(1, "message"), "2 messages": plural(int64(2), "message"),
		"1 pending delivery": plural(1, "pending delivery"), "3 pending deliveries": plural(3, "pending delivery"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
