package parser

import "io"

// ParseWindowed is Parse through a window of so many octets, whatever the size of the message.
func ParseWindowed(r io.ReaderAt, size int64, lim Limits, window int) (*Message, error) {
	return parse(newSource(r, size, window), lim)
}

// AddressWork is how much parsing an address list looks at beyond its one pass.
func AddressWork(list string) int {
	p := addressParser{s: list, limit: len(list)}
	p.read()
	return p.looked
}

// EncodedWordHead is encodedWordHead: what it refuses is never searched for an end.
func EncodedWordHead(s string) int { return encodedWordHead(s) }
