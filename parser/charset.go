package parser

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

const (
	charsetUTF8      = "utf-8"
	charsetUTF7      = "utf-7"
	charsetISO2022KR = "iso-2022-kr"
	charsetWindows   = "windows-1252"
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
	case charsetUTF7, "unicode-1-1-utf-7", "x-unicode-1-1-utf-7", "csunicode11utf7":
		return nil, charsetUTF7
	case charsetISO2022KR, "csiso2022kr":
		return nil, charsetISO2022KR
	case "utf-32", "ucs-4", "iso-10646-ucs-4":
		return utf32.UTF32(utf32.BigEndian, utf32.UseBOM), "utf-32"
	case "utf-32be":
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), label
	case "utf-32le":
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), label
	}
	if enc, name, ok := listedCharset(label); ok {
		return enc, name
	}
	if other := otherLabel(label); other != "" {
		enc, name, _ := listedCharset(other)
		return enc, name
	}
	return nil, ""
}

// listedCharset looks a label up in the WHATWG's table, then in IANA's.
func listedCharset(label string) (enc encoding.Encoding, name string, ok bool) {
	if isUSASCII(label) {
		label = "us-ascii" // whatever it is called
	}
	if enc, err := htmlindex.Get(label); err == nil && enc != encoding.Replacement {
		name, err := htmlindex.Name(enc)
		if err == nil && name == charsetUTF8 {
			return nil, charsetUTF8, true
		}
		if err == nil && name != "replacement" {
			return enc, name, true
		}
	}
	if enc, err := ianaindex.MIME.Encoding(label); err == nil && enc != nil {
		return enc, label, true
	}
	return nil, "", false
}

// decodedText is text brought to UTF-8.
type decodedText struct {
	text    string
	charset string // what it was read as
	defect  string // a Defect code, or ""
}

// decodeCharset turns the octets of a text into valid UTF-8 without NUL and byte order mark. The declared charset is
// believed unless the octets contradict it. A text that is UTF-8 already is not copied.
func decodeCharset(s, declared string) decodedText {
	enc, name := findCharset(declared)
	switch {
	case strings.HasPrefix(s, byteOrderMark):
		// It outranks the label, as in browsers; utf-16 has a decoder that looks for its own.
		return decodedText{text: validText(s), charset: charsetUTF8}
	case strings.HasPrefix(name, "utf-16"), strings.HasPrefix(name, "utf-32"):
		return decodeWide(s, enc, name)
	case name == charsetUTF7 && isASCII(s):
		d := decodedText{charset: name}
		var ok bool
		if d.text, ok = decodeUTF7(s); !ok {
			d.defect = DefectCharsetInvalid
		}
		d.text = validText(d.text)
		return d
	case isASCII(s) && !sevenBitShift(name):
		if d, ok := decodeEscapes(s, declared, name); ok {
			return d
		}
		d := decodedText{text: withoutNUL(s), charset: name}
		if name == "" {
			d.charset = charsetUTF8
			if declared != "" {
				d.defect = DefectCharsetUnknown
			}
		}
		return d
	case name == "" && declared == "":
		return guess(s, DefectCharsetMissing)
	case name == "":
		return guess(s, DefectCharsetUnknown)
	case name == charsetUTF8 && utf8.ValidString(s):
		return decodedText{text: withoutNUL(s), charset: charsetUTF8}
	case name == charsetUTF8, name == charsetUTF7, isUSASCII(declared):
		return guess(s, DefectCharsetInvalid)
	}
	var out string
	var err error
	if name == charsetISO2022KR {
		out, err = decodeISO2022KR(s)
	} else {
		out, err = enc.NewDecoder().String(s)
	}
	if err != nil {
		return guess(s, DefectCharsetInvalid)
	}
	d := decodedText{text: validText(out), charset: name}
	if strings.ContainsRune(out, utf8.RuneError) {
		if utf8.ValidString(s) && !sevenBitShift(name) {
			return decodedText{text: withoutNUL(s), charset: charsetUTF8, defect: DefectCharsetInvalid}
		}
		d.defect = DefectCharsetInvalid
	}
	return d
}

// decodeWide reads UTF-16 and UTF-32. It follows the byte order mark if there is one. Such a label on what is plainly ASCII or
// UTF-8 is a lie.
func decodeWide(s string, enc encoding.Encoding, name string) decodedText {
	if len(s) > 1 && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return decodedText{text: s, charset: charsetUTF8, defect: DefectCharsetInvalid}
	}
	if name == "utf-16" || name == "utf-16be" || name == "utf-16le" {
		switch {
		case strings.HasPrefix(s, "\xff\xfe"):
			enc, name = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16le"
		case strings.HasPrefix(s, "\xfe\xff"):
			enc, name = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "utf-16be"
		}
	}
	out, err := enc.NewDecoder().String(s)
	if err != nil {
		return guess(s, DefectCharsetInvalid)
	}
	d := decodedText{text: validText(out), charset: name}
	if strings.ContainsRune(out, utf8.RuneError) {
		d.defect = DefectCharsetInvalid
	}
	return d
}

// guess reads octets whose charset is not known: as UTF-8 when that is what they are, or nearly are, else as windows-1252.
func guess(s, defect string) decodedText {
	good, bad := 0, 0
	for i, r := range s {
		switch {
		case r < utf8.RuneSelf:
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			bad++
		default:
			good++
		}
	}
	if bad == 0 || good > bad {
		return decodedText{text: validText(s), charset: charsetUTF8, defect: defect}
	}
	out, err := charmap.Windows1252.NewDecoder().String(s)
	if err != nil {
		out = s
	}
	return decodedText{text: validText(out), charset: charsetWindows, defect: defect}
}

// sevenBitShift tells the charsets that say everything in octets below 128.
func sevenBitShift(name string) bool {
	return name == "hz-gb-2312" || strings.HasPrefix(name, "iso-2022-") ||
		strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32") || name == charsetUTF7
}

// isUSASCII tells the names of a charset that has no octet above 127: those are in another one.
func isUSASCII(label string) bool {
	switch strings.ToLower(strings.Trim(label, " \t\"'")) {
	case "us-ascii", "ascii", "ansi_x3.4-1968", "ansi_x3.4-1986", "iso646-us", "iso_646.irv:1991", "iso-ir-6", "646", "us", "ibm367", "cp367", "csascii", "usascii", "us_ascii":
		return true
	}
	return false
}

func isASCII(s string) bool {
	for len(s) >= 8 {
		if (s[0]|s[1]|s[2]|s[3]|s[4]|s[5]|s[6]|s[7])&0x80 != 0 {
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// plainASCII reports whether a string needs no care at all: ASCII without control characters but the tab.
func plainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x7f || c < ' ' && c != '\t' {
			return false
		}
	}
	return true
}

// byteOrderMark is U+FEFF at the beginning of a text.
const byteOrderMark = "\ufeff"

// validText makes a string valid UTF-8 without NUL and without byte order mark at its beginning.
func validText(s string) string {
	return strings.ToValidUTF8(withoutNUL(strings.TrimPrefix(s, byteOrderMark)), "\ufffd")
}

func withoutNUL(s string) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "")
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

// toText reads raw octets of a header: UTF-8 (RFC 6532), the charset that is given if they fit, ISO-2022-JP by its escapes, or else
// windows-1252.
func toText(s, charset string) string {
	if charset != "" && !utf8.ValidString(s) {
		if d := decodeCharset(s, charset); d.defect == "" {
			return cleanText(d.text)
		}
	}
	if !utf8.ValidString(s) || strings.Contains(s, escapeSet) {
		s = decodeCharset(s, "").text
	}
	return cleanText(s)
}
