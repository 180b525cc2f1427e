// Package mailauth finds out which domains vouch for a message: SPF (RFC 7208), DKIM (RFC 6376, 8301, 8463), DMARC (RFC
// 9989), ARC (RFC 8617) and iprev (RFC 8601 section 3).
//
// The promise of this package: a pass means that it was verified on the octets as they were received; trouble with DNS
// is temperror and never fail; and no message, whatever it holds, costs more than a few passes over its octets, a
// bounded number of DNS questions and one deadline for all of them.
//
// SPF is a library's. DKIM and ARC share one verifier, which is ours: ARC needs one, and docs/decisions says why DKIM then
// uses it too.
package mailauth
