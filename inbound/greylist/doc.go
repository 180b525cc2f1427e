// Package greylist puts off mail of senders that were never seen, until they come again: programs that only push out mail do
// not (RFC 6647).
//
// The promise of this package: what is remembered is bounded, whoever comes; a question is answered from memory and never
// waits for a disk; and who has passed is still known after a restart.
package greylist
