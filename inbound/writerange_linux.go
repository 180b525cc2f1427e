package inbound

import (
	"os"

	"golang.org/x/sys/unix"
)

// writeRange writes a part of a file that lies in the kernel's memory to the disk, and waits for that. It makes nothing durable. It
// says false where it cannot.
func writeRange(f *os.File, from, octets int64) bool {
	rc, err := f.SyscallConn()
	if err != nil {
		return false
	}
	done := false
	err = rc.Control(func(fd uintptr) {
		const how = unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
		done = unix.SyncFileRange(int(fd), from, octets, how) == nil
	})
	return done && err == nil
}
