// Package guard counts what strangers do and divides what they share: budgets of a source over time, octets in flight, and
// the levers that an operator pulls in an incident.
//
// The promise of this package: what is remembered of strangers is bounded, whoever they are and however many; one source
// cannot use up what others need; and the owner of an IPv6 /48 gains nothing by having 65,536 networks.
package guard
