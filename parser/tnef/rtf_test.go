package tnef_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/letterhook/letterhook/parser/tnef"
	"github.com/letterhook/letterhook/parser/tnef/tneftest"
)

// packed are the two examples of MS-OXRTFCP section 3.1: the second has a match that runs into itself.
var packed = []struct{ octets, want string }{
	{"2d0000002b0000004c5a4675f1c5c7a703000a00726370673132354232" + "0af32068656c090020627705b06c647d0a800fa0", "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"},
	{"1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0", "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"},
}

func TestRTF(t *testing.T) {
	for _, c := range packed {
		raw, err := hex.DecodeString(c.octets)
		if err != nil {
			t.Fatal(err)
		}
		rtf := tnef.NewRTFReader(iotest.OneByteReader(bytes.NewReader(raw)))
		got, err := io.ReadAll(rtf)
		if err != nil || string(got) != c.want || rtf.Damage() != "" {
			t.Errorf("%q, %v %s, want %q", got, err, rtf.Damage(), c.want)
		}
		for n := range len(raw) - 4 {
			cut := tnef.NewRTFReader(bytes.NewReader(raw[:n]))
			part, err := io.ReadAll(cut)
			if err != nil || !strings.HasPrefix(c.want, string(part)) || string(part) != c.want && cut.Damage() == "" {
				t.Errorf("first %d octets: %q, %v %s", n, part, err, cut.Damage())
			}
		}
	}
	stored := tnef.NewRTFReader(bytes.NewReader(tneftest.StoredRTF("{plain}")))
	if got, err := io.ReadAll(stored); err != nil || string(got) != "{plain}" {
		t.Errorf("stored: %q, %v", got, err)
	}
}

// FuzzRTF: any octets end, and grow no more than the format allows: two octets to seventeen.
func FuzzRTF(f *testing.F) {
	for _, c := range packed {
		raw, err := hex.DecodeString(c.octets)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := io.ReadAll(tnef.NewRTFReader(bytes.NewReader(b)))
		if err != nil || len(out) > 9*len(b) {
			t.Errorf("%d octets of %d, error %v", len(out), len(b), err)
		}
	})
}
