//go:build !linux

package main

import "runtime/debug"

// letGo gives back to the kernel what only the start needed.
func letGo() { debug.FreeOSMemory() }
