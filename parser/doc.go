// Package parser turns the bytes of a mail into a [Message] (RFC 5322, RFC 2045 to 2049). It is pure: no network, no
// clock, no logger, no goroutine that outlives a call, and it can be imported alone.
//
// The promise of this room: any bytes give a Message. What was damaged is repaired where a mail client would and named
// as a [Defect]; what went beyond a limit is named in LimitsHit; the error of [Parse] speaks of reading only.
package parser
