// Package admin is the HTTP side of the server: [Public] for whoever holds a signed link, [Private] for the operator.
//
// The promise of this room: nothing is served without a link that we signed and that has not expired, only ever as a
// download that no browser runs, and no internal text goes out. A leaked link gives away one content until it
// expires, and nothing else.
//
// admin imports dispatch, storage, parser and inbound; no room imports admin.
package admin
