// Package parser turns the bytes of a mail into a [Message] (RFC 5322, RFC 2045 to 2049). It is pure: no network, no
// clock, no logger, no goroutine that outlives a call, and it can be imported alone: of this module it needs only the packages
// below its own.
//
// The promise of this room: any bytes give a Message. What was damaged is repaired where a mail client would and named
// as a [Defect]; what went beyond a limit is named in LimitsHit; the error of [Parse] speaks of reading only. The same bytes
// give the same Message. Every leaf of the MIME tree is either a body or in Attachments.
//
// To use it: [Parse] takes an io.ReaderAt, a size and [Limits], whose zero value is meant for mail from anybody. The Message has
// the fields of the header decoded, the bodies in UTF-8, what the author wrote in Reply, and Attachments. [Part.Open] decodes
// an attachment while it is read; [Content.Defects] says then what was repaired in it. [Message.Explain] says why each part
// became what it is. A Message is not changed once Parse has returned it, and may be read from several goroutines.
//
// The way of a message through the files: source.go passes the raw bytes through a window once; header.go and delimiter.go
// cut them into headers and parts, parse.go builds the tree within [Limits]; leaf.go has enmime read the type, the
// disposition and the file name of each leaf; summary.go, address.go and date.go read the fields; body.go chooses and joins the
// bodies, text.go, charset.go, charsetlabel.go, shifted.go and detect.go decode them, flowed.go joins lines, htmltext.go makes text of HTML; kind.go
// judges by what signal.go finds in the header, and bounce.go takes reports apart with package report. Attachments are decoded by
// [Part.Open] when somebody asks, from offsets, and never held whole. winmail.go and inline.go find the files that lie within a
// winmail.dat (package tnef) or between the lines of a text; container.go opens those. invitation.go
// reads calendars (package calendar), protection.go knows what is encrypted or signed.
// explain.go says why a part is what it is.
//
// All work is linear in the message: nothing is scanned again for each part, each boundary or each word.
package parser
