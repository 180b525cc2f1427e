package parser

import (
	"path"
	"strings"
	"unicode"
)

// longestName is how many octets of a file name are kept, as most file systems do.
const longestName = 255

// harmlessName makes a file name safe to show and to store: path separators and what Windows forbids become "_", control
// and text direction characters go, and so do dots and spaces around it.
func harmlessName(name string) string {
	if name == "" {
		return ""
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\' || r == ':' || r == '\u2215' || r == '\u2044':
			return '_'
		case r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, validText(name))
	name = strings.TrimRight(strings.TrimLeft(name, ". "), " .")
	if len(name) > longestName {
		ext := path.Ext(name)
		if len(ext) > 16 {
			ext = ""
		}
		name = strings.ToValidUTF8(name[:longestName-len(ext)], "") + ext
	}
	return name
}
