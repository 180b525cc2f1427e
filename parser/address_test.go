package parser_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser"
)

func TestAddresses(t *testing.T) {
	type list = []parser.Address
	for _, c := range []struct {
		name, raw string
		want      list
		malformed bool
	}{
		{"bare", "a@x.example", list{{Address: "a@x.example"}}, false},
		{"named", "Ann Lee <a@x.example>", list{{Name: "Ann Lee", Address: "a@x.example"}}, false},
		{"two", "a@x.example, Bob <b@x.example>", list{{Address: "a@x.example"}, {Name: "Bob", Address: "b@x.example"}}, false},
		{"quoted name with comma", `"Lee, Ann" <a@x.example>`, list{{Name: "Lee, Ann", Address: "a@x.example"}}, false},
		{"escapes in the name", `"Ann \"A\" Lee" <a@x.example>`, list{{Name: `Ann "A" Lee`, Address: "a@x.example"}}, false},
		{"comment as name", "a@x.example (Ann Lee)", list{{Name: "Ann Lee", Address: "a@x.example"}}, false},
		{"nested comment", "Ann (the (real) one) <a@x.example>", list{{Name: "Ann", Address: "a@x.example"}}, false},
		{"encoded name", "=?utf-8?Q?Lee=2C_Ann?= <a@x.example>", list{{Name: "Lee, Ann", Address: "a@x.example"}}, false},
		{"encoded name with a raw comma", "=?utf-8?Q?Lee,_Ann?= <a@x.example>", list{{Name: "Lee, Ann", Address: "a@x.example"}}, false},
		{"encoded name in quotes", `"=?utf-8?B?w4RubmU=?=" <a@x.example>`, list{{Name: "Änne", Address: "a@x.example"}}, false},
		{"name in two words", "=?utf-8?Q?=C3=84?= =?utf-8?Q?nne?= <a@x.example>", list{{Name: "Änne", Address: "a@x.example"}}, false},
		{"quoted local-part", `"a b"@x.example`, list{{Address: `"a b"@x.example`}}, false},
		{"needless quotes", `<"ann"@x.example>`, list{{Address: "ann@x.example"}}, false},
		{"at sign in the local-part", `<"a@b"@x.example>`, list{{Address: `"a@b"@x.example`}}, false},
		{"dots nobody may send", "<a..b.@x.example>", list{{Address: `"a..b."@x.example`}}, false},
		{"domain literal", "a@[192.0.2.1]", list{{Address: "a@[192.0.2.1]"}}, false},
		{"route", "<@r1.example,@r2.example:a@x.example>", list{{Address: "a@x.example"}}, false},
		{"obsolete spaces", "a . b @ x . example", list{{Address: "a.b@x.example"}}, false},
		{"comments in the address", "<pete(his account)@(at)x.example(his host)>", list{{Address: "pete@x.example"}}, false},
		{"parentheses in quotes", `<"a(b)"@x.example>`, list{{Address: `"a(b)"@x.example`}}, false},
		{"a parenthesis that nothing closes", "<a(b@x.example>", list{{Address: `"a(b"@x.example`}}, false},
		{"a mailto URL", "<mailto:a@x.example?subject=hi>", list{{Address: "a@x.example"}}, false},
		{"group", "Team: a@x.example, Bob <b@x.example>;, c@x.example", list{{Address: "a@x.example", Group: "Team"}, {Name: "Bob", Address: "b@x.example", Group: "Team"}, {Address: "c@x.example"}}, false},
		{"empty group", "undisclosed-recipients:;", nil, false},
		{"semicolons", "a@x.example; b@x.example", list{{Address: "a@x.example"}, {Address: "b@x.example"}}, false},
		{"empty members", ", a@x.example,, b@x.example,", list{{Address: "a@x.example"}, {Address: "b@x.example"}}, false},
		{"raw utf-8", "Änne <änne@exämple.example>", list{{Name: "Änne", Address: "änne@exämple.example"}}, false},
		{"dot in a name", "Ann Q. Lee <a@x.example>", list{{Name: "Ann Q. Lee", Address: "a@x.example"}}, false},
		{"no comma", "<a@x.example> <b@x.example>", list{{Address: "a@x.example"}, {Address: "b@x.example"}}, true},
		{"no brackets", "Ann Lee a@x.example", list{{Name: "Ann Lee", Address: "a@x.example"}}, true},
		{"no comma and no brackets", "a@x.example b@x.example  c@x.example", list{{Address: "a@x.example"}, {Address: "b@x.example"}, {Address: "c@x.example"}}, true},
		{"an address as the name of another", "a@x.example <b@x.example>", list{{Name: "a@x.example", Address: "b@x.example"}}, false},
		{"at in a name", "Joe @ Home <a@x.example>", list{{Name: "Joe @ Home", Address: "a@x.example"}}, false},
		{"not closed", "Ann <a@x.example", list{{Name: "Ann", Address: "a@x.example"}}, true},
		{"not closed, another behind", "Ann <a@x.example, b@x.example", list{{Name: "Ann", Address: "a@x.example"}, {Address: "b@x.example"}}, true},
		{"doubled", "Ann <<a@x.example>>", list{{Name: "Ann", Address: "a@x.example"}}, false},
		{"mailto", "<mailto:a@x.example>", list{{Address: "a@x.example"}}, false},
		{"no domain", "ann", list{{Address: "ann"}}, true},
		{"only a name", "Ann Lee", list{{Name: "Ann Lee"}}, true},
		{"open quote", `"Ann <a@x.example>`, list{{Name: "Ann", Address: "a@x.example"}}, true},
		{"open comment", "a@x.example (Ann", list{{Name: "Ann", Address: "a@x.example"}}, true},
		{"null", "<>", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := checkMessage(t, c.name, []byte("To: "+c.raw+"\r\n\r\n"))
			if diff := cmp.Diff(c.want, m.To); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if malformed := len(m.Defects) > 0; malformed != c.malformed {
				t.Errorf("defects %v", m.Defects)
			}
		})
	}
}

// TestAddressWork: whatever the list, looking ahead and back costs no more than a few times its length.
func TestAddressWork(t *testing.T) {
	const n = 2000
	for name, list := range map[string]string{
		"colons behind words":         strings.Repeat("a ", n) + "@ " + strings.Repeat(": ", n),
		"colons within words":         strings.Repeat("a ", n) + "@ " + strings.Repeat("b:", n),
		"encoded-words with quotes":   strings.Repeat(`=?a?Q?"" `, n) + "?=",
		"encoded-words, then quote":   strings.Repeat("=?a?Q? ", n) + `"`,
		"encoded-words, then bracket": strings.Repeat("=?a?Q? ", n) + "<a@b>",
		"encoded-words without end":   strings.Repeat("=?a?B? ", n),
		"encoded-words of no letter":  strings.Repeat("=?a?X? ", n) + "?=",
		"commas in brackets":          "<" + strings.Repeat(",", n),
		"commas behind a route":       "<@a" + strings.Repeat(",@b", n),
		"brackets":                    strings.Repeat("<a@b,", n),
		"brackets in brackets":        strings.Repeat("<", n),
		"quotes":                      strings.Repeat(`"`, 2*n+1),
		"escaped quotes":              strings.Repeat(`"\`, n),
		"quotes in brackets":          strings.Repeat(`<"a" `, n),
		"comments":                    strings.Repeat("(", n) + strings.Repeat(")", n-1),
		"comments and quotes":         strings.Repeat(`(")`, n) + "(",
		"escaped comments":            strings.Repeat(`(\)`, n),
	} {
		if work := parser.AddressWork(list); work > 4*len(list) {
			t.Errorf("%s: %d looked at for %d octets", name, work, len(list))
		}
	}
}

// TestDecodedWordsMakeNoAddress: octets that are no UTF-8 beside an encoded-word have nothing of what it says read as an address.
func TestDecodedWordsMakeNoAddress(t *testing.T) {
	for _, from := range []string{
		"=?utf-8?q?ann=40victim.example=2C?= \xff <eve@evil.example>",
		"=?utf-8?q?=3Cann=40victim.example=3E=2C?= \xff <eve@evil.example>",
		"\xc4nn =?utf-8?b?PGFubkB2aWN0aW0uZXhhbXBsZT4s?= <eve@evil.example>",
	} {
		raw := "From: " + from + "\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nHello\r\n"
		m, err := parser.Parse(strings.NewReader(raw), int64(len(raw)), parser.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if len(m.From) != 1 || m.From[0].Address != "eve@evil.example" || !strings.ContainsAny(m.From[0].Name, "ÿÄ") {
			t.Errorf("%q: %+v", from, m.From)
		}
	}
}
