package storage

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// bootFile has a number that the kernel makes when it starts.
const bootFile = "/proc/sys/kernel/random/boot_id"

// placeOf is the place of a process that holds the lock of a data folder: the running kernel and the locked file. No other process
// holds a lock on the same file under the same kernel, and the lock goes when its process has ended, so whoever has a lease from the
// same place is no more. A copy of the folder, another machine and the same machine after it was started again are other
// places. It is empty, which is no place, where the kernel does not tell.
func placeOf(lock *os.File) string {
	boot, err := os.ReadFile(bootFile)
	if err != nil || len(strings.TrimSpace(string(boot))) == 0 {
		return ""
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(lock.Fd()), &st); err != nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", strings.TrimSpace(string(boot)), st.Dev, st.Ino)
}
