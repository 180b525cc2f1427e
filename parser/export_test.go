package parser

import "io"

// ParseWindowed is Parse through a window of so many octets, whatever the size of the message.
func ParseWindowed(r io.ReaderAt, size int64, lim Limits, window int) (*Message, error) {
	return parse(newSource(r, size, window), lim)
}
