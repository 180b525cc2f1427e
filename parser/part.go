package parser

import (
	"io"
	"strconv"
	"strings"
)

// Part is an entity of the MIME tree (RFC 2045 section 2.4). It keeps offsets into the raw bytes, not the bytes.
type Part struct {
	ID          string   // part number in IMAP's form (RFC 3501 section 6.4.5): "1", "2.1"; a single-part message has "1"
	Headers     []Header // the fields of the part's own header
	ContentType string   // lower-case type/subtype, never empty
	Params      map[string]string
	Charset     string   // declared charset, lower case; empty if none
	Disposition string   // "attachment", "inline" or "" when the part names none; another word counts as "attachment" (RFC 2183 section 2.8)
	Filename    string   // display name, made harmless: no path separators, control characters or leading dots
	ContentID   string   // without angle brackets
	Encoding    string   // Content-Transfer-Encoding, lower case; "" counts as 7bit
	Inline      bool     // shown within the html by its ContentID
	Parts       []*Part  // of a multipart; of a winmail.dat and of a text with files in it, what was unpacked
	Message     *Message // the nested message of a message/rfc822 part, without Text and HTML; nil otherwise

	// Offset of the first octet of the body in the raw bytes, and octets of the body as encoded there. Of a part that lies in
	// a container which is itself encoded (a multipart, which is forbidden, but sent; a winmail.dat; a text with a file in
	// it), they count in the decoded container.
	Offset, Length int64

	source   io.ReaderAt
	within   *container // what the part was unpacked from; nil for a part of MIME
	replaced bool       // everything that it holds was unpacked into Parts: it is not listed itself
}

// multipart returns the subtype of a multipart, and whether the part is one.
func (p *Part) multipart() (subtype string, ok bool) {
	return strings.CutPrefix(p.ContentType, "multipart/")
}

// isMessage reports whether the part holds a message with header and body (RFC 2046 section 5.2.1, RFC 6532 section 3.7).
func (p *Part) isMessage() bool {
	return p.ContentType == "message/rfc822" || p.ContentType == "message/global"
}

// isText reports whether the part can be a body: plain text or HTML.
func (p *Part) isText() bool {
	return p.ContentType == "text/plain" || p.ContentType == "text/html"
}

// unreadable reports whether the body is in an encoding that somebody invented and nobody here knows: then it is no text
// but octets (RFC 2045 section 6.4). Other unknown words are mistakes, and the text is what it seems.
func (p *Part) unreadable() bool {
	return strings.HasPrefix(p.Encoding, "x-") && newTransferDecoder(p.Encoding) == nil
}

// partID is the number of the n-th part within container, counted from 1.
func partID(container string, n int) string {
	if container == "" {
		return strconv.Itoa(n)
	}
	return container + "." + strconv.Itoa(n)
}

// transferEncoding reads a Content-Transfer-Encoding (RFC 2045 section 6.1) with the comments, quotes and semicolons
// that are sent with it. known is false for a word that nobody defined.
func transferEncoding(value string) (word string, known bool) {
	value = strings.Trim(value, " \t\"'")
	if i := strings.IndexAny(value, " \t;(\"',"); i >= 0 {
		value = value[:i]
	}
	word = strings.ToLower(value)
	switch word {
	case "", "7bit", "8bit", "binary", "base64", "quoted-printable", "uuencode", "x-uuencode", "x-uue", encodingYEnc:
		return word, true
	case "7-bit", "8-bit", "7bits", "8bits":
		return word[:1] + "bit", true
	}
	return word, false
}
