//go:build !linux

package inbound

import "net"

// inputWaiting cannot tell on this system.
func inputWaiting(net.Conn) bool { return false }
