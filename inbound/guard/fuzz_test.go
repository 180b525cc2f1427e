package guard_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/letterhook/letterhook/inbound/guard"
)

// FuzzLevers: no file of levers makes the start panic, and one that is read is one that can be written and read again.
func FuzzLevers(f *testing.F) {
	for _, seed := range []string{
		`{"drain":{"on":true,"keep":true},"blocks":[{"network":"192.0.2.0/24","keep":true}]}`, `{"blocks":[{"sender":"a@b"}]}`, `{"blocks":[{}]}`, "null", "{",
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "levers.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := guard.OpenLevers(path)
		if err != nil {
			return
		}
		state, err := json.Marshal(l.State())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, state, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := guard.OpenLevers(path); err != nil {
			t.Errorf("%s was read and is not read again: %v", state, err)
		}
	})
}
