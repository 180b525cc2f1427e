package reply

import "strings"

const (
	longestMarker = 200 // octets
	leastDashes   = 2   // around a phrase that is a marker
	nearHeader    = 3   // lines between a marker and the header block below it
)

var markerIndex = indexMarkers()

// announcing is a phrase of markerWords.
type announcing struct {
	kind  announcementKind
	alone bool // needs no dashes around it
}

// aboveIndex has the phrases of help desks by their first word, since more words may follow.
var aboveIndex = indexAbove()

func indexAbove() phrases {
	index := phrases{}
	for _, l := range markerWords {
		for _, phrase := range l.above {
			index.byFirst(phrase)
		}
	}
	return index
}

func indexMarkers() map[string]announcing {
	index := map[string]announcing{}
	for _, l := range markerWords {
		for _, phrase := range l.original {
			index[phrase] = announcing{kind: announcesMail}
		}
		for _, phrase := range l.forward {
			index[phrase] = announcing{kind: announcesForward}
		}
	}
	return index
}

// markerAt looks for a line like "-----Original Message-----". It is an announcement when dashes, a colon or a header block say
// that it is not part of a sentence.
func (d *document) markerAt(i int) (announcement, bool) {
	s := d.lines[i].text
	if len(s) > longestMarker || !mayBeMarker(s) {
		return announcement{}, false
	}
	a, decorated := markerIn(s)
	if a.kind == announcesNothing {
		return announcement{}, false
	}
	found := announcement{from: i, to: i + 1, kind: a.kind, confidence: 0.95}
	if a.alone {
		found.from = d.upTo(i)
	}
	withHeader := d.withHeader(found)
	return withHeader, decorated || a.alone || withHeader.to > found.to
}

// mayBeMarker is a quick look: a marker begins with a dash or the like, or ends with a colon.
func mayBeMarker(s string) bool {
	switch c := s[0] | 0x20; {
	case s[len(s)-1] == ':' || strings.HasSuffix(s, "："):
		return true
	case (c >= 'a' && c <= 'z' || s[0] >= 0x80) && mayBeAbove(s):
		return true
	case s[0] >= 0x80:
		return s[0] == 0xE2 // the dashes of Unicode
	default:
		return (c < 'a' || c > 'z') && (c < '0' || c > '9')
	}
}

// mayBeAbove says whether a phrase of aboveIndex begins with the first word of s.
func mayBeAbove(s string) bool {
	word, _, _ := strings.Cut(s, " ")
	const longestWord = 40
	if len(word) > longestWord {
		return false
	}
	if s[0] >= 0x80 {
		_, ok := aboveIndex[strings.ToLower(word)]
		return ok
	}
	var lower [longestWord]byte
	_, ok := aboveIndex[string(appendLower(lower[:0], word))]
	return ok
}

// markerIn reads the phrase of a line and says whether it is decorated as a program does.
func markerIn(s string) (a announcing, decorated bool) {
	const frame = "-_=*~#<>[]|.+ \t\u00a0‐‑‒–—―─━"
	phrase := strings.Trim(strings.ReplaceAll(s, "&nbsp;", " "), frame) // QQ writes it in plain text
	if phrase == "" {
		return announcing{}, false
	}
	framed := len(s)-len(strings.TrimLeft(s, frame)) >= leastDashes
	bare := trim(strings.TrimRight(phrase, ":："))
	bare = strings.Trim(strings.ToLower(bare), frame)
	if a, ok := markerIndex[bare]; ok {
		return a, framed || len(bare) < len(phrase)
	}
	if aboveIndex.begin(bare) {
		return announcing{kind: announcesEnd, alone: true}, true
	}
	if framed && strings.HasPrefix(bare, "forwarded by ") { // Notes adds name and date
		return announcing{kind: announcesForward}, true
	}
	return announcing{}, false
}
