package schematest_test

import (
	"bytes"
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
		"received_at is null":   {`"received_at": "`, `"received_at": null, "other": "`},
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
