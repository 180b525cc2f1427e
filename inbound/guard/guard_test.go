package guard_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/letterhook/letterhook/inbound/guard"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// TestScopes: an IPv4 address or a /48 is a source.
func TestScopes(t *testing.T) {
	for client, want := range map[string]string{
		"192.0.2.1":               "192.0.2.1/32 whole",
		"2001:db8:1:2:3:4:5:6":    "2001:db8:1::/48 whole, 2001:db8:1:2::/64 half",
		"2001:db8:1:ffff:ffff::1": "2001:db8:1::/48 whole, 2001:db8:1:ffff::/64 half",
	} {
		var got []string
		for _, s := range guard.Scopes(addr(client)) {
			word := "whole"
			if s.Part {
				word = "half"
			}
			got = append(got, s.Network.String()+" "+word)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s counts for %q, want %s", client, got, want)
		}
	}
	if scopes := guard.Scopes(netip.Addr{}); scopes != nil {
		t.Errorf("no address counts for %v", scopes)
	}
}

// TestSourcesAreBounded: however many sources come, those that were heard of last are remembered.
func TestSourcesAreBounded(t *testing.T) {
	s := guard.NewSources(guard.Limits{guard.Errors: {Count: 1, Per: time.Hour}})
	first, kept := addr("192.0.2.1"), addr("192.0.2.2")
	s.Take(first, guard.Errors)
	s.Take(kept, guard.Errors)
	const most = 1 << 15
	for i := range most + 1000 {
		s.Take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), guard.Errors)
		if i%1000 == 0 {
			s.Give(kept, guard.Errors) // and is heard of again
			s.Take(kept, guard.Errors)
		}
	}
	if n := s.Len(); n != most {
		t.Errorf("%d are remembered, want %d", n, most)
	}
	if s.Used(kept, guard.Errors) != 1 {
		t.Error("one that was heard of last is forgotten")
	}
	if s.Used(first, guard.Errors) != 0 {
		t.Error("the one that was not heard of longest is remembered")
	}
}

// TestUsersAreBounded: however many names strangers try, those that were heard of last are remembered.
func TestUsersAreBounded(t *testing.T) {
	u := guard.NewUsers(guard.Rate{Count: 1, Per: time.Hour})
	client := addr("192.0.2.1")
	try := func(name string) bool {
		_, ok := u.Try(name, client)
		return ok
	}
	if !try("first") || try("first") {
		t.Fatal("the budget of one is not one")
	}
	const most = 1 << 14
	for i := range most {
		try(fmt.Sprint(i))
	}
	if n := u.Len(); n != most {
		t.Errorf("%d are remembered, want %d", n, most)
	}
	if try(fmt.Sprint(most - 1)) {
		t.Error("one that was heard of last is forgotten")
	}
	if !try("first") {
		t.Error("the one that was not heard of longest is remembered")
	}
}

// TestUsersForgetHomes: of many sources from which a user has logged in, the last ones count.
func TestUsersForgetHomes(t *testing.T) {
	u := guard.NewUsers(guard.Rate{Count: 1, Per: time.Hour})
	home := func(n int) netip.Addr { return addr(fmt.Sprintf("192.0.2.%d", n)) }
	for n := range 17 {
		login, ok := u.Try("printer", home(n))
		if !ok {
			t.Fatal("a budget was used by logins that were right")
		}
		login.Succeeded()
	}
	if _, ok := u.Try("printer", addr("198.51.100.1")); !ok {
		t.Fatal("a budget was used by logins that were right")
	}
	if _, ok := u.Try("printer", home(1)); !ok {
		t.Error("one of the last 16 is forgotten")
	}
	if _, ok := u.Try("printer", home(0)); ok {
		t.Error("more than 16 are remembered")
	}
}

// TestSourcesForgive: a budget fills up evenly.
func TestSourcesForgive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := guard.NewSources(guard.Limits{guard.Unknown: {Count: 10, Per: 10 * time.Minute}})
		client := addr("192.0.2.1")
		for range 10 {
			if !s.Take(client, guard.Unknown) {
				t.Fatal("refused within the budget")
			}
		}
		for range 30 {
			if s.Take(client, guard.Unknown) {
				t.Fatal("taken beyond the budget")
			}
			time.Sleep(time.Minute)
			if !s.Take(client, guard.Unknown) {
				t.Fatal("nothing is forgiven in a minute")
			}
		}
		time.Sleep(24 * time.Hour)
		if used := s.Used(client, guard.Unknown); used != 0 {
			t.Errorf("%v is used after a day", used)
		}
	})
}

// TestSharesLeaveRoom: whatever many greedy sources took, one that comes next finds something, and all of it comes back.
func TestSharesLeaveRoom(t *testing.T) {
	const total = 1 << 20
	s := guard.NewShares(total)
	held := map[netip.Prefix]int64{}
	for i := range 12 {
		source := netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/32", i))
		for s.Take(source, 64) {
			held[source] += 64
		}
		if held[source] == 0 {
			t.Fatalf("source %d found nothing", i)
		}
		if i == 0 && (held[source] > total/2 || held[source] < total/2-64) {
			t.Errorf("alone it holds %d of %d", held[source], total)
		}
	}
	var sum int64
	for _, n := range held {
		sum += n
	}
	if s.Used() != sum || sum > total {
		t.Errorf("%d are held of %d, counted %d", sum, total, s.Used())
	}
	for source, n := range held {
		s.Give(source, n)
	}
	if s.Used() != 0 {
		t.Errorf("%d are left", s.Used())
	}
}

// TestLeversAreKept: what is to be kept is there after a restart, the rest is not.
func TestLeversAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "levers.json")
	open := func() *guard.Levers {
		t.Helper()
		l, err := guard.OpenLevers(path)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l, on, off := open(), new(bool), new(bool)
	*on = true
	kept, lost := netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("2001:db8::/32")
	for _, c := range []guard.Change{
		{Drain: on}, {Defer: on, Keep: true},
		{Block: &guard.Block{Network: kept, Reason: "flood"}, Keep: true}, {Block: &guard.Block{Network: lost}},
		{Block: &guard.Block{Sender: "<Eve@Sender.Example>"}, Keep: true},
	} {
		if _, err := l.Pull(c); err != nil {
			t.Fatal(err)
		}
	}
	if s := l.State(); !s.Drain.On || !s.Defer.On || len(s.Blocks) != 3 {
		t.Errorf("before the restart: %+v", s)
	}
	l = open()
	if s := l.State(); s.Drain.On || !s.Defer.On || len(s.Blocks) != 2 || s.Blocks[0].Reason != "flood" {
		t.Errorf("after the restart: %+v", s)
	}
	if !l.BlocksClient(addr("192.0.2.200")) || l.BlocksClient(addr("2001:db8::1")) || !l.BlocksSender("eve", "sender.example") || l.BlocksSender("ann", "sender.example") {
		t.Error("the blocks do not hold as they did")
	}
	if _, err := l.Pull(guard.Change{Defer: off}); err != nil {
		t.Fatal(err)
	}
	if open().Deferring() {
		t.Error("a lever that was lifted is on again after a restart")
	}
	for name, wrong := range map[string]guard.Change{
		"both":    {Block: &guard.Block{Network: kept, Sender: "a@b"}},
		"neither": {Block: &guard.Block{}},
		"past":    {Block: &guard.Block{Sender: "a@b", Until: time.Unix(1, 0)}},
		"absent":  {Unblock: &guard.Block{Sender: "nobody@b"}},
		"control": {Block: &guard.Block{Sender: "a\nb"}},
		"mapped":  {Block: &guard.Block{Network: netip.MustParsePrefix("::ffff:192.0.2.0/120")}},
	} {
		var bad *guard.BadChangeError
		if _, err := l.Pull(wrong); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := guard.OpenLevers(path); err == nil {
		t.Error("a file that is broken passes")
	}
	unkept, err := guard.OpenLevers("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unkept.Pull(guard.Change{Defer: on, Keep: true}); err == nil {
		t.Error("it is said to be kept where there is no file")
	}
}

// TestLeversFailWhole: a change that cannot be kept is not made.
func TestLeversFailWhole(t *testing.T) {
	l, err := guard.OpenLevers(filepath.Join(t.TempDir(), "missing", "levers.json"))
	if err != nil {
		t.Fatal(err)
	}
	on := true
	if _, err := l.Pull(guard.Change{Defer: &on, Keep: true}); err == nil || l.Deferring() {
		t.Errorf("%v, deferring %v", err, l.Deferring())
	}
	if _, err := l.Pull(guard.Change{Defer: &on}); err != nil || !l.Deferring() {
		t.Errorf("what needs no disk wants one: %v", err)
	}
}

// TestBlocksEveryForm: a domain that is blocked in one form is blocked in all.
func TestBlocksEveryForm(t *testing.T) {
	for _, blocked := range []string{"b\u00fccher.example", "xn--bcher-kva.example", "B\u00dcCHER.Example.", "eve@b\u00fccher.example"} {
		l, err := guard.OpenLevers("")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Pull(guard.Change{Block: &guard.Block{Sender: blocked}}); err != nil {
			t.Fatal(err)
		}
		for _, domain := range []string{"b\u00fccher.example", "XN--bcher-kva.example", "B\u00fccher.example"} {
			if !l.BlocksSender("Eve", domain) {
				t.Errorf("%s is blocked, and %s is not", blocked, domain)
			}
		}
		if l.BlocksSender("eve", "bucher.example") {
			t.Errorf("%s blocks another domain", blocked)
		}
	}
}
