// Package tnef reads the Transport Neutral Encapsulation Format (MS-OXTNEF): the winmail.dat that Outlook and Exchange put
// the attachments of a mail into. It reads a stream once and keeps where things lie, not what they hold: a file of any
// size costs its name and two numbers. It imports nothing of the rest of the house.
//
// The promise: any octets give a [Message] or [ErrNotTNEF]; damage is told in [Message.Damage] and what stood before it is
// there; the error of [Decode] speaks of reading only. All work is linear in the stream.
package tnef
