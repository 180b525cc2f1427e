package schematest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/docs/schema/schematest"
)

// The check must be able to fail: each of these breaks one promise of the contract.
func TestCheckFindsWhatIsBroken(t *testing.T) {
	good, err := os.ReadFile("../../../dispatch/testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := schematest.Check(good); err != nil {
		t.Fatalf("a good event: %v", err)
	}
	if err := schematest.Check(bytes.Replace(good, []byte(`"kind": `), []byte(`"a key of tomorrow": 1, "kind": `), 1)); err != nil {
		t.Errorf("an event with a new key: %v", err)
	}
	for name, change := range map[string][2]string{
		"a key is missing":      {`"kind_reasons"`, `"other"`},
		"an array is null":      {`"in_reply_to": [`, `"in_reply_to": null, "other": [`},
		"a time is none":        {`"received_at": "2026`, `"received_at": "yesterday 2026`},
		"timestamp is null":     {`"timestamp": "`, `"timestamp": null, "other": "`},
		"a number is a text":    {`"size": `, `"size": "1", "other": `},
		"an unknown type":       {`"type": "email.received"`, `"type": "email.sent"`},
		"an unknown version":    {`"version": 1`, `"version": 2`},
		"a key below is gone":   {`"mail_from"`, `"from_mail"`},
		"a nullable is a digit": {`"subject": "`, `"subject": 1, "other": "`},
	} {
		broken := strings.Replace(string(good), change[0], change[1], 1)
		if broken == string(good) {
			t.Errorf("%s: the event has no %s", name, change[0])
		}
		if schematest.Check([]byte(broken)) == nil {
			t.Errorf("%s, and the check does not see it", name)
		}
	}
	if schematest.Check([]byte("hello")) == nil {
		t.Error("what is not JSON passes")
	}
}

// The check of data alone must be able to fail too, and takes as null only what the schema says.
func TestCheckDataFindsWhatIsBroken(t *testing.T) {
	event, err := os.ReadFile("../../../dispatch/testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	var frame struct{ Data json.RawMessage }
	if err := json.Unmarshal(event, &frame); err != nil {
		t.Fatal(err)
	}
	good := string(frame.Data)
	for name, tt := range map[string]struct {
		from, to string
		bad      bool
	}{
		"as it is":            {},
		"received_at is null": {from: `"received_at": "`, to: `"received_at": null, "other": "`},
		"a time is none":      {from: `"received_at": "2026`, to: `"received_at": "yesterday 2026`, bad: true},
		"a key is missing":    {from: `"received_at"`, to: `"other"`, bad: true},
		"size is null":        {from: `"size": `, to: `"size": null, "other": `, bad: true},
	} {
		changed := strings.Replace(good, tt.from, tt.to, 1)
		if tt.from != "" && changed == good {
			t.Errorf("%s: the data has no %s", name, tt.from)
		}
		if err := schematest.CheckData([]byte(changed)); (err != nil) != tt.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
	if schematest.CheckData([]byte("hello")) == nil || schematest.CheckData(event) == nil {
		t.Error("what is not JSON passes, or a whole event")
	}
}
