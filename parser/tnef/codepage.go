package tnef

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

// charset is the WHATWG label of a Windows code page, "" for one that has none.
func charset(codepage int) string {
	switch {
	case codepage == 65001:
		return "utf-8"
	case codepage == 1200:
		return "utf-16le"
	case codepage == 874 || codepage >= 1250 && codepage <= 1258:
		return "windows-" + strconv.Itoa(codepage)
	case codepage >= 28591 && codepage <= 28606:
		return "iso-8859-" + strconv.Itoa(codepage-28590)
	}
	return charsets[codepage]
}

var charsets = map[int]string{
	866: "ibm866", 932: "shift_jis", 936: "gbk", 949: "euc-kr", 950: "big5", 10000: "macintosh", 20127: "us-ascii", 20866: "koi8-r",
	20932: "euc-jp", 21866: "koi8-u", 50220: "iso-2022-jp", 50221: "iso-2022-jp", 50222: "iso-2022-jp", 51932: "euc-jp", 51949: "euc-kr",
	52936: "hz-gb-2312", 54936: "gb18030",
}

// text8 reads a string of octets that ends with the first NUL.
func text8(b []byte, codepage int) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	if utf8.ValidString(s) {
		return s // some say one code page and mean this
	}
	return decode(s, codepage)
}

// decode reads octets of a code page; of one that nobody knows as windows-1252.
func decode(s string, codepage int) string {
	label := charset(codepage)
	if label == "" || label == "utf-8" {
		label = "windows-1252"
	}
	enc, err := htmlindex.Get(label)
	if err != nil {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	text, err := enc.NewDecoder().String(s)
	if err != nil {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return text
}

// text16 reads a string in UTF-16 that ends with the first NUL.
func text16(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) > 1; b = b[2:] {
		u := uint16(b[0]) | uint16(b[1])<<8
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}
