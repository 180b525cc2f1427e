package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The kinds of signed links, which are also the path segment after "/v1/".
const (
	LinkRaw  = "raw"   // the raw bytes of a message, by its id
	LinkBlob = "blobs" // an attachment, by its key
)

// What is wrong with a link. A link that was never good does not tell whether it would have expired.
var (
	ErrLinkForged  = errors.New("link signature does not match")
	ErrLinkExpired = errors.New("link has expired")
)

// Links signs and verifies links to our own public listener. A link is a path with its parameters:
//
//	<public URL>/v1/raw/<message>?expires=<unix seconds>&signature=...
//	<public URL>/v1/blobs/<key>?expires=...&name=<filename>&type=<content type>&signature=...
//
// The signature is HMAC-SHA256 over all of it but the public URL, which may thus change while links live. It is the only
// credential: whoever has the link has the content until it expires. Safe for concurrent use.
type Links struct {
	base *url.URL
	keys [][]byte
}

// NewLinks makes links below publicURL, an absolute http or https URL that may have a path. The first key signs, all of
// them verify; each has at least 32 octets.
func NewLinks(publicURL string, keys [][]byte) (*Links, error) {
	base, err := url.Parse(publicURL)
	if err != nil {
		return nil, fmt.Errorf("public URL: %w", err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("public URL %s: it must be http:// or https:// with a host and at most a path", base.Redacted())
	}
	if len(keys) == 0 {
		return nil, errors.New("links: no key to sign with")
	}
	for i, key := range keys {
		if len(key) < KeySize {
			return nil, fmt.Errorf("links: key %d has %d octets, fewer than %d", i+1, len(key), KeySize)
		}
	}
	return &Links{base: base, keys: keys}, nil
}

// Path is the path of the public URL, without a slash at the end: a proxy in front may leave it on the requests.
func (l *Links) Path() string { return strings.TrimRight(l.base.Path, "/") }

// Raw is a link to the raw bytes of a message. It ends at the whole second before expires.
func (l *Links) Raw(messageID string, expires time.Time) string {
	return l.sign(LinkRaw, messageID, Link{Expires: expires})
}

// Blob is a link to an object. It ends at the whole second before link.Expires.
func (l *Links) Blob(key string, link Link) string { return l.sign(LinkBlob, key, link) }

func (l *Links) sign(kind, name string, link Link) string {
	q := url.Values{
		"expires":   {strconv.FormatInt(link.Expires.Unix(), 10)},
		"signature": {base64.RawURLEncoding.EncodeToString(linkMAC(l.keys[0], kind, name, link))},
	}
	if link.Filename != "" {
		q.Set("name", link.Filename)
	}
	if link.ContentType != "" {
		q.Set("type", link.ContentType)
	}
	// JoinPath cleans and escapes only what is no segment of its own, so the segments are escaped here.
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	u := l.base.JoinPath("v1", kind, strings.Join(segments, "/"))
	u.RawQuery = q.Encode()
	return u.String()
}

// Verify checks the parameters of a link to name (a message id or a blob key) at the time now and returns what was
// signed. The error is ErrLinkForged or ErrLinkExpired.
func (l *Links) Verify(kind, name string, query url.Values, now time.Time) (Link, error) {
	seconds, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	if err != nil {
		return Link{}, ErrLinkForged
	}
	mac, err := base64.RawURLEncoding.DecodeString(query.Get("signature"))
	if err != nil {
		return Link{}, ErrLinkForged
	}
	link := Link{Filename: query.Get("name"), ContentType: query.Get("type"), Expires: time.Unix(seconds, 0)}
	genuine := false
	for _, key := range l.keys {
		if hmac.Equal(mac, linkMAC(key, kind, name, link)) {
			genuine = true
		}
	}
	switch {
	case !genuine:
		return Link{}, ErrLinkForged
	case !now.Before(link.Expires):
		return Link{}, ErrLinkExpired
	}
	return link, nil
}

// linkMAC is over every field with its length before it, so that no two links have the same text.
func linkMAC(key []byte, kind, name string, link Link) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("letterhook link v1\n"))
	var n [8]byte
	for _, field := range []string{kind, name, link.Filename, link.ContentType} {
		binary.BigEndian.PutUint64(n[:], uint64(len(field)))
		h.Write(n[:])
		h.Write([]byte(field))
	}
	binary.BigEndian.PutUint64(n[:], uint64(link.Expires.Unix()))
	h.Write(n[:])
	return h.Sum(nil)
}

// linkBlob is the URL method of Blobs that are served by our own listener.
func linkBlob(links *Links, key string, link Link) (string, time.Time, error) {
	if !IsAttachmentKey(key) {
		return "", time.Time{}, fmt.Errorf("link to blob %s: %w: it is no attachment", key, errBadKey)
	}
	if links == nil {
		return "", time.Time{}, fmt.Errorf("link to blob %s: no public URL is set", key)
	}
	return links.Blob(key, link), link.Expires.Truncate(time.Second), nil
}
