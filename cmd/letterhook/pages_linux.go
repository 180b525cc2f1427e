package main

import (
	"bufio"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// letGo gives back to the kernel what only the start needed: garbage, and the pages of the program that are mapped because something
// near them was used once. Those that are needed again are mapped again, from the kernel's cache, at a microsecond or so for sixteen of them.
func letGo() {
	debug.FreeOSMemory()
	program, err := os.Executable()
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	for _, m := range cleanPages(maps, program) {
		// Where the kernel refuses, the pages stay.
		_, _, _ = syscall.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// cleanPages lists those mappings of a file in /proc/PID/smaps that hold nothing but what lies in the file: they cannot be written, and the
// kernel says that no page of them was ever copied, as a loader or a debugger would have it do.
func cleanPages(smaps io.Reader, file string) (list []mapping) {
	var m mapping
	ofFile := false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) < 2:
		case fields[0] == "Anonymous:":
			if ofFile && fields[1] == "0" {
				list = append(list, m)
			}
		case !strings.HasSuffix(fields[0], ":"):
			from, to, _ := strings.Cut(fields[0], "-")
			begin, err := strconv.ParseUint(from, 16, strconv.IntSize)
			if err != nil {
				return nil
			}
			end, err := strconv.ParseUint(to, 16, strconv.IntSize)
			if err != nil {
				return nil
			}
			m = mapping{uintptr(begin), uintptr(end)}
			ofFile = strings.HasPrefix(fields[1], "r-") && strings.HasSuffix(fields[1], "p") && strings.HasSuffix(lines.Text(), " "+file)
		}
	}
	return list
}
