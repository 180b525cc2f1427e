package dispatch

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// scannedData is the part of an event that speaks of scanners, by way of the database's JSON.
func scannedData(t *testing.T, r *inbound.ScanResults) string {
	t.Helper()
	mail := sampleMail([]byte("x"))
	mail.Envelope.ScanResults = r
	stored, err := json.Marshal(mail.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	mail.Envelope = inbound.Envelope{}
	if err := json.Unmarshal(stored, &mail.Envelope); err != nil {
		t.Fatal(err)
	}
	var data EventData
	address(&data, mail, "ep_1")
	text, err := json.Marshal(map[string]any{"spam": data.Spam, "virus": data.Virus, "unscanned": data.Unscanned})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReputation: what lists say comes through, and an allowed client is not listed.
func TestReputation(t *testing.T) {
	if got := reputation(nil); got != nil {
		t.Errorf("not asked: %+v", got)
	}
	on := []inbound.Listing{{List: "bl.example", Kind: "block", Code: "127.0.0.2"}, {List: "own", Kind: "block"}}
	code := "127.0.0.2"
	want := &Reputation{Listed: true, Listings: []Listing{{List: "bl.example", Kind: "block", Code: &code}, {List: "own", Kind: "block"}}}
	if diff := cmp.Diff(want, reputation(&inbound.Reputation{Listings: on})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want.Listed, want.Allowed = false, true
	if diff := cmp.Diff(want, reputation(&inbound.Reputation{Listings: on, Allowed: true})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := reputation(&inbound.Reputation{}); got.Listings == nil {
		t.Error("an array is null")
	}
}

func TestScanned(t *testing.T) {
	for _, c := range []struct {
		name string
		r    *inbound.ScanResults
		want string
	}{
		{"nobody was asked", nil, `{"spam":null,"unscanned":[],"virus":null}`},
		{"both have a verdict", &inbound.ScanResults{
			Spam: &inbound.SpamResult{Engine: "rspamd", Score: 7.25, Required: 15, IsSpam: true, Action: "add header",
				Symbols: []inbound.SpamSymbol{{Name: "A", Score: 7}, {Name: "B", Score: 0.25}}},
			Virus: &inbound.VirusResult{Engine: "clamav", Infected: true, Signature: "Eicar"},
		}, `{"spam":{"engine":"rspamd","score":7.25,"required":15,"is_spam":true,"action":"add header","symbols":[{"name":"A","score":7},{"name":"B","score":0.25}]},` +
			`"unscanned":[],"virus":{"engine":"clamav","infected":true,"signature":"Eicar"}}`},
		{"nothing found, and no symbols", &inbound.ScanResults{
			Spam:  &inbound.SpamResult{Engine: "spamassassin", Required: 5, Action: "ham"},
			Virus: &inbound.VirusResult{Engine: "clamav"},
		}, `{"spam":{"engine":"spamassassin","score":0,"required":5,"is_spam":false,"action":"ham","symbols":[]},` +
			`"unscanned":[],"virus":{"engine":"clamav","infected":false,"signature":null}}`},
		{"no verdicts", &inbound.ScanResults{
			Unscanned: []inbound.Unscanned{{Engine: "rspamd", Reason: inbound.UnscannedTooLarge}, {Engine: "clamav", Reason: inbound.UnscannedTimeout}},
		}, `{"spam":null,"unscanned":[{"engine":"rspamd","reason":"too_large"},{"engine":"clamav","reason":"timeout"}],"virus":null}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, scannedData(t, c.r)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestSymbolsGiveWay: what a scanner had to say does not keep an event from fitting.
func TestSymbolsGiveWay(t *testing.T) {
	h := build(t, storage.Endpoint{Name: "one"})
	defer h.close()
	d := h.dispatcher(nil)
	raw := []byte("Subject: x\r\n\r\ntext\r\n")
	m := sampleMail(raw)
	spam := &inbound.SpamResult{Engine: "rspamd", Action: "reject"}
	for range 100 {
		spam.Symbols = append(spam.Symbols, inbound.SpamSymbol{Name: strings.Repeat("X", 128), Score: 0.1})
	}
	m.Envelope.ScanResults = &inbound.ScanResults{Spam: spam}
	c, err := d.open(t.Context(), m, bytes.NewReader(raw), int64(len(raw)), &share{from: d.desk})
	if err != nil {
		t.Fatal(err)
	}
	ev, err := d.event(t.Context(), m, c, "ep_1", epoch)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 10_000
	body, err := d.native.render.render(ev, limit, false)
	if err != nil || len(body) > limit || len(ev.Data.Spam.Symbols) != 0 || len(spam.Symbols) != 100 {
		t.Errorf("%d octets with %d symbols, %v", len(body), len(ev.Data.Spam.Symbols), err)
	}
	checkSchema(t, body)
	if !strings.Contains(strings.Join(ev.Data.Parse.Truncated, " "), "spam.symbols") {
		t.Errorf("truncated: %q", ev.Data.Parse.Truncated)
	}
}
