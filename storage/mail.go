package storage

import (
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// Mail is a mail object (RFC 5321 section 2.3.1) that the server is responsible for: envelope and content.
type Mail struct {
	ID         string // "msg_" and a ULID in lower case
	Account    string // "acc_" and a ULID
	ReceivedAt time.Time
	Size       int64
	SHA256     [32]byte
	Envelope   inbound.Envelope // with the recipients of this account alone
	ParseCount int              // parses from disk that were begun and did not come back
	Summary    *Summary         // nil until the first attempt was recorded
	Erased     bool             // nothing is left of it but this, see [Store.Erase]; Envelope, SHA256 and Summary are zero

	raw rawRef
}

// Summary is what lists and searches show of a mail without parsing it again.
type Summary struct {
	From        string           `json:"from"` // first address of the From field
	Subject     string           `json:"subject"`
	MessageID   string           `json:"message_id"`
	Kind        string           `json:"kind"`
	Attachments []AttachmentBlob `json:"attachments"` // non-nil: all of them are in Blobs
}

// AttachmentBlob names a stored attachment.
type AttachmentBlob struct {
	Part   string `json:"part"`
	Key    string `json:"key"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // lower-case hex
}

// rawRef says where the sealed raw bytes lie and how to open them.
type rawRef struct {
	pack   string // key of the pack, or of the blob that holds this message alone
	offset int64
	length int64  // sealed octets
	key    []byte // as stored: wrapped when there is an instance key
}
