package parser

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"
)

const (
	charsetUTF8    = "utf-8"
	charsetWindows = "windows-1252"
)

// findCharset returns the encoding that a label means, by the WHATWG's table, which is what mail clients go by:
// iso-8859-1 and us-ascii are windows-1252 there. The encoding is nil for UTF-8, and name is "" for an unknown label.
func findCharset(label string) (enc encoding.Encoding, name string) {
	label = strings.ToLower(strings.Trim(label, " \t\"'"))
	label = strings.TrimPrefix(label, "charset=")
	label, _, _ = strings.Cut(label, "*") // the language of RFC 2231 section 5
	switch label {
	case "":
		return nil, ""
	case "utf8mb4", "cp65001", "utf-8":
		return nil, charsetUTF8
	case "hz-gb-2312", "hz":
		return simplifiedchinese.HZGB2312, "hz-gb-2312"
	}
	if enc, err := htmlindex.Get(label); err == nil && enc != encoding.Replacement {
		name, err := htmlindex.Name(enc)
		if err == nil && name == charsetUTF8 {
			return nil, charsetUTF8
		}
		if err == nil && name != "replacement" {
			return enc, name
		}
	}
	if enc, err := ianaindex.MIME.Encoding(label); err == nil && enc != nil {
		return enc, label
	}
	return nil, ""
}

// decodedText is text brought to UTF-8.
type decodedText struct {
	text    string
	charset string // what it was read as
	defect  string // a Defect code, or ""
}

// decodeCharset turns the octets of a text into valid UTF-8 without NUL and byte order mark. The declared charset is
// believed unless the octets contradict it.
func decodeCharset(b []byte, declared string) decodedText {
	enc, name := findCharset(declared)
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		// A byte order mark outranks the label, as in browsers; utf-16 has a decoder that looks for its own.
		return decodedText{text: validText(string(b[3:])), charset: charsetUTF8}
	case strings.HasPrefix(name, "utf-16"):
		return decodeUTF16(b, enc, name)
	case isASCII(b) && !sevenBitShift(name):
		d := decodedText{text: validText(string(b)), charset: name}
		if name == "" {
			d.charset = charsetUTF8
			if declared != "" {
				d.defect = DefectCharsetUnknown
			}
		}
		return d
	case name == "" && declared == "":
		return guess(b, DefectCharsetMissing)
	case name == "":
		return guess(b, DefectCharsetUnknown)
	case name == charsetUTF8:
		if utf8.Valid(b) {
			return decodedText{text: validText(string(b)), charset: charsetUTF8}
		}
		return guess(b, DefectCharsetInvalid)
	case isUSASCII(declared):
		return guess(b, DefectCharsetInvalid)
	}
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return guess(b, DefectCharsetInvalid)
	}
	d := decodedText{text: validText(string(out)), charset: name}
	if bytes.ContainsRune(out, utf8.RuneError) {
		if utf8.Valid(b) && !sevenBitShift(name) {
			return decodedText{text: validText(string(b)), charset: charsetUTF8, defect: DefectCharsetInvalid}
		}
		d.defect = DefectCharsetInvalid
	}
	return d
}

// decodeUTF16 follows the byte order mark if there is one. A label of utf-16 on what is plainly ASCII is a lie.
func decodeUTF16(b []byte, enc encoding.Encoding, name string) decodedText {
	if len(b) > 1 && isASCII(b) && bytes.IndexByte(b, 0) < 0 {
		return decodedText{text: validText(string(b)), charset: charsetUTF8, defect: DefectCharsetInvalid}
	}
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		enc, _ = htmlindex.Get("utf-16le")
		name = "utf-16le"
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		enc, _ = htmlindex.Get("utf-16be")
		name = "utf-16be"
	}
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return guess(b, DefectCharsetInvalid)
	}
	return decodedText{text: validText(string(out)), charset: name}
}

// guess reads octets whose charset is not known: as UTF-8 when that is what they are, or nearly are, else as windows-1252.
func guess(b []byte, defect string) decodedText {
	good, bad := 0, 0
	for rest := b; len(rest) > 0; {
		if rest[0] < utf8.RuneSelf {
			rest = rest[1:]
			continue
		}
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			good++
		}
		rest = rest[n:]
	}
	if bad == 0 || good > bad {
		return decodedText{text: validText(string(b)), charset: charsetUTF8, defect: defect}
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		out = b
	}
	return decodedText{text: validText(string(out)), charset: charsetWindows, defect: defect}
}

// sevenBitShift tells the charsets that say everything in octets below 128.
func sevenBitShift(name string) bool {
	return name == "iso-2022-jp" || name == "hz-gb-2312" || strings.HasPrefix(name, "iso-2022-") ||
		strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-7")
}

func isUSASCII(label string) bool {
	switch strings.ToLower(strings.Trim(label, " \t\"'")) {
	case "us-ascii", "ascii", "ansi_x3.4-1968":
		return true
	}
	return false
}

func isASCII(b []byte) bool {
	for len(b) >= 8 {
		if (b[0]|b[1]|b[2]|b[3]|b[4]|b[5]|b[6]|b[7])&0x80 != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// plainASCII reports whether a string needs no care at all: ASCII without control characters but the tab.
func plainASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x7f || c < ' ' && c != '\t' {
			return false
		}
	}
	return true
}

// validText makes a string valid UTF-8 without NUL and without byte order mark at its beginning.
func validText(s string) string {
	s = strings.TrimPrefix(s, "\ufeff")
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// cleanText is validText for a value that has one line: control characters become spaces.
func cleanText(s string) string {
	if plainASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == 0:
			return -1
		case r < ' ' && r != '\t', r == 0x7f:
			return ' '
		}
		return r
	}, validText(s))
}

// toText reads raw octets of a header: UTF-8 (RFC 6532), or else windows-1252.
func toText(s string) string {
	if !utf8.ValidString(s) {
		s = guess([]byte(s), "").text
	}
	return cleanText(s)
}
