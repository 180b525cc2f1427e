package dispatch

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func indent(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, b)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sampleMail is a mail object around raw, with fixed ids and times.
func sampleMail(raw []byte) *storage.Mail {
	return &storage.Mail{
		ID: "msg_01kab0000000000000000000aa", Account: "acc_01kab0000000000000000000bb",
		ReceivedAt: epoch.Add(123456789 * time.Nanosecond), Size: int64(len(raw)), SHA256: sha256.Sum256(raw),
		Envelope: inbound.Envelope{
			ReversePath: inbound.Path{LocalPart: "bounces+42", Domain: "sender.example"},
			Recipients: []inbound.Recipient{
				{Path: inbound.Path{LocalPart: "reply+k3y", Domain: "in.example"}, Decision: inbound.Decision{
					Route: "rt_01kab0000000000000000000cc", Endpoints: []string{"ep_1", "ep_2"}, LocalPart: "reply", Detail: "k3y",
					Captures: map[string]string{"ticket": "42"}, Token: &inbound.Token{Valid: true, Data: "ticket-42", Expires: epoch}}},
				{Path: inbound.Path{LocalPart: "elsewhere", Domain: "in.example"}, Decision: inbound.Decision{
					Route: "rt_01kab0000000000000000000dd", Endpoints: []string{"ep_2"}, LocalPart: "elsewhere"}},
				{Path: inbound.Path{LocalPart: "odd one", Domain: "in.example"}, Decision: inbound.Decision{
					Route: "rt_01kab0000000000000000000ee", Endpoints: []string{"ep_1"}, LocalPart: "odd one",
					Token: &inbound.Token{Reason: "forged"}}, Quarantined: true},
			},
			Helo: "mail.sender.example", RemoteIP: netip.MustParseAddr("203.0.113.7"), RemoteHost: "mail.sender.example",
			TLS:      &inbound.TLS{Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", ServerName: "mx.in.example"},
			Listener: "mx",
			AuthResults: &inbound.AuthResults{
				SPF: inbound.SPFResult{Result: inbound.ResultSoftFail, Domain: "sender.example", Explanation: "matched all"},
				DKIM: []inbound.DKIMResult{
					{Result: inbound.ResultPass, Domain: "list.example", Selector: "s1"},
					{Result: inbound.ResultFail, Domain: "sender.example", Selector: "s2", Aligned: true, Error: "the body was changed"},
				},
				DMARC: inbound.DMARCResult{Result: inbound.ResultFail, Domain: "sender.example", Policy: "quarantine"},
				ARC:   inbound.ARCResult{Result: inbound.ResultPass, Instances: 2, Sealer: "list.example"},
				IPRev: inbound.IPRevResult{Result: inbound.ResultPass, Host: "mail.sender.example"},
				Identity: inbound.Identity{
					Address: "ann@sender.example", Domain: "sender.example", Method: inbound.IdentityNone, Reason: "dmarc=fail",
				},
			},
		},
	}
}

func TestEventGolden(t *testing.T) {
	h := build(t, storage.Endpoint{Name: "one"})
	defer h.close()
	d := h.dispatcher(nil)
	raw := readFile(t, "testdata/invoice.eml")
	m := sampleMail(raw)
	c, err := d.open(t.Context(), m, bytes.NewReader(raw), int64(len(raw)), &share{from: d.desk})
	if err != nil {
		t.Fatal(err)
	}
	ev, err := d.event(t.Context(), m, c, "ep_1", epoch)
	if err != nil {
		t.Fatal(err)
	}
	body, err := d.native.render.render(ev, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(body, []byte("<& ")) {
		t.Error("< and & are escaped")
	}
	golden(t, "event.json", indent(t, body))
	checkSchema(t, body)
	summary, err := json.Marshal(c.summary)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.json", indent(t, summary))

	again, err := d.event(t.Context(), m, c, "ep_1", epoch)
	if err != nil {
		t.Fatal(err)
	}
	second, err := d.native.render.render(again, 0, false)
	if err != nil || !bytes.Equal(body, second) {
		t.Errorf("the body of a second attempt differs: %v", err)
	}
}

// An empty mail from the null reverse-path: everything that can be absent is.
// TestRecipientWithoutRoute is mail to postmaster, which every domain takes.
func TestRecipientWithoutRoute(t *testing.T) {
	got, _ := recipients([]inbound.Recipient{
		{Path: inbound.Path{LocalPart: "postmaster", Domain: "in.example"}, Decision: inbound.Decision{Endpoints: []string{"ep_1"}}},
	}, "ep_1")
	if len(got) != 1 || got[0].Route != nil {
		t.Errorf("recipients %+v, want one whose route is null", got)
	}
}

func TestEventOfNothing(t *testing.T) {
	h := build(t, storage.Endpoint{Name: "one"})
	defer h.close()
	d := h.dispatcher(nil)
	m := sampleMail(nil)
	m.Envelope = inbound.Envelope{RemoteIP: m.Envelope.RemoteIP, Recipients: m.Envelope.Recipients[1:2]}
	c, err := d.open(t.Context(), m, bytes.NewReader(nil), 0, &share{from: d.desk})
	if err != nil {
		t.Fatal(err)
	}
	ev, err := d.event(t.Context(), m, c, "ep_2", epoch)
	if err != nil {
		t.Fatal(err)
	}
	body, err := d.native.render.render(ev, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "empty.json", indent(t, body))
	checkSchema(t, body)
}

func TestDataOfHasNoEnvelope(t *testing.T) {
	raw := readFile(t, "testdata/invoice.eml")
	msg, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := DataOf(msg, int64(len(raw)), sha256.Sum256(raw), "1.0.0-test")
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "data.json", indent(t, body))
}

// The keys of the contract, as the Go types have them, are those of the list; it is edited by hand.
func TestEventKeys(t *testing.T) {
	var got []string
	keysOf(reflect.TypeFor[Event](), "", &got)
	want := strings.Fields(string(readFile(t, "testdata/keys.txt")))
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-contract +types):\n%s", diff)
	}
}

func keysOf(typ reflect.Type, path string, keys *[]string) {
	switch {
	case typ == reflect.TypeFor[Time]():
		return
	case typ.Kind() == reflect.Pointer:
		keysOf(typ.Elem(), path, keys)
	case typ.Kind() == reflect.Slice:
		keysOf(typ.Elem(), path+"[]", keys)
	case typ.Kind() == reflect.Struct:
		for f := range typ.Fields() {
			name := strings.TrimPrefix(path+"."+f.Tag.Get("json"), ".")
			*keys = append(*keys, name)
			keysOf(f.Type, name, keys)
		}
	}
}

func TestTime(t *testing.T) {
	for in, want := range map[time.Time]string{
		{}:                                 "null",
		epoch.Add(999_999_999):             `"2026-11-21T18:30:00.999Z"`,
		epoch.In(time.FixedZone("", 3600)): `"2026-11-21T18:30:00.000Z"`,
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC): "null",
		time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC):    "null",
	} {
		b, err := json.Marshal(Time{in})
		if err != nil || string(b) != want {
			t.Errorf("%v: %s, %v; want %s", in, b, err, want)
		}
		var back Time
		if err := json.Unmarshal(b, &back); err != nil {
			t.Errorf("%s cannot be read back: %v", b, err)
		}
		if want != "null" && !back.Equal(in.Truncate(time.Millisecond)) {
			t.Errorf("%s is read back as %v", b, back)
		}
	}
	var x Time
	for _, bad := range []string{`"yesterday"`, `5`, `{}`} {
		if json.Unmarshal([]byte(bad), &x) == nil {
			t.Errorf("%s is taken for a time", bad)
		}
	}
}
