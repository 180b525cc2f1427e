package replyaddr_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/letterhook/letterhook/storage/replyaddr"
)

// vectors are what other languages test themselves with.
type vectors struct {
	Mint []struct {
		Name, Key string
		LocalPart string `json:"local_part"`
		Domain    string
		Data      string
		ExpiresAt int64 `json:"expires_at"`
		Address   string
	}
	Verify []struct {
		Name      string
		Keys      []string
		LocalPart string `json:"local_part"`
		Domain    string
		Token     string
		Now       int64
		Result    string
		Data      string
	}
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if len(v.Mint) == 0 || len(v.Verify) == 0 {
		t.Fatal("there are no vectors")
	}
	return v
}

func parseKey(t *testing.T, text string) replyaddr.Key {
	t.Helper()
	key, err := replyaddr.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func at(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

func TestMintGivesTheVectors(t *testing.T) {
	for _, v := range readVectors(t).Mint {
		box := replyaddr.Mailbox{Local: v.LocalPart, Domain: v.Domain}
		address, err := replyaddr.Mint(parseKey(t, v.Key), box, replyaddr.Token{Data: v.Data, Expires: at(v.ExpiresAt)})
		if err != nil || address != v.Address {
			t.Errorf("%s: %s, %v, want %s", v.Name, address, err, v.Address)
		}
		token := strings.TrimSuffix(strings.TrimPrefix(v.Address, v.LocalPart+"+"), "@"+v.Domain)
		said, err := replyaddr.Verify([]replyaddr.Key{parseKey(t, v.Key)}, box, token, time.Unix(1, 0))
		ends := at((v.ExpiresAt + 59) / 60 * 60)
		if err != nil || said.Data != v.Data || !said.Expires.Equal(ends) {
			t.Errorf("%s: verified as %+v, %v", v.Name, said, err)
		}
	}
}

func TestVerifyGivesTheVectors(t *testing.T) {
	results := map[string]error{
		"valid": nil, "expired": replyaddr.ErrExpired, "forged": replyaddr.ErrForged, "malformed": replyaddr.ErrMalformed,
	}
	for _, v := range readVectors(t).Verify {
		var keys []replyaddr.Key
		for _, key := range v.Keys {
			keys = append(keys, parseKey(t, key))
		}
		want, known := results[v.Result]
		if !known {
			t.Fatalf("%s: there is no result %q", v.Name, v.Result)
		}
		said, err := replyaddr.Verify(keys, replyaddr.Mailbox{Local: v.LocalPart, Domain: v.Domain}, v.Token, at(v.Now))
		if !errors.Is(err, want) || said.Data != v.Data {
			t.Errorf("%s: %+v, %v, want %s", v.Name, said, err, v.Result)
		}
	}
}

// TestDocsShowTheVectors keeps the page that other languages are written after.
func TestDocsShowTheVectors(t *testing.T) {
	text, err := os.ReadFile("../../docs/reply-addresses.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range readVectors(t).Mint {
		row := fmt.Sprintf("| %s | `%s` | %d | `%s` |", v.Name, v.Data, v.ExpiresAt, v.Address)
		row = strings.ReplaceAll(row, "``", "")
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/reply-addresses.md has no row\n%s", row)
		}
		if !strings.Contains(string(text), v.Key) {
			t.Errorf("%s: docs/reply-addresses.md does not have its key", v.Name)
		}
	}
	for local, octets := range map[string]string{"r": "24", "reply": "22", "support": "21", "notifications": "17"} {
		if want := fmt.Sprintf("| `%s` | %s |", local, octets); !strings.Contains(string(text), want) || fmt.Sprint(replyaddr.MaxData(local)) != octets {
			t.Errorf("%s holds %d octets, and docs/reply-addresses.md ought to say %q", local, replyaddr.MaxData(local), want)
		}
	}
}

var (
	key     = replyaddr.Key(bytes.Repeat([]byte{7}, 32))
	mailbox = replyaddr.Mailbox{Local: "reply", Domain: "in.example.com"}
)

func TestMintRefuses(t *testing.T) {
	future := time.Unix(1798761600, 0)
	tests := []struct {
		name  string
		box   replyaddr.Mailbox
		token replyaddr.Token
		want  string
	}{
		{"an octet too many", mailbox, replyaddr.Token{Data: strings.Repeat("x", 23)}, "at most 22 fit"},
		{"no room at all", replyaddr.Mailbox{Local: strings.Repeat("l", 64), Domain: "example.com"}, replyaddr.Token{}, "0 octets of data"},
		{"binary data", mailbox, replyaddr.Token{Data: "\xff"}, "not UTF-8 text"},
		{"a control character", mailbox, replyaddr.Token{Data: "a\x00"}, "not UTF-8 text"},
		{"upper case", replyaddr.Mailbox{Local: "Reply", Domain: "example.com"}, replyaddr.Token{}, "lower case"},
		{"not NFC", replyaddr.Mailbox{Local: "gru\u0308n", Domain: "example.com"}, replyaddr.Token{}, "NFC"},
		{"a detail already", replyaddr.Mailbox{Local: "reply+x", Domain: "example.com"}, replyaddr.Token{}, "not a mailbox"},
		{"a quoted local-part", replyaddr.Mailbox{Local: `"a b"`, Domain: "example.com"}, replyaddr.Token{}, "not a mailbox"},
		{"no local-part", replyaddr.Mailbox{Domain: "example.com"}, replyaddr.Token{}, "not a mailbox"},
		{"no domain", replyaddr.Mailbox{Local: "reply"}, replyaddr.Token{}, "not a mailbox"},
		{"a domain in upper case", replyaddr.Mailbox{Local: "reply", Domain: "Example.com"}, replyaddr.Token{}, "A-labels"},
		{"a U-label", replyaddr.Mailbox{Local: "reply", Domain: "bücher.example"}, replyaddr.Token{}, "A-labels"},
		{"two domains", replyaddr.Mailbox{Local: "reply", Domain: "a.example@b.example"}, replyaddr.Token{}, "not a mailbox"},
		{"before the epoch", mailbox, replyaddr.Token{Expires: time.Unix(-60, 0)}, "1970 to 2480"},
		{"too late", mailbox, replyaddr.Token{Expires: future.AddDate(500, 0, 0)}, "1970 to 2480"},
	}
	for _, tt := range tests {
		if address, err := replyaddr.Mint(key, tt.box, tt.token); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %s, %v, want %q", tt.name, address, err, tt.want)
		}
	}
}

// TestEveryLetterCounts changes each letter of a token to each other one.
func TestEveryLetterCounts(t *testing.T) {
	address, err := replyaddr.Mint(key, mailbox, replyaddr.Token{Data: "ticket-42"})
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSuffix(strings.TrimPrefix(address, "reply+"), "@in.example.com")
	for i := range token {
		for _, letter := range "abcdefghijklmnopqrstuvwxyz234567" {
			changed := token[:i] + string(letter) + token[i+1:]
			_, err := replyaddr.Verify([]replyaddr.Key{key}, mailbox, changed, time.Time{})
			if (err == nil) != (changed == token) {
				t.Errorf("%s in the place of %s: %v", changed, token, err)
			}
		}
	}
}

func TestKeys(t *testing.T) {
	for text, want := range map[string]string{
		"replykey_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=": "",
		"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=":    "begins with replykey_",
		"replykey_AAECAwQF":                   "32 to 64 octets, this one 6",
		"replykey_" + strings.Repeat("A", 88): "this one 66",
		"replykey_??":                         "is base64",
	} {
		var key replyaddr.Key
		err := key.UnmarshalText([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), text[9:]) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
	if text := fmt.Sprintf("%s %v %#v %+v", key, key, key, struct{ K replyaddr.Key }{key}); strings.Contains(text, "7") {
		t.Errorf("a key prints as %s", text)
	}
}

// FuzzVerify looks for a token that verifies and was not minted.
func FuzzVerify(f *testing.F) {
	f.Add("reply", "in.example.com", "chexfydunfrwwzlufu2dfh57sppb7gbbnzeee", int64(0))
	f.Add("reply", "in.example.com", "caaaaadunfrwwzlufu2deo3ctdzb7abcdefgh", int64(1798761600))
	f.Add("a@b\n", "c", "K\u212aAAAA", int64(-1))
	keys := []replyaddr.Key{key, bytes.Repeat([]byte{9}, 64)}
	f.Fuzz(func(t *testing.T, local, domain, token string, now int64) {
		box := replyaddr.Mailbox{Local: local, Domain: domain}
		if said, err := replyaddr.Verify(keys, box, token, time.Unix(now, 0)); err == nil || errors.Is(err, replyaddr.ErrExpired) {
			t.Errorf("it verifies as %+v, %v", said, err)
		}
	})
}

// FuzzMint holds that what was minted verifies, in any case, as what it was minted for and nowhere else.
func FuzzMint(f *testing.F) {
	f.Add("reply", "in.example.com", "ticket-42", int64(1798761600))
	f.Add("grün", "xn--bcher-kva.example", "", int64(1))
	f.Fuzz(func(t *testing.T, local, domain, data string, expires int64) {
		box := replyaddr.Mailbox{Local: local, Domain: domain}
		address, err := replyaddr.Mint(key, box, replyaddr.Token{Data: data, Expires: time.Unix(expires, 0)})
		if err != nil {
			return
		}
		before, _, _ := strings.Cut(address, "@")
		_, token, _ := strings.Cut(before, "+")
		if len(before) > 64 {
			t.Errorf("the local-part of %s has %d octets", address, len(before))
		}
		for _, spelled := range []string{token, strings.ToUpper(token)} {
			said, err := replyaddr.Verify([]replyaddr.Key{key}, box, spelled, time.Unix(expires-1, 0))
			if late := said.Expires.Unix() - expires; err != nil || said.Data != data || late < 0 || late > 59 {
				t.Errorf("%s verifies as %+v, %v", spelled, said, err)
			}
		}
		other := replyaddr.Mailbox{Local: local + "x", Domain: domain}
		if _, err := replyaddr.Verify([]replyaddr.Key{key}, other, token, time.Time{}); !errors.Is(err, replyaddr.ErrForged) {
			t.Errorf("at another mailbox: %v", err)
		}
	})
}
