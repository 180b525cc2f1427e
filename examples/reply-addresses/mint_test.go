package replyaddresses_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// vector is a line of the published test vectors.
type vector struct {
	Name      string `json:"name"`
	Key       string `json:"key"`
	LocalPart string `json:"local_part"`
	Domain    string `json:"domain"`
	Data      string `json:"data"`
	ExpiresAt int64  `json:"expires_at"`
	Address   string `json:"address"`
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	text, err := os.ReadFile("../../storage/replyaddr/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Mint []vector }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Mint) == 0 {
		t.Fatal("there are no vectors")
	}
	return all.Mint
}

// TestMintGivesTheVectors runs each implementation as its head says.
func TestMintGivesTheVectors(t *testing.T) {
	for _, command := range [][]string{{"python3", "mint.py"}, {"node", "mint.mjs"}} {
		t.Run(command[0], func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(command[0]); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			for _, v := range readVectors(t) {
				address, err := mint(command, v.Key, v.LocalPart, v.Domain, v.Data, strconv.FormatInt(v.ExpiresAt, 10))
				if err != nil || address != v.Address {
					t.Errorf("%s: %s, %v, want %s", v.Name, address, err, v.Address)
				}
			}
			v := readVectors(t)[0]
			for what, args := range map[string][]string{
				"the data does not fit":       {v.Key, "reply", v.Domain, strings.Repeat("x", 23)},
				"outside the years 1970":      {v.Key, "reply", v.Domain, "x", "-60"},
				"REPLY_KEY is not set":        {"", "reply", v.Domain, "x"},
				"outside the years 1970 to 2": {v.Key, "reply", v.Domain, "x", "99999999999"},
			} {
				if address, err := mint(command, args...); err == nil || !strings.Contains(address, what) {
					t.Errorf("%q: %s, %v, want %q", args[1:], address, err, what)
				}
			}
		})
	}
}

// mint gives what the program printed.
func mint(command []string, args ...string) (string, error) {
	cmd := exec.Command(command[0], append(command[1:], args[1:]...)...)
	cmd.Env = append(os.Environ(), "REPLY_KEY="+args[0], "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
