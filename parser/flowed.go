package parser

import "strings"

// flowed reports whether a text is in format=flowed (RFC 3676), and whether the space that marks a soft line break is to be
// deleted with it, as where words are not divided by spaces.
func (p *Part) flowed() (is, deleteSpace bool) {
	is = p.ContentType == "text/plain" && strings.EqualFold(p.Params["format"], "flowed")
	return is, is && strings.EqualFold(p.Params["delsp"], "yes")
}

// unflow joins the lines of each paragraph (RFC 3676 section 4.2), whose lines all have the same depth of quotes. A quote is
// written as ">", once for each level, and one space. A line before an empty one ends its paragraph whatever it ends in: mail
// clients leave spaces there, and the empty line is what the reader saw.
func unflow(text string, deleteSpace bool) string {
	var b strings.Builder
	b.Grow(len(text))
	open := false // the line before is to be joined with this one
	depth := 0    // of that line
	for rest := text; rest != ""; {
		var line string
		var ended bool
		line, rest, ended = strings.Cut(rest, "\n")
		content, quotes := cutQuotes(line)
		if open && (quotes != depth || content == "" || content == "-- ") {
			b.WriteByte('\n')
			open = false
		}
		if !open {
			writeQuotes(&b, quotes, content)
		}
		depth = quotes
		open = ended && strings.HasSuffix(content, " ") && content != "-- " // the separator of a signature (section 4.3)
		if open && deleteSpace {
			content = content[:len(content)-1]
		}
		b.WriteString(content)
		if ended && !open {
			b.WriteByte('\n')
		}
	}
	if open {
		b.WriteByte('\n')
	}
	return b.String()
}

// cutQuotes returns the line without its quote marks and without the space that was stuffed in front (sections 4.4 and 4.5).
func cutQuotes(line string) (content string, depth int) {
	for depth < len(line) && line[depth] == '>' {
		depth++
	}
	return strings.TrimPrefix(line[depth:], " "), depth
}

func writeQuotes(b *strings.Builder, depth int, content string) {
	for range depth {
		b.WriteByte('>')
	}
	if depth > 0 && content != "" {
		b.WriteByte(' ')
	}
}
