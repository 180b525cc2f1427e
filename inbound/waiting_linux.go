package inbound

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// inputWaiting says whether the kernel holds octets of the peer that we have not read. Where it cannot tell, it says
// no.
func inputWaiting(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	waiting := 0
	if err := rc.Control(func(fd uintptr) {
		waiting, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ)
	}); err != nil {
		return false
	}
	return err == nil && waiting > 0
}
