// Package dnscheck holds what DNS says of a mail server and its domains against what it should say.
//
// The promise of this package: it tells what is there, what is missing and the record to publish; what could not be found out is
// told apart from what is not there; and it changes nothing.
package dnscheck
