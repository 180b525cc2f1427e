package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process used, by the kernel's accounting.
type Usage struct {
	CPU     time.Duration // user and system time
	RSS     int64         // octets of resident memory
	PeakRSS int64         // and at the most
}

// UsageOf reads the usage of a running process from /proc.
func UsageOf(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("reading the CPU time: %w", err)
	}
	// The second field is the name in parentheses and may hold blanks: count from behind it (proc(5)).
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int64
	for _, i := range []int{11, 12} { // utime, stime
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("reading the CPU time: %w", err)
		}
		ticks += n
	}
	const ticksPerSecond = 100 // USER_HZ on every Linux that Go runs on
	u := Usage{CPU: time.Duration(ticks) * time.Second / ticksPerSecond}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err == nil {
		u.RSS, err = sizeIn(status, "VmRSS")
	}
	if err == nil {
		u.PeakRSS, err = sizeIn(status, "VmHWM")
	}
	if err != nil {
		return Usage{}, fmt.Errorf("reading the memory use: %w", err)
	}
	return u, nil
}

// sizeIn reads a size out of /proc/PID/status.
func sizeIn(status []byte, name string) (int64, error) {
	for line := range bytes.Lines(status) {
		if rest, ok := strings.CutPrefix(string(line), name+":"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("no %s line", name)
}

// ResetPeak makes PeakRSS count from now on (proc_pid_clear_refs(5)).
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}
