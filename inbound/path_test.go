package inbound_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound"
)

func TestParsePath(t *testing.T) {
	long := strings.Repeat("l", 64)
	label := strings.Repeat("d", 63)
	tests := []struct {
		in     string
		utf8   bool
		local  string
		domain string
		out    string // Path.String; empty: as in
	}{
		{in: "a@b", local: "a", domain: "b"},
		{in: "<a@b.example>", local: "a", domain: "b.example", out: "a@b.example"},
		{in: "A.B+c@Ex-Ample.COM", local: "A.B+c", domain: "Ex-Ample.COM"},
		{in: "!#$%&'*+-/=?^_`{|}~@b", local: "!#$%&'*+-/=?^_`{|}~", domain: "b"},
		{in: `"a@b"@c.example`, local: "a@b", domain: "c.example"},
		{in: `"a b\"c\\"@c`, local: `a b"c\`, domain: "c"},
		{in: `"plain"@c`, local: "plain", domain: "c", out: "plain@c"},
		{in: `"\a\@"@c`, local: "a@", domain: "c", out: `"a@"@c`},
		{in: `""@c`, local: "", domain: "c"},
		{in: `".a"@c`, local: ".a", domain: "c"},
		{in: `"a>b"@c`, local: "a>b", domain: "c"},
		{in: long + "@c", local: long, domain: "c"},
		{in: "a@" + label + ".example", local: "a", domain: label + ".example"},
		{in: "a@[192.0.2.1]", local: "a", domain: "[192.0.2.1]"},
		{in: "a@[IPv6:2001:db8::1]", local: "a", domain: "[IPv6:2001:db8::1]"},
		{in: "<@x.example,@y.example:a@b>", local: "a", domain: "b", out: "a@b"},
		{in: "a@xn--bcher-kva.example", local: "a", domain: "xn--bcher-kva.example"},
		{in: "a@c--n.example", local: "a", domain: "c--n.example"},
		{in: "jörg@bücher.example", utf8: true, local: "jörg", domain: "bücher.example"},
		{in: `"jörg k"@b`, utf8: true, local: "jörg k", domain: "b"},
	}
	for _, test := range tests {
		path, err := inbound.ParsePath(test.in, test.utf8)
		if err != nil || path.LocalPart != test.local || path.Domain != test.domain {
			t.Errorf("%q: %+q, %v", test.in, path, err)
			continue
		}
		if test.out == "" {
			test.out = test.in
		}
		if path.String() != test.out {
			t.Errorf("%q: String %q, want %q", test.in, path.String(), test.out)
		}
		if again, err := inbound.ParsePath(path.String(), test.utf8); err != nil || again != path {
			t.Errorf("%q: read back %+q, %v", test.in, again, err)
		}
	}
}

func TestParsePathRefuses(t *testing.T) {
	for _, in := range []string{
		" ", "<", ">", "<<a@b>>", "a", "a@", "@b", "<a@b", "a@b>", "<a@b>x", "<a@b> x", "a@b@c", "a..b@c", ".a@c", "a.@c",
		"a b@c", "a@b c", "a@-b", "a@b-", "a@b..c", "a@b.", "a@.b", "a@b_c", "a@[1.2.3]", "a@[1.2.3.4", "a@[::1]", "a@[IPv6:::1%eth0]",
		"a@[IPv6:1.2.3.4]", "a@[tag:x]", "a@[999.1.1.1]", "a(c)@b", "a,b@c", "a@b,c@d", "a;b@c", `"a@b`, `"a"b@c`, `a"b"@c`, `"a\`,
		"\"a\r\nb\"@c", "\"a\tb\"@c", "\"a\x00b\"@c", "\"\\\r\"@c", "a\x00@c", "a@b\x00", "a@b\r\n", "a\x7f@b", "a\x80@b", "a@b\xff",
		strings.Repeat("l", 65) + "@c", "a@" + strings.Repeat("d", 64), "a@" + strings.Repeat("d.", 128) + "d",
		"a@xn---", "<@x:>", "<@x>", "<@:a@b>", "<@x,y:a@b>", "$(id)@b;id", "a@$(id)", "a@b`id`",
	} {
		if path, err := inbound.ParsePath(in, true); err == nil {
			t.Errorf("%q was read as %+q", in, path)
		}
	}
	for _, in := range []string{"jörg@b", "a@bücher.example", `"ö"@b`} {
		if _, err := inbound.ParsePath(in, false); !errors.Is(err, inbound.ErrSMTPUTF8) {
			t.Errorf("%q without SMTPUTF8: %v", in, err)
		}
	}
}

func TestNullPath(t *testing.T) {
	for _, in := range []string{"", "<>"} {
		path, err := inbound.ParsePath(in, false)
		if err != nil || !path.IsNull() || path.String() != "" {
			t.Errorf("%q: %+q, %v", in, path, err)
		}
	}
	if (inbound.Path{Domain: "b"}).IsNull() {
		t.Error(`""@b is no null path`)
	}
}

// TestPathJSON: a stored envelope must give back each path it was made of.
func TestPathJSON(t *testing.T) {
	for _, path := range []inbound.Path{{}, {LocalPart: "a", Domain: "b"}, {LocalPart: `a"@\ `, Domain: "b"}, {LocalPart: "ö", Domain: "bücher.example"}} {
		text, err := json.Marshal(path)
		if err != nil {
			t.Fatal(err)
		}
		var again inbound.Path
		if err := json.Unmarshal(text, &again); err != nil || again != path {
			t.Errorf("%+q became %s became %+q, %v", path, text, again, err)
		}
	}
	var path inbound.Path
	if err := json.Unmarshal([]byte(`"a@b@c"`), &path); err == nil {
		t.Error("a malformed path was read")
	}
}

// TestIsemail holds ParsePath against the public table of Dominic Sayers. Its categories follow RFC 5321 as SMTP does,
// up to the exceptions named here.
func TestIsemail(t *testing.T) {
	file, err := os.ReadFile("testdata/isemail/tests.xml")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Tests []struct {
			ID        string `xml:"id,attr"`
			Address   string `xml:"address"`
			Category  string `xml:"category"`
			Diagnosis string `xml:"diagnosis"`
		} `xml:"test"`
	}
	if err := xml.Unmarshal(file, &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Tests) != 164 {
		t.Fatalf("%d tests, want 164", len(table.Tests))
	}
	valid := map[string]bool{"ISEMAIL_VALID_CATEGORY": true, "ISEMAIL_DNSWARN": true, "ISEMAIL_RFC5321": true}
	exceptions := map[string]bool{
		"59": true, "60": true, // 64 octets without the quotes, which is what a Path holds
		"71": true, // "::" for one group only: deprecated, not wrong
	}
	for _, test := range table.Tests {
		if test.Address == "" {
			continue // to us the null reverse-path
		}
		address := strings.Map(func(r rune) rune { // the table shows control characters as their pictures
			if r >= 0x2400 && r <= 0x241f || r == 0x2421 {
				return r - 0x2400
			}
			return r
		}, test.Address)
		want := valid[test.Category]
		if except, ok := exceptions[test.ID]; ok {
			want = except
		}
		path, err := inbound.ParsePath(address, false)
		if (err == nil) != want {
			t.Errorf("%s %q (%s): %+q, %v", test.ID, address, test.Diagnosis, path, err)
		}
	}
}
