package tnef_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/letterhook/letterhook/parser/tnef"
)

func TestReadRTF(t *testing.T) {
	for _, c := range []struct {
		name, rtf, want string
		html            bool
	}{
		{"text", "{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0\\fswiss Arial;}}{\\colortbl;\\red0;}\r\n\\pard\\f0\\fs20 Hello\\par\r\n\\b bold\\b0  and\\tab not\\par}", "Hello\nbold and\tnot\n", false},
		{"escapes", `{\rtf1 a\\b\{c\}\~d\_e\-f}`, "a\\b{c}\u00a0d-ef", false},
		{"octets", `{\rtf1\ansicpg1252 caf\'e9 \'80}`, "café €", false},
		{"octets of a font", `{\rtf1\ansicpg1252{\fonttbl{\f0 Arial;}{\f1\fcharset204 Arial CYR;}}\f1 \'ef\'f0\'e8\f0  \'e9}`, "при é", false},
		{"two octets a character", `{\rtf1\ansicpg932 \'93\'fa\'96\'7b}`, "日本", false},
		{"unicode", `{\rtf1\uc1 \u8364?\u-10179?\u-8704?x}`, "€😀x", false},
		{"unicode, two octets passed over", `{\rtf1\uc2 \u26085\'93\'fax}`, "日x", false},
		{"a group ends what began in it", `{\rtf1{\uc0\u8364}\u8364?{\*\unknown hidden{\b deep}}shown}`, "€€shown", false},
		{"field", `{\rtf1 {\field{\*\fldinst HYPERLINK "x"}{\fldrslt link}}.}`, "link.", false},
		{"picture", `{\rtf1 a{\pict\bin5 }{}}}}b}`, "ab", false},
		{"quotes", `{\rtf1 \ldblquote a\rdblquote \emdash b}`, "“a”—b", false},
		{"HTML", `{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0 Arial;}}{\*\htmltag19 <html>}{\*\htmltag50 <body>}\htmlrtf {\htmlrtf0 {\*\htmltag64 <p>}Caf\'e9{\*\htmltag84 &nbsp;}\htmlrtf \'a0\htmlrtf0 x{\*\htmltag72 </p>}\htmlrtf\par}\htmlrtf0 {\*\htmltag58 </body>}}`,
			"<html><body><p>Café&nbsp;x</p></body>", true},
		{"cut", `{\rtf1 abc\'e`, "abc", false},
		{"too many braces", `}}}{\rtf1 a}}}}b`, "ab", false},
		{"no RTF", "hello", "hello", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := tnef.ReadRTF(iotest.OneByteReader(strings.NewReader(c.rtf)), 1000)
			if err != nil || got.Text != c.want || got.HTML != c.html || got.Cut {
				t.Errorf("%+v, %v, want %q", got, err, c.want)
			}
		})
	}
	got, err := tnef.ReadRTF(strings.NewReader(`{\rtf1 \'e9\'e9\'e9}`), 3)
	if err != nil || got.Text != "é" || !got.Cut {
		t.Errorf("%+v, %v", got, err)
	}
	broken := errors.New("broken")
	if _, err := tnef.ReadRTF(iotest.ErrReader(broken), 3); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

func FuzzReadRTF(f *testing.F) {
	f.Add(`{\rtf1\ansi\ansicpg1252\fromhtml1{\fonttbl{\f0\fcharset204 Arial;}}{\*\htmltag19 <html>}\htmlrtf {\htmlrtf0 caf\'e9\u8364?\bin3 abc}\par}`)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := tnef.ReadRTF(strings.NewReader(s), 50)
		if err != nil || len(got.Text) > 50 || !utf8.ValidString(got.Text) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
