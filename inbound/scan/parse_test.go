package scan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/inbound"
)

// manySymbols is an answer with more rules than are kept.
func manySymbols() string {
	var b strings.Builder
	b.WriteString(`{"score":1,"required_score":15,"action":"no action","symbols":{`)
	for i := range 500 {
		fmt.Fprintf(&b, `"S%d":{"score":%d},`, i, i)
	}
	b.WriteString(`"LAST":{"score":-1000}}}`)
	return b.String()
}

var rspamdCases = []struct {
	name, answer string
	want         *inbound.SpamResult // nil: no verdict
	text         string
}{
	{"ham", `{"is_skipped":false,"score":2.5,"required_score":15.0,"action":"no action","symbols":{"A":{"name":"A","score":0.5,"options":["x"]},"B":{"score":-3}},"messages":{},"message-id":"undef"}`,
		&inbound.SpamResult{Engine: "rspamd", Score: 2.5, Required: 15, Action: "no action", Symbols: []inbound.SpamSymbol{{Name: "B", Score: -3}, {Name: "A", Score: 0.5}}}, ""},
	{"spam", `{"is_skipped":true,"score":15.0,"required_score":15.0,"action":"reject","symbols":{"GTUBE":{"name":"GTUBE","score":0.0,"metric_score":0.0}},"messages":{"smtp_message":"Gtube pattern"}}`,
		&inbound.SpamResult{Engine: "rspamd", Score: 15, Required: 15, IsSpam: true, Action: "reject", Symbols: []inbound.SpamSymbol{{Name: "GTUBE"}}}, "Gtube pattern"},
	{"marked", `{"score":7,"required_score":15,"action":"add header"}`,
		&inbound.SpamResult{Engine: "rspamd", Score: 7, Required: 15, IsSpam: true, Action: "add header", Symbols: []inbound.SpamSymbol{}}, ""},
	{"greylisting is no verdict on the content", `{"score":4,"required_score":15,"action":"soft reject","messages":{"smtp_message":"Try again\r\n250 later"}}`,
		&inbound.SpamResult{Engine: "rspamd", Score: 4, Required: 15, Action: "soft reject", Symbols: []inbound.SpamSymbol{}}, "Try again??250 later"},
	{"an action of the operator's own", `{"score":4,"action":"grüße\u0000"}`,
		&inbound.SpamResult{Engine: "rspamd", Score: 4, Action: "gr????e?", Symbols: []inbound.SpamSymbol{}}, ""},
	{"no score", `{"action":"no action"}`, nil, ""},
	{"no action", `{"score":4}`, nil, ""},
	{"score beyond a float", `{"score":1e999,"action":"reject"}`, nil, ""},
	{"not a number", `{"score":nan,"action":"reject"}`, nil, ""},
	{"null", `null`, nil, ""},
	{"a list", `[]`, nil, ""},
	{"empty", ``, nil, ""},
	{"an error of rspamd", `{"error":"parse error","error_domain":"protocol-error"}`, nil, ""},
	{"cut off", `{"score":4,"action":"reject"`, nil, ""},
	{"two", `{"score":4,"action":"reject"}{"score":4,"action":"no action"}`, nil, ""},
	{"deep", strings.Repeat(`[`, 100_000), nil, ""},
}

func TestParseRspamd(t *testing.T) {
	for _, c := range rspamdCases {
		t.Run(c.name, func(t *testing.T) {
			f, err := parseRspamd([]byte(c.answer))
			if c.want == nil {
				if !errors.Is(err, errAnswer) {
					t.Errorf("got %+v, %v", f, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, f.spam); diff != "" || f.text != c.text {
				t.Errorf("text %q\n%s", f.text, diff)
			}
		})
	}
}

func TestSymbolsAreBounded(t *testing.T) {
	f, err := parseRspamd([]byte(manySymbols()))
	if err != nil {
		t.Fatal(err)
	}
	if s := f.spam.Symbols; len(s) != 100 || s[0].Name != "LAST" || s[1].Name != "S499" || s[99].Name != "S401" {
		t.Errorf("%d symbols: %v", len(s), s)
	}
	if got := word(strings.Repeat("x", 1000)); len(got) != maxWord {
		t.Errorf("a word of %d octets", len(got))
	}
}

func TestOwnScore(t *testing.T) {
	for _, c := range []struct {
		own, score float64
		engine     bool
		want       inbound.SpamResult
	}{
		{0, 20, true, inbound.SpamResult{Score: 20, Required: 15, IsSpam: true}},
		{0, 20, false, inbound.SpamResult{Score: 20, Required: 15}},
		{8, 8, false, inbound.SpamResult{Score: 8, Required: 8, IsSpam: true}},
		{8, 7.9, true, inbound.SpamResult{Score: 7.9, Required: 8}},
	} {
		got := inbound.SpamResult{Score: c.score, Required: 15, IsSpam: c.engine}
		judge(&got, c.own)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v: %s", c, diff)
		}
	}
}

var clamdCases = []struct {
	reply string
	want  *inbound.VirusResult // nil: no verdict
}{
	{"stream: OK\x00", &inbound.VirusResult{Engine: "clamav"}},
	{"stream: Eicar-Test-Signature FOUND\x00", &inbound.VirusResult{Engine: "clamav", Infected: true, Signature: "Eicar-Test-Signature"}},
	{"stream: a\r\n\xffb FOUND\x00", &inbound.VirusResult{Engine: "clamav", Infected: true, Signature: "a???b"}},
	{"stream: OK FOUND\x00", &inbound.VirusResult{Engine: "clamav", Infected: true, Signature: "OK"}},
	{"stream:  FOUND\x00", nil},
	{"stream: FOUND\x00", nil},
	{"stream: OK", nil}, // cut off: it may have gone on
	{"stream: Eicar FOUND", nil},
	{"stream: Can't allocate memory ERROR\x00", nil},
	{"/etc/passwd: OK\x00", nil},
	{"OK\x00", nil},
	{"\x00", nil},
	{"", nil},
	{"UNKNOWN COMMAND\x00", nil},
}

func TestParseClamd(t *testing.T) {
	for _, c := range clamdCases {
		f, err := parseClamd(c.reply)
		switch {
		case c.want == nil:
			if !errors.Is(err, errAnswer) {
				t.Errorf("%q: got %+v, %v", c.reply, f, err)
			}
		case err != nil:
			t.Errorf("%q: %v", c.reply, err)
		default:
			if diff := cmp.Diff(c.want, f.virus); diff != "" {
				t.Errorf("%q: %s", c.reply, diff)
			}
		}
	}
	if _, err := parseClamd("INSTREAM size limit exceeded. ERROR\x00"); !errors.Is(err, errTooLarge) {
		t.Errorf("the scanner's limit: %v", err)
	}
}

var spamdCases = []struct {
	name, reply string
	want        *inbound.SpamResult // nil: no verdict
}{
	{"spam", "SPAMD/1.1 0 EX_OK\r\nContent-length: 18\r\nSpam: True ; 1004.2 / 5.0\r\n\r\nGTUBE,MISSING_DATE",
		&inbound.SpamResult{Engine: "spamassassin", Score: 1004.2, Required: 5, IsSpam: true, Action: "spam", Symbols: []inbound.SpamSymbol{{Name: "GTUBE"}, {Name: "MISSING_DATE"}}}},
	{"ham", "SPAMD/1.1 0 EX_OK\r\nSpam: False ; -0.1 / 5.0\r\nContent-length: 0\r\n\r\n",
		&inbound.SpamResult{Engine: "spamassassin", Score: -0.1, Required: 5, Action: "ham", Symbols: []inbound.SpamSymbol{}}},
	{"no length", "SPAMD/1.1 0 EX_OK\r\nspam: False ; 1 / 5\r\n\r\nA\r\n",
		&inbound.SpamResult{Engine: "spamassassin", Score: 1, Required: 5, Action: "ham", Symbols: []inbound.SpamSymbol{{Name: "A"}}}},
	{"cut off", "SPAMD/1.1 0 EX_OK\r\nContent-length: 18\r\nSpam: True ; 6 / 5.0\r\n\r\nGTUBE", nil},
	{"cut off in the header", "SPAMD/1.1 0 EX_OK\r\nContent-length: 18\r\nSpam: True ; 6 / 5.0\r\n", nil},
	{"an error", "SPAMD/1.0 75 EX_TEMPFAIL\r\n\r\n", nil},
	{"no verdict", "SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\n\r\n", nil},
	{"not a number", "SPAMD/1.1 0 EX_OK\r\nSpam: True ; NaN / 5.0\r\n\r\n", nil},
	{"infinite", "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 1e999 / 5.0\r\n\r\n", nil},
	{"no score", "SPAMD/1.1 0 EX_OK\r\nSpam: True\r\n\r\n", nil},
	{"neither", "SPAMD/1.1 0 EX_OK\r\nSpam: Maybe ; 1 / 5.0\r\n\r\n", nil},
	{"another protocol", "HTTP/1.1 0 OK\r\nSpam: True ; 6 / 5.0\r\n\r\n", nil},
	{"empty", "", nil},
}

func TestParseSpamd(t *testing.T) {
	for _, c := range spamdCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseSpamd([]byte(c.reply))
			if c.want == nil {
				if !errors.Is(err, errAnswer) {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
