package parser

import "strings"

// charsetLabels are the names of charsets that mail bears and that neither the WHATWG nor IANA lists: those of code pages, of
// Java, and of programs that made one up. In lower case, with hyphens only.
var charsetLabels = map[string]string{
	"cp932": "shift_jis", "ms932": "shift_jis", "x-windows-932": "shift_jis", "cp943": "shift_jis",
	"cp949": "euc-kr", "ms949": "euc-kr", "x-windows-949": "euc-kr", "uhc": "euc-kr", "euckr": "euc-kr",
	"cp950": "big5", "ms950": "big5", "x-windows-950": "big5", "big5hk": "big5",
	"cp936": "gbk", "ms936": "gbk", "x-windows-936": "gbk", "euc-cn": "gbk", "x-euc-cn": "gbk", "gb-2312": "gbk",
	"gb18030-2000": "gb18030", "gb18030-2005": "gb18030",
	"eucjp": "euc-jp", "cp51932": "euc-jp", "x-eucjp": "euc-jp",
	"iso2022jp": "iso-2022-jp", "jis": "iso-2022-jp", "cp50220": "iso-2022-jp", "cp50221": "iso-2022-jp", "cp50222": "iso-2022-jp",
	"x-windows-iso2022jp": "iso-2022-jp", "x-windows-50220": "iso-2022-jp", "x-windows-50221": "iso-2022-jp",
	"koi8r": "koi8-r", "koi8u": "koi8-u", "tis620": "tis-620",
	"utf8mb3": charsetUTF8, "utf-8n": charsetUTF8, "unicode-utf-8": charsetUTF8,
}

// otherLabel returns the listed name of a charset that goes by another, or "".
func otherLabel(label string) string {
	label = strings.ReplaceAll(label, "_", "-")
	if known := charsetLabels[label]; known != "" {
		return known
	}
	if strings.HasPrefix(strings.TrimPrefix(label, "-"), "iso-2022-jp") { // -1, -2, -ms, $ESC: what mail has of them is in the first
		return "iso-2022-jp"
	}
	for _, family := range []struct{ prefix, listed string }{{"windows", "windows-"}, {"x-windows", "windows-"}, {"win", "windows-"}, {"cp", "windows-"}, {"iso8859", "iso-8859-"}, {"iso-8859", "iso-8859-"}, {"8859", "iso-8859-"}} {
		number, ok := strings.CutPrefix(label, family.prefix)
		number, _, _ = strings.Cut(strings.TrimPrefix(number, "-"), ":") // the year of a standard
		switch {
		case !ok || number == "" || strings.Trim(number, "0123456789") != "":
		case family.listed == "windows-" && (len(number) != 4 || !strings.HasPrefix(number, "125")) && number != "874":
		default:
			return family.listed + number
		}
	}
	if dashed := strings.ReplaceAll(label, ".", "-"); strings.HasSuffix(dashed, "-utf-8") || label == "utf-8" { // en_US.UTF-8
		return charsetUTF8
	}
	if strings.HasPrefix(label, "euc-") || strings.HasPrefix(label, "big5-") || strings.HasPrefix(label, "shift-") {
		return label
	}
	return ""
}
