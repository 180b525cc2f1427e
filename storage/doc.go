// Package storage keeps what must survive: the [Store] (rows) and [Blobs] (bytes).
//
// The promise of this room: when [Store.Accept] returns without an error, the raw bytes lie synced in a pack or in a
// blob of their own, and after that ONE transaction with the message, its deliveries and its dedupe key was committed
// and synced. A row never points at bytes that are not there. Nothing that a delivery row still names is ever deleted.
//
// storage imports inbound, for the envelope and the paths, and no other room.
package storage
