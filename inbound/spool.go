package inbound

import (
	"context"
	"io"
)

// Spool takes responsibility for messages. It is the promise behind 250; [github.com/letterhook/letterhook/storage.Store]
// keeps it.
type Spool interface {
	// Accept makes the body, the envelope and every delivery job durable, bytes first, then one transaction with all
	// rows. When it returns without an error the message survives a power cut. It returns the ids of the messages
	// made, one for each account among the recipients, in the order of the accounts' first recipients. A resend of a
	// mail whose 250 was lost returns the ids of the first time. A [*Rejection] or [*Reply] as error is told to the peer as
	// it is, and the message will not be delivered; any other error means that nothing was accepted and the peer hears 451 4.3.0. Safe for concurrent use.
	//
	// The caller must not change the body afterwards; Accept may keep the bytes of a body that lies in memory.
	Accept(ctx context.Context, env *Envelope, body Body) (ids []string, err error)

	// Acknowledged says that the peer's next command on the connection was read, which proves that it read our 250:
	// the same bytes sent again are a new message from now on. It does not block and needs not be durable at once.
	Acknowledged(ids []string)
}

// Body is the raw content of a message between the last octet read and the end of Accept: dot-unstuffed, nothing else.
type Body interface {
	io.ReaderAt
	// Size is the number of octets, SHA256 their hash; both were computed while the body was read.
	Size() int64
	SHA256() [32]byte
	// Bytes is the whole body if it lies in memory, or nil if it lies in a temporary file. The bytes are never
	// written again: whoever gets them may keep them.
	Bytes() []byte
}
