package reply

import (
	"strings"
	"unicode"
)

const (
	inlineTagged = 0.65 // confidence where answers within an unmarked quote were found
	inlineSaid   = 0.6  // and where the author says that there are some
)

// answersWithin looks for answers that the author typed into a quote without marks, below the announcement of it. Outlook, where
// told to, puts his name before them: "[Ann Jones] Yes." The name is proved by the header block, since he is who got that mail.
// The quote as far as the last of them is part of the reply then. Other answers cannot be told from the quote; where the
// author says that there are some, that is a doubt.
func (d *document) answersWithin(a announcement) {
	last, header := -1, ""
	for i := a.to; i < len(d.lines); i++ {
		name := nameTag(d.lines[i].text)
		if name == "" {
			continue
		}
		if header == "" {
			header = d.paragraph(a.from, a.to)
		}
		if names(header, name) {
			last = i
		}
	}
	switch {
	case last >= 0:
		for last+1 < len(d.lines) && d.lines[last+1].plain() {
			last++
		}
		d.mark(a.to, last+1, own)
		d.doubt(inlineTagged)
	case d.saysInline(a.from):
		d.doubt(inlineSaid)
	}
}

// nameTag returns the name in brackets that a line begins with, or "".
func nameTag(s string) string {
	const longest, mostSpaces = 60, 4
	if s == "" || s[0] != '[' {
		return ""
	}
	name, rest, ok := strings.Cut(s[1:min(len(s), longest)], "]")
	if n := strings.Count(name, " "); !ok || trim(rest) == "" || n == 0 || n > mostSpaces {
		return ""
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !strings.ContainsRune(" .,-'’", r) {
			return ""
		}
	}
	return name
}

// names says whether the words of a name stand in a header, which is in lower case.
func names(header, name string) bool {
	for word := range strings.FieldsFuncSeq(strings.ToLower(name), func(r rune) bool { return r == ' ' || r == ',' }) {
		if !strings.Contains(header, word) {
			return false
		}
	}
	return true
}

// saysInline says whether the author's text above line end points to answers below.
func (d *document) saysInline(end int) bool {
	const mostLines = 12
	for i := max(0, end-mostLines); i < end; i++ {
		if l := &d.lines[i]; l.plain() && l.is == own && len(l.text) <= longestSaid && containsAny(strings.ToLower(l.text), inlineWords) {
			return true
		}
	}
	return false
}

// longestSaid is how long a line is that points to answers below.
const longestSaid = 160

// inlineWords are how people say that they answer between the lines of a quote, in lower case.
var inlineWords = []string{
	"inline", "in-line", "see below", "answers below", "comments below", "replies below", "responses below", "answered below", "my answers", "my comments",
	"my responses", "in red", "in blue", "in green",
	"siehe unten", "s. u.", "s.u.", "in rot", "in blau", "im text unten", "antworten unten", "kommentare unten",
	"ci-dessous", "en rouge", "en bleu", "dans le texte",
	"más abajo", "ver abajo", "en rojo", "en azul",
	"em vermelho", "em azul", "ver abaixo", "veja abaixo", "vide abaixo", "respostas abaixo", "in rosso", "in blu", "qui sotto", "vedi sotto", "di seguito",
	"hieronder", "zie onder", "in het rood", "in het blauw", "nedan", "i rött", "nedenfor", "med rødt", "alla punaisella", "punaisella",
	"poniżej", "na czerwono", "na niebiesko", "níže", "červeně", "lent pirossal", "pirossal", "aşağıda", "kırmızı", "ниже", "красным", "синим", "нижче", "червоним",
	"赤字", "下記のとおり", "インライン", "见下", "見下", "红字", "紅字", "红色", "紅色", "아래에", "빨간", "להלן", "באדום", "أدناه", "باللون الأحمر",
}
