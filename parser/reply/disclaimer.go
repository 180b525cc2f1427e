package reply

import "strings"

const (
	mostDisclaimer   = 40      // lines that are searched for the beginning of one
	leastHas         = 2       // words that make a disclaimer of a paragraph
	longestParagraph = 4 << 10 // octets, and of a line of it
)

var disclaimerIndex = indexDisclaimers()

// beginning is a phrase of disclaimerWords; has is nil where it is enough.
type beginning struct {
	phrase string
	has    []string
}

// indexDisclaimers has the beginnings by their first letter.
func indexDisclaimers() map[rune][]beginning {
	index := map[rune][]beginning{}
	add := func(phrase string, has []string) {
		r := firstLower(phrase)
		index[r] = append(index[r], beginning{phrase, has})
	}
	for _, l := range disclaimerWords {
		for _, phrase := range l.alone {
			add(phrase, nil)
		}
		for _, phrase := range l.begins {
			add(phrase, l.has)
		}
	}
	return index
}

// disclaimerStart looks upward from line end for the first of the paragraphs that are a disclaimer. All that follows it is
// part of it: companies put their address below.
func (d *document) disclaimerStart(end int) (start int, ok bool) {
	for i := end - 1; i >= 0 && i >= end-mostDisclaimer; i-- {
		l := &d.lines[i]
		if l.quoted || l.is != own {
			break
		}
		if l.text == "" || isRule(l.text) {
			continue
		}
		if i > 0 && d.lines[i-1].plain() && !isRule(d.lines[i-1].text) && d.lines[i-1].is == own {
			continue // within a paragraph
		}
		if d.isDisclaimer(i, end) {
			start, ok = i, true
		}
	}
	return start, ok
}

// isDisclaimer judges the paragraph that begins at line i.
func (d *document) isDisclaimer(i, end int) bool {
	first := strings.TrimLeft(d.lines[i].text, "*_\"'([|- ")
	for _, begin := range disclaimerIndex[firstLower(first)] {
		if _, ok := cutFold(first, begin.phrase); !ok {
			continue
		}
		if begin.has == nil {
			return true
		}
		paragraph := d.paragraph(i, end)
		n := 0
		for _, word := range begin.has {
			if strings.Contains(paragraph, word) {
				n++
			}
		}
		if n >= leastHas {
			return true
		}
	}
	return false
}

// paragraph is the text of some lines in lower case.
func (d *document) paragraph(from, to int) string {
	var b strings.Builder
	for i := from; i < to && b.Len() < longestParagraph; i++ {
		b.WriteString(d.lines[i].text[:min(len(d.lines[i].text), longestParagraph)])
		b.WriteByte('\n')
	}
	return strings.ToLower(b.String())
}
