// Package identity is what the server shows of itself over TLS: certificates from files, and those that it gets by ACME.
//
// The promise of this package: a handshake always finds the best certificate there is at that moment, and trouble with a new
// one, be it half written, of another key or refused by the authority, leaves the old one where it is.
package identity
