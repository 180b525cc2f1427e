// Package replyaddr mints and verifies signed reply addresses: addresses that an application puts into the Reply-To field
// of what it sends, so that the answer brings back what it is about and nobody can make one up.
//
// The promise of this package: whoever does not have the key can neither make an address that verifies nor change what
// an address says, until when, for which local-part or at which domain. docs/reply-addresses.md describes the format
// for other languages, with test vectors.
package replyaddr
