// Package resolver asks recursive DNS servers and remembers their answers for as long as they say.
//
// The promise of this package: a name is always looked up as it is, never completed by a search domain and never answered
// from a hosts file; what does not exist is told apart from what could not be found out; and strangers, who choose the
// names, can fill a bounded amount of memory.
package resolver
