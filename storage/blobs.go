package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrNotFound says that there is no object or no row of that name.
var ErrNotFound = errors.New("not found")

// errBadKey says that a key could not be used in every kind of Blobs.
var errBadKey = errors.New("bad blob key")

// Blobs stores objects by key. [Dir] keeps them in a folder, [Bucket] in an S3 bucket. Safe for concurrent use.
//
// A key is one or more segments joined by "/", at most 900 octets of printable ASCII; a segment is neither empty nor
// begins with a dot, and has at most 200 octets. Objects never change: a key is only ever given one content.
type Blobs interface {
	// Put stores size octets of r, from where it stands, under key. When it returns without an error the object is
	// durable and whole. After an error the object may be there or not, but never a part of it. Storing the same key
	// again with the same bytes is harmless. r must not be used elsewhere meanwhile.
	Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error
	// OpenRange reads n octets from offset, fewer if the object ends before; n < 0 reads to the end. An absent key
	// gives an error that Is ErrNotFound. A reader that ends early for any other reason than the object's end
	// reports an error, never io.EOF. The context holds until Close.
	OpenRange(ctx context.Context, key string, offset, n int64) (io.ReadCloser, error)
	// Delete removes the object; an absent key is no error.
	Delete(ctx context.Context, key string) error
	// List yields the objects whose key starts with prefix, in any order.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// URL makes a link that serves the object for a while without further credentials. The time returned is when the
	// link ends: never later than asked, and never later than the credentials behind it.
	URL(ctx context.Context, key string, link Link) (url string, expires time.Time, err error)
}

// Object is an entry of a listing.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time
}

// Link says how a linked object is served: always as an attachment.
type Link struct {
	Filename    string // display name of the download; may hold any UTF-8
	ContentType string
	Expires     time.Time
}

// Prefix of the keys of attachments: the only objects that links to our own listener reach.
const attachmentPrefix = "att/"

// AttachmentKey is the key of an attachment in Blobs: "att/<account>/<message>/<sha256>". The hash is that of the decoded
// content in lower-case hex, so storing an attachment again gives the same key and the same bytes.
func AttachmentKey(account, message, sha256hex string) string {
	return attachmentPrefix + account + "/" + message + "/" + sha256hex
}

// IsAttachmentKey says whether a key is one of AttachmentKey. No other object may be served by a link: packs hold the
// mail of many accounts.
func IsAttachmentKey(key string) bool {
	return strings.HasPrefix(key, attachmentPrefix) && strings.Count(key, "/") == 3 && checkKey(key) == nil
}

// checkKey refuses what could leave the folder, hide in it, or be understood differently by two kinds of Blobs.
func checkKey(key string) error {
	if key == "" || len(key) > 900 {
		return fmt.Errorf("%w: it has %d octets", errBadKey, len(key))
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment[0] == '.' || len(segment) > 200 {
			return fmt.Errorf("%w: segment %.20q", errBadKey, segment)
		}
		if i := strings.IndexFunc(segment, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' || c == ':' }); i >= 0 {
			c, _ := utf8.DecodeRuneInString(segment[i:])
			return fmt.Errorf("%w: character %q", errBadKey, c)
		}
	}
	return nil
}
