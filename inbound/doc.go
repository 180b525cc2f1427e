// Package inbound speaks SMTP until the server has accepted responsibility for a message (RFC 5321 section 4.2.5).
//
// The promise of this room: a 250 after the data is written only when [Spool.Accept] has returned without an error,
// which means that the raw bytes, the envelope and every delivery job are on durable storage. Everything else is told
// to the peer inside the session as a [Reply]; nothing is ever bounced later.
//
// The bytes of a message are kept as they were received: dot-unstuffed and nothing else (RFC 5321 section 4.5.2).
// Only CR LF "." CR LF ends the data. A bare CR, a bare LF or a NUL is content and a defect, never an end of data.
//
// inbound imports no other room. The routes are reached by a function ([Config.Recipients]), the store by [Spool].
package inbound
