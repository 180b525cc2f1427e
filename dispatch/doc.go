// Package dispatch owes a POST to every endpoint that a mail was routed to, and pays.
//
// The promise of this room: a delivery is attempted until an endpoint answers 2xx or its schedule or maximum age is used
// up; then it stands in the store as dead, with its attempts, and can be replayed. An attempt counts only when it was
// made: trouble of our own (blob storage, a stop in mid-flight) costs none. What is owed lives in the [storage.Store]
// alone; this room's memory is a copy that a crash may take. After a crash the attempts that were in flight are made
// again with the same webhook-id, so receivers see every event at least once.
//
// Each endpoint is a lane with a queue and a pace of its own. A lane that hangs or fails uses up its own slots and a
// bounded share of the whole; it never delays the lanes beside it.
//
// dispatch imports storage, parser and inbound; the formats in package format import dispatch, and cmd hands them to it.
package dispatch
