// Package clientlist asks lists about the address of a client: zones in DNS that list addresses (RFC 5782), those to be
// blocked and those to be let in, and files of our own.
//
// The promise of this package: what could not be found out is no listing; a zone that does not answer, that lists everybody
// or nobody is not asked, by the test that RFC 5782 section 5 gives; and all the lists together take one deadline.
package clientlist
