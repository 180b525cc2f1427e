package inbound

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// inputWaiting counts the octets of the peer that the kernel holds and we have not read. Where it cannot tell, it says 0.
func inputWaiting(c net.Conn) int64 {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return 0
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	waiting := 0
	if err := rc.Control(func(fd uintptr) {
		waiting, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ)
	}); err != nil {
		return 0
	}
	if err != nil {
		return 0
	}
	return int64(waiting)
}
