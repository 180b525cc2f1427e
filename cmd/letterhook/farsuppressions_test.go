package main

import (
	"errors"
	"strings"
	"testing"
)

// fails runs a command line that must fail with a code and a text.
func fails(t *testing.T, code int, text string, args ...string) {
	t.Helper()
	out, err := command(t, args...)
	got := exitFailed // what has no code of its own
	if exit, ok := errors.AsType[*exitError](err); ok {
		got = exit.code
	}
	if err == nil || got != code || !strings.Contains(err.Error()+out, text) {
		t.Errorf("%q: %v, want code %d and %q\n%s", args, err, code, text, out)
	}
}

// TestFarSuppressions: from another machine the operator says whose mail is not wanted, sees it, and wants it again.
func TestFarSuppressions(t *testing.T) {
	h := newAPIHouse(t)
	zenithHouse(t, h)
	workstation(t, h, "")
	add := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(must(t, append(words("suppressions add --account zenith"), args...)...))
	}
	spam := add("@Spam.example", "--note", "Ticket 42", "--until", "30d")
	add("bob@zen.example", "--recipient", "--discard")
	must(t, words("suppressions add carol@zen.example --recipient --account zenith")...)
	for _, at := range [][]string{nil, {"-c", h.path}} { // on the server, and beside it
		says(t, append(words("why bob@zen.example"), at...), "Mail to bob@zen.example is accepted and thrown away: a suppression of the account names the recipient.\n")
		fails(t, exitFailed, "Mail to carol@zen.example is refused: a suppression of the account names the recipient.\n", append(words("why carol@zen.example"), at...)...)
	}
	if got := heard(t, h, "ann@spam.example", "a@zen.example"); !strings.Contains(got, "550 5.7.1") {
		t.Errorf("an unwanted sender hears %s", got)
	}
	says(t, words("suppressions list"), "from  @Spam.example", "refused", spam, "Ticket 42", "of ", "zenith", "to    bob@zen.example", "thrown away", "for good")
	if out := must(t, words("suppressions list ticket")...); strings.Contains(out, "bob@") || !strings.Contains(out, "@Spam.example") {
		t.Errorf("with ticket there is\n%s", out)
	}
	if out := must(t, words("suppressions list --account acme --json")...); out != "" {
		t.Errorf("another account has %s", out)
	}
	if v := firstJSON(t, must(t, words("suppressions list --json spam")...)); v["id"] != spam || v["sender"] != "@Spam.example" || v["note"] != "Ticket 42" || v["until"] == nil {
		t.Errorf("%v", v)
	}
	if v := firstJSON(t, add("eve@evil.example", "--until", "2020-01-01T00:00:00Z", "--json")); v["sender"] != "eve@evil.example" || v["account_id"] != h.accounts["zenith"] {
		t.Errorf("%v", v)
	}
	says(t, words("suppressions list eve"), "over since 2020-01-01")

	fails(t, exitFailed, "suppressed already", words("suppressions add @SPAM.example --account zenith")...)
	fails(t, exitFailed, "body.sender is neither", words("suppressions add nonsense --account zenith")...)
	fails(t, exitFailed, "account_id", words("suppressions add a@b.example")...)
	fails(t, exitUsage, `no account is called "nobody"`, words("suppressions add a@b.example --account nobody")...)
	fails(t, exitUsage, "--until: write it like", words("suppressions add a@b.example --until tomorrow")...)
	fails(t, exitUsage, "nothing is suppressed", words("suppressions remove a@spam.example")...)
	fails(t, exitUsage, "nothing is suppressed", words("suppressions remove @zen.example")...) // bob is, and not all of them
	fails(t, exitUsage, "neither a mail address", words("suppressions remove a@@b")...)
	fails(t, exitFailed, "sup_nothing: ", words("suppressions remove sup_nothing")...)

	both := []string{add("bob@both.example"), add("bob@both.example", "--recipient")}
	fails(t, exitUsage, both[0], words("suppressions remove bob@both.example")...)
	must(t, "suppressions", "remove", both[0])
	must(t, words("suppressions add @spam.example --account acme")...)
	fails(t, exitUsage, spam, words("suppressions remove @spam.example")...)
	must(t, words("suppressions remove @SPAM.example bob@both.example --account zenith")...)
	if got := heard(t, h, "ann@spam.example", "a@zen.example"); got != "250" {
		t.Errorf("a sender that is wanted again hears %s", got)
	}
	if out := must(t, words("suppressions list spam")...); strings.Contains(out, "zenith") || !strings.Contains(out, "acme") {
		t.Errorf("what is left:\n%s", out)
	}
	says(t, []string{"suppressions", "list", "-c", h.path}, "@spam.example") // beside the server
	must(t, "suppressions", "remove", "@spam.example", "-c", h.path)
	must(t, "suppressions", "add", "inside@spam.example", "--account", "acme", "-c", h.path)
	says(t, words("suppressions list spam"), "inside@spam.example", "  "+cliName+" ")
}

// TestFarSuppressionsOfAnAccount: an account's key is about its own, and changes nothing without the scope write.
func TestFarSuppressionsOfAnAccount(t *testing.T) {
	h := newAPIHouse(t)
	h.do(t, h.key(t, "acme"), "POST", "/suppressions", map[string]any{"sender": "ann@acme.example"})
	workstation(t, h, "zenith", "read", "write")
	must(t, words("suppressions add ann@own.example")...)
	if out := must(t, words("suppressions list")...); strings.Contains(out, "acme") || !strings.Contains(out, "ann@own.example") {
		t.Errorf("%s", out)
	}
	fails(t, exitUsage, "nothing is suppressed", words("suppressions remove ann@acme.example")...)
	workstation(t, h, "zenith", "read")
	fails(t, exitFailed, "scope write", words("suppressions add bob@own.example")...)
	fails(t, exitFailed, "scope write", words("suppressions remove ann@own.example")...)
}

// TestFarReplyAddress: a server mints with its keys and says what an address is worth, as the configuration does on its machine.
func TestFarReplyAddress(t *testing.T) {
	h := newAPIHouse(t)
	forever := replyHouse(t, h, "zenith")
	workstation(t, h, "zenith", "read", "write")
	if out := must(t, words("reply-address mint --domain in.example.com --data ticket-42")...); out != forever+"\n" {
		t.Errorf("it mints %s", out)
	}
	made := firstJSON(t, must(t, words("reply-address mint --domain in.example.com --data ticket-42 --expires 2027-01-01T00:00:00Z --json")...))
	if made["address"] != "reply+chexfydunfrwwzlufu2dfh57sppb7gbbnzeee@in.example.com" || made["expires_at"] != "2027-01-01T00:00:00Z" {
		t.Errorf("%v", made)
	}
	if out := must(t, "reply-address", "verify", forever); out != "valid\ndata \"ticket-42\"\nnever expires\n" {
		t.Errorf("%s", out)
	}
	if v := firstJSON(t, must(t, "reply-address", "verify", forever, "--json")); v["valid"] != true || v["data"] != "ticket-42" {
		t.Errorf("%v", v)
	}
	forged := strings.Replace(forever, "pxg@", "pxa@", 1)
	fails(t, exitFailed, "not valid: ", "reply-address", "verify", forged)
	fails(t, exitFailed, `"valid":false`, "reply-address", "verify", forged, "--json")
	expired := strings.TrimSpace(must(t, words("reply-address mint --domain in.example.com --data ticket-42 --expires 2020-01-01T00:00:00Z")...))
	fails(t, exitFailed, "not valid: expired\ndata \"ticket-42\"\nexpires 2020-01-01T00:00:00Z", "reply-address", "verify", expired)
	fails(t, exitFailed, "no domain of yours", words("reply-address mint --domain declared.example.com")...)
	fails(t, exitFailed, "support+*", words("reply-address mint --domain in.example.com --local support")...)
	fails(t, exitFailed, "is not a mail address", words("reply-address verify nonsense")...)
	fails(t, exitUsage, "--expires: write it like", words("reply-address mint --domain in.example.com --expires tomorrow")...)
	fails(t, exitFailed, "no domain of the configuration takes mail", "reply-address", "mint", "--domain", "in.example.com", "-c", h.path) // the file names it not
	fails(t, exitFailed, "no such file", words("reply-address mint --domain in.example.com --context local")...)

	workstation(t, h, "zenith", "read")
	says(t, []string{"reply-address", "verify", forever}, "valid")
	fails(t, exitFailed, "scope write", words("reply-address mint --domain in.example.com")...)
}
