package reply

import "strings"

const (
	mostWrapped    = 4   // lines that an attribution is wrapped over
	longestWrapped = 600 // octets of an attribution
	mostNameWords  = 6   // in "Bob Smith wrote:"
	mostISOWords   = 12  // in "2006-05-01 10:00 GMT+02:00 Bob Smith"
	beforeQuote    = 2   // empty lines between an attribution and its quote

	maybeAttribution = 0.6 // confidence where a line may be one
)

// announcement is something that says that other people's words follow.
type announcement struct {
	from, to   int // lines
	kind       announcementKind
	confidence float64
}

type announcementKind uint8

const (
	announcesNothing announcementKind = iota
	announcesReply                    // an attribution: the answered mail, or one passage of it
	announcesMail                     // a header block or "Original Message": the answered mail
	announcesForward                  // a forwarded mail
	announcesEnd                      // "reply above this line"
)

// attributionIndex is attributionWords, ready to be asked.
var attributionIndex = indexAttributions()

type attributionIndexed struct {
	opens, says           phrases
	opensGlued, saysGlued []string // in scripts without spaces
}

func indexAttributions() attributionIndexed {
	x := attributionIndexed{opens: phrases{}, says: phrases{}}
	for _, l := range attributionWords {
		for _, phrase := range l.opens {
			if x.opens.byFirst(phrase); unspaced(phrase) {
				x.opensGlued = append(x.opensGlued, phrase)
			}
		}
		for _, phrase := range l.says {
			if x.says.byLast(phrase); unspaced(phrase) {
				x.saysGlued = append(x.saysGlued, phrase)
			}
		}
	}
	return x
}

// attributionEnding looks for an attribution whose last line is line i.
func (d *document) attributionEnding(i int) (announcement, bool) {
	last := d.lines[i].text
	if len(last) > longestWrapped {
		return announcement{}, false
	}
	if !mayEndAttribution(last) {
		return d.attributionWithin(i)
	}
	quoteFollows := d.quoteFollows(i + 1)
	var spans [mostWrapped]evidence
	n := 0
	joined := ""
	for from := i; n < mostWrapped && from >= 0 && d.lines[from].plain() && (from == i || d.lines[from].is == own); from-- {
		if joined = d.lines[from].text + " " + joined; len(joined) > longestWrapped {
			break
		}
		if quoteFollows || hasFigures(joined) || strings.HasPrefix(joined, "--") {
			spans[n] = weigh(joined)
			spans[n].alone = d.endsParagraph(i) && (from == 0 || d.endsParagraph(from-1))
		}
		n++
	}
	for _, rule := range attributionRules {
		for k := range n {
			if rule.holds(spans[k], quoteFollows) {
				return announcement{from: i - k, to: i + 1, kind: announcesReply, confidence: rule.confidence}, true
			}
		}
	}
	for k := range n { // it stays, since people write such lines too
		if e := spans[k]; e.colon && e.says && e.date && e.clock && e.alone {
			d.doubt(maybeAttribution)
		}
	}
	return announcement{}, false
}

// attributionWithin tells a line that begins with an attribution and goes on with the first line of the quote, several spaces
// behind the colon, as Yahoo for Android writes it.
func (d *document) attributionWithin(i int) (announcement, bool) {
	head, _, ok := strings.Cut(d.lines[i].text, ":  ")
	if !ok || !hasFigures(head) {
		return announcement{}, false
	}
	if e := weigh(head + ":"); attributionRules[0].holds(e, false) && e.bracket {
		return announcement{from: i, to: i + 1, kind: announcesReply, confidence: 0.9}, true
	}
	return announcement{}, false
}

// hasFigures says whether there can be a date or an address in s; no rule holds without, unless a quote follows.
func hasFigures(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= '0' && c <= '9' || c == '@' {
			return true
		}
	}
	return false
}

// mayEndAttribution is a quick look at the last octets of a line; nearly every line fails it.
func mayEndAttribution(s string) bool {
	switch s[len(s)-1] {
	case ':', '-':
		return true
	case '>':
		return startsISO(s)
	}
	if strings.HasSuffix(s, "：") {
		return true
	}
	if startsISO(s) && (strings.Contains(s, "GMT+") || strings.Contains(s, "GMT-")) {
		return true
	}
	word := s[strings.LastIndexByte(s, ' ')+1:]
	_, ok := attributionIndex.says[word]
	return ok
}

// endsParagraph says whether line i is empty, or the last before an empty line or a quote.
func (d *document) endsParagraph(i int) bool {
	return !d.lines[i].plain() || i+1 == len(d.lines) || !d.lines[i+1].plain()
}

// quoteFollows says whether the next line that is not empty is a quote.
func (d *document) quoteFollows(i int) bool {
	for n := 0; i < len(d.lines) && n <= beforeQuote; i, n = i+1, n+1 {
		if !d.lines[i].blank() {
			return d.lines[i].quoted
		}
	}
	return false
}

// attributionRules are tried one after the other, each on the last line, the last two and so on.
var attributionRules = []struct {
	confidence float64
	holds      func(e evidence, quoteFollows bool) bool
}{
	{0.95, func(e evidence, _ bool) bool { // On Monday, 1 May 2006, Bob <bob@example.com> wrote:
		return e.opens && e.date && (e.colon && (e.says || e.bracket) || e.saysEnd)
	}},
	{0.9, func(e evidence, _ bool) bool { // 2006-05-01 10:00 GMT+02:00 Bob <bob@example.com>
		return e.iso && (e.bracket || e.zone) && !e.colon && e.alone && e.words <= mostISOWords
	}},
	{0.9, func(e evidence, quoteFollows bool) bool { // Bob <bob@example.com> wrote:
		return e.saysEnd && e.address && (e.bracket || quoteFollows)
	}},
	{0.9, func(e evidence, _ bool) bool { // At 10:00, Bob wrote:
		return e.opens && e.clock && (e.colon && e.says || e.saysEnd)
	}},
	{0.9, func(e evidence, _ bool) bool { // -----Bob/ACME wrote: -----
		return e.saysEnd && e.dashed
	}},
	{0.9, func(e evidence, _ bool) bool { // a language that attributionWords has not
		return e.colon && e.bracket && e.date && e.clock
	}},
	{0.85, func(e evidence, quoteFollows bool) bool {
		return quoteFollows && e.colon && e.address && (e.date || e.clock || e.opens && e.bracket)
	}},
	{0.85, func(e evidence, quoteFollows bool) bool { // Bob wrote:
		return quoteFollows && e.saysEnd && (e.words <= mostNameWords || e.opens)
	}},
	{0.85, func(e evidence, quoteFollows bool) bool { // Bob schreef op 2006-05-01 10:00:
		return quoteFollows && e.colon && e.says && e.date && e.clock && e.words <= mostISOWords
	}},
	{0.8, func(e evidence, quoteFollows bool) bool { // On Monday skrev Bob:
		return quoteFollows && e.colon && e.says && e.opens
	}},
}
