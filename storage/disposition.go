package storage

import (
	"mime"
	"strings"
	"unicode/utf8"
)

// maxFilename is what most file systems hold.
const maxFilename = 200

// AttachmentDisposition is the value of a Content-Disposition field (RFC 6266) that makes a browser save the content
// under the name. The name may be a stranger's: control characters and path separators are replaced, and what is left
// is given twice, as plain ASCII and, if that lost something, in the form of RFC 8187 too.
func AttachmentDisposition(filename string) string {
	name := safeFilename(filename)
	if name == "" {
		return "attachment"
	}
	var ascii, ext strings.Builder
	plain := true
	for _, c := range name {
		if c > 0x7e || c == '"' || c == '%' { // clients differ in how they read quoted pairs and percent signs
			ascii.WriteByte('_')
			plain = false
		} else {
			ascii.WriteRune(c)
		}
	}
	value := `attachment; filename="` + ascii.String() + `"`
	if plain {
		return value
	}
	for i := range len(name) {
		// attr-char of RFC 8187 section 3.2.1
		if b := name[i]; 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("!#$&+-.^_`|~", b) >= 0 {
			ext.WriteByte(b)
		} else {
			ext.WriteByte('%')
			ext.WriteByte("0123456789ABCDEF"[b>>4])
			ext.WriteByte("0123456789ABCDEF"[b&15])
		}
	}
	return value + "; filename*=UTF-8''" + ext.String()
}

// safeFilename keeps the last octets of a long name, where its extension is.
func safeFilename(name string) string {
	name = strings.Map(func(c rune) rune {
		switch {
		case c < ' ' || c == 0x7f || c == '/' || c == '\\' || c == utf8.RuneError:
			return '_'
		case 0x80 <= c && c < 0xa0, // C1 controls
			0x200e <= c && c <= 0x200f, 0x202a <= c && c <= 0x202e, 0x2066 <= c && c <= 0x2069: // bidi: "gpj.exe" shown as "exe.jpg"
			return -1
		}
		return c
	}, name)
	name = strings.Trim(name, " .")
	if len(name) > maxFilename {
		name = name[len(name)-maxFilename:]
		for !utf8.RuneStart(name[0]) {
			name = name[1:]
		}
	}
	return name
}

// SafeContentType is a stranger's media type if it is well formed, without parameters; else application/octet-stream.
func SafeContentType(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || strings.Count(media, "/") != 1 || len(media) > 127 {
		return "application/octet-stream"
	}
	return media
}
