package storage

import (
	"context"
	"io"
	"iter"
	"time"
)

// Blobs stores objects by key. [Dir] keeps them in a folder, [Bucket] in an S3 bucket. Safe for concurrent use.
type Blobs interface {
	// Put stores size octets of r under key. When it returns without an error the object is durable and whole; on
	// an error nothing is visible under the key. Storing the same key again with the same bytes is harmless.
	Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error
	// OpenRange reads n octets from offset; n < 0 reads to the end. An absent key gives an error that Is ErrNotFound.
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
