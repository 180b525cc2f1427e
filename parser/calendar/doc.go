// Package calendar reads the invitations of a calendar (RFC 5545, RFC 5546) that came by mail. It imports nothing of the rest
// of the house.
//
// github.com/emersion/go-ical decodes the components. Since it refuses a whole calendar for one bad line, and panics at a few,
// it sees a calendar written anew: only the components and properties that are asked for, each line checked and bounded
// (clean.go). Times and their zones are resolved here, because what mail calls a zone is seldom a name that Go knows: see zone.go.
//
// The promise: any text gives what events it has; damage is told, and the work is linear in the text.
package calendar
