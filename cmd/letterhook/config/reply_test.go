package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// replying is a configuration whose accounts and domains are given.
func replying(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return Load(writeFile(t, "letterhook.yaml", []byte(minimal+`
endpoints: [{name: app, account: a, url: "https://app.example.com", secrets: [`+testSecret+`]}]
`+text)), nil)
}

func TestReplyKeysOf(t *testing.T) {
	other := "replykey_" + strings.Repeat("A", 43) + "="
	c, err := replying(t, `
accounts: [{name: a, reply_key_file: `+writeFile(t, "reply.key", []byte("# newest first\n"+testReplyKey+"\n\n"+other+"\n"))+`}, {name: b}]
domains:
  - {name: own.example.com, account: a, reply_keys: [`+other+`], routes: [{match: reply+*, token: required, endpoints: [app]}]}
  - {name: "*.bücher.example", account: a, routes: [{match: reply+*, token: marked, endpoints: [app]}]}
  - {name: none.example.com, account: b, routes: [{match: reply+*, discard: true}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, name := range []string{"own.example.com", "a.xn--bcher-kva.example", "a.b.xn--bcher-kva.example", "none.example.com"} {
		d := c.DomainOf(name)
		if d == nil {
			t.Fatalf("nobody takes mail for %s", name)
		}
		got[name] = len(c.ReplyKeysOf(d))
	}
	want := map[string]int{"own.example.com": 1, "a.xn--bcher-kva.example": 2, "a.b.xn--bcher-kva.example": 2, "none.example.com": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("number of keys (-want +got):\n%s", diff)
	}
	for _, name := range []string{"example.com", "xn--bcher-kva.example", "a.own.example.com", ""} {
		if d := c.DomainOf(name); d != nil {
			t.Errorf("%s takes mail for %q", d.Name, name)
		}
	}
}

func TestFaultsOfReplies(t *testing.T) {
	_, err := replying(t, `
accounts: [{name: a}, {name: b, reply_keys: [whsec_x], reply_key_file: /nowhere}, {name: c, reply_key_file: `+writeFile(t, "empty", []byte("# none\n"))+`}]
domains:
  - name: one.example.com
    account: a
    max_message_size: 100MiB
    reply_keys: [`+testReplyKey+`]
    reply_key_file: /nowhere
    routes:
      - {match: "*", token: required, endpoints: [app]}
      - {match: "a*+*", token: required, endpoints: [app], max_message_size: 1}
      - {match: b+*, token: maybe, endpoints: [app]}
      - {match: c+*, token: marked, refuse: No}
  - name: two.example.com
    account: a
    routes: [{match: reply+*, token: required, endpoints: [app]}]
  - name: three.example.com
    account: a
    reply_key_file: /nowhere
    routes: [{match: reply+*, discard: true}]
`)
	if err == nil {
		t.Fatal("valid")
	}
	for _, want := range []string{
		"accounts[1].reply_keys[0]: a key of reply addresses begins with replykey_", "accounts[1].reply_key_file: the keys are given beside it too",
		"accounts[2].reply_key_file: ", "holds no key",
		"domains[0].max_message_size: must lie between 1KiB and 25MiB", "domains[0].reply_key_file: the keys are given beside it too",
		"domains[0].routes[0].token: needs a match like reply+*", "domains[0].routes[1].token: needs a match like reply+*",
		"domains[0].routes[1].max_message_size: must lie between 1KiB and 25MiB",
		`domains[0].routes[2].token: must be required or marked, not "maybe"`, "domains[0].routes[3].token: makes no sense with refuse",
		`domains[1].routes[0].token: needs reply_keys, of the domain or of account "a"`, "domains[2].reply_key_file: reading the keys: open /nowhere",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not reported: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

// TestSecretFileWithoutSecrets: such a file would have every request go out without a signature.
func TestSecretFileWithoutSecrets(t *testing.T) {
	_, err := Load(writeFile(t, "letterhook.yaml", []byte(minimal+`
endpoints: [{name: app, url: "https://app.example.com", secret_file: `+writeFile(t, "empty", nil)+`}]`)), nil)
	if err == nil || !strings.Contains(err.Error(), "holds no key") {
		t.Errorf("got %v", err)
	}
}
