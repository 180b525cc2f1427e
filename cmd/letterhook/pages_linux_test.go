package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestCleanPages(t *testing.T) {
	const smaps = `00400000-01a60000 r-xp 00000000 fe:00 17  /usr/bin/letter hook
Size:              22912 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
01a60000-02000000 r-xp 00000000 fe:00 17  /usr/bin/letter hook
Anonymous:             4 kB
02000000-030cb000 r--p 01660000 fe:00 17  /usr/bin/letter hook
Rss:                4096 kB
Anonymous:             0 kB
030cb000-03253000 rw-p 02ccb000 fe:00 17  /usr/bin/letter hook
Anonymous:             0 kB
7f0000000000-7f0000001000 r--s 00000000 fe:00 17  /usr/bin/letter hook
Anonymous:             0 kB
7f0000002000-7f0000003000 r-xp 00000000 fe:00 18  /usr/bin/other
Anonymous:             0 kB
c000000000-c000c00000 rw-p 00000000 00:00 0
Anonymous:             0 kB
`
	want := []mapping{{0x400000, 0x1a60000}, {0x2000000, 0x30cb000}}
	if got := cleanPages(strings.NewReader(smaps), "/usr/bin/letter hook"); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if got := cleanPages(strings.NewReader("no such form\n"), "/usr/bin/letterhook"); got != nil {
		t.Errorf("%x in what is no list", got)
	}
}

// TestLetGo goes on afterwards, which it would not if a page were missing, and finds its own program in the kernel's list.
func TestLetGo(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	if len(cleanPages(strings.NewReader(string(smaps)), program)) == 0 {
		t.Error("no page of this program is clean")
	}
	letGo()
	letGo()
}
