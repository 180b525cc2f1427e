package parser

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// textFromHTML writes an HTML document as plain text: paragraphs as a mail client would break them, quotes marked with "> ",
// links followed by where they lead. It reads tokens, never a tree, so that its work is linear in the document.
func textFromHTML(document string) string {
	w := htmlWriter{start: true}
	z := html.NewTokenizer(strings.NewReader(document))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return w.end()
		case html.TextToken:
			if w.hidden == 0 {
				w.text(string(z.Text()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			w.open(atom.Lookup(name), z, more)
		case html.EndTagToken:
			name, _ := z.TagName()
			w.close(atom.Lookup(name))
		}
	}
}

// mostQuotes bounds the marks in front of a line.
const mostQuotes = 8

// htmlWriter puts tokens out as lines.
type htmlWriter struct {
	out     strings.Builder
	start   bool      // nothing was written on this line
	breaks  int       // line ends to write before the next text
	space   bool      // white space to write before the next text
	quotes  int       // blockquotes around
	pre     int       // elements around that keep white space
	hidden  atom.Atom // the element whose content is not shown
	link    string    // where the open link leads
	linked  int       // length of out where its text began
	written bool
}

func (w *htmlWriter) open(tag atom.Atom, z *html.Tokenizer, attributes bool) {
	if w.hidden != 0 {
		return
	}
	switch tag {
	case atom.Script, atom.Style, atom.Title, atom.Template:
		w.hidden = tag
	case atom.Br:
		w.breaks = min(w.breaks+1, 2)
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Ul, atom.Ol, atom.Dl, atom.Hr:
		w.block(2)
	case atom.Blockquote:
		w.block(1)
		w.quotes++
	case atom.Pre:
		w.block(1)
		w.pre++
	case atom.Li:
		w.block(1)
		w.text("- ")
	case atom.Td, atom.Th:
		w.space = true
	case atom.A:
		w.link, w.linked = attribute(z, attributes, "href"), -1
	case atom.Img:
		w.text(attribute(z, attributes, "alt"))
	default:
		if isBlock(tag) {
			w.block(1)
		}
	}
}

func (w *htmlWriter) close(tag atom.Atom) {
	if w.hidden != 0 {
		if tag == w.hidden {
			w.hidden = 0
		}
		return
	}
	switch tag {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Ul, atom.Ol, atom.Dl:
		w.block(2)
	case atom.Blockquote:
		w.block(1)
		w.quotes = max(0, w.quotes-1)
	case atom.Pre:
		w.block(1)
		w.pre = max(0, w.pre-1)
	case atom.A:
		w.endLink()
	default:
		if isBlock(tag) {
			w.block(1)
		}
	}
}

// isBlock tells the elements that begin and end a line.
func isBlock(tag atom.Atom) bool {
	switch tag {
	case atom.Div, atom.Tr, atom.Table, atom.Li, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Center, atom.Address,
		atom.Dt, atom.Dd, atom.Form, atom.Fieldset, atom.Main, atom.Nav, atom.Aside, atom.Figure, atom.Caption:
		return true
	}
	return false
}

// block makes sure that what follows begins on a new line, after an empty one when n is 2.
func (w *htmlWriter) block(n int) { w.breaks = max(w.breaks, n) }

// text writes text, white space folded unless it stands in a pre.
func (w *htmlWriter) text(s string) {
	if w.pre > 0 {
		for line := range strings.Lines(s) {
			body, ended := strings.CutSuffix(line, "\n")
			w.word(body)
			if ended {
				w.breaks++
			}
		}
		return
	}
	for s != "" {
		end := strings.IndexFunc(s, unicode.IsSpace)
		if end < 0 {
			w.word(s)
			return
		}
		w.word(s[:end])
		w.space = true
		_, size := utf8.DecodeRuneInString(s[end:])
		s = s[end+size:]
	}
}

func (w *htmlWriter) word(s string) {
	if s == "" {
		return
	}
	if w.breaks > 0 && w.written {
		for range w.breaks {
			w.out.WriteByte('\n')
		}
		w.start = true
	}
	if w.start {
		for range min(w.quotes, mostQuotes) {
			w.out.WriteString("> ")
		}
	} else if w.space {
		w.out.WriteByte(' ')
	}
	if w.link != "" && w.linked < 0 {
		w.linked = w.out.Len()
	}
	w.breaks, w.space, w.start, w.written = 0, false, false, true
	w.out.WriteString(s)
}

// endLink writes where a link leads, unless its text says so.
func (w *htmlWriter) endLink() {
	link, from := w.link, w.linked
	w.link = ""
	if from < 0 || !strings.HasPrefix(link, "http://") && !strings.HasPrefix(link, "https://") {
		return
	}
	shown := strings.TrimSpace(w.out.String()[from:])
	_, bare, _ := strings.Cut(link, "://")
	if shown == link || shown == bare || shown+"/" == link || shown+"/" == bare {
		return
	}
	w.space = true
	w.word("<" + link + ">")
}

func attribute(z *html.Tokenizer, more bool, name string) string {
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if string(key) == name {
			return strings.TrimSpace(string(value))
		}
	}
	return ""
}

// end closes the last line.
func (w *htmlWriter) end() string {
	if !w.written {
		return ""
	}
	return strings.TrimRight(w.out.String(), " \n") + "\n"
}
