package reply

import (
	"unicode"
	"unicode/utf8"
)

// certain is the confidence where nothing speaks against what was decided; no rule is certain.
const certain = 0.95

// judge gives every line its role.
func (d *document) judge() {
	d.confidence = certain
	end := d.announcements()
	end = d.peel(end)
	d.answered(end)
	d.doubtEnd(end)
	d.spread()
	d.keepSomething()
}

// announcements walks down to the place from which on nothing is the author's, and marks what is there. It returns the
// line; attributions of quotes on the way are marked too.
func (d *document) announcements() (end int) {
	firstOwn := len(d.lines)
	for i := 0; i < len(d.lines); i++ {
		l := &d.lines[i]
		if !l.plain() {
			if l.quoted && firstOwn >= i && d.quotedForward(i) {
				d.forwardOnly = true
			}
			continue
		}
		if l.hint == signature {
			l.is = signature
			continue
		}
		if d.isWrappedQuote(i) {
			l.quoted = true
			continue
		}
		a, ok := d.announcementAt(i)
		if !ok {
			firstOwn = min(firstOwn, i)
			continue
		}
		above := firstOwn < a.from
		if a.kind != announcesForward && d.quoteFollows(a.to) { // its quote is marked, so the author may answer below it
			d.mark(a.from, a.to, attribution)
			d.doubt(a.confidence)
			i = a.to - 1
			continue
		}
		if above {
			return d.cut(a)
		}
		if firstOwn >= a.from {
			firstOwn = len(d.lines)
		}
		if d.atTop(a) {
			return 0
		}
		i = a.to - 1
	}
	return len(d.lines)
}

// announcementAt looks for an announcement that begins at line i, or for an attribution that ends there.
func (d *document) announcementAt(i int) (announcement, bool) {
	if a, ok := d.attributionEnding(i); ok {
		return d.withHeader(a), true
	}
	if a, ok := d.markerAt(i); ok {
		return a, true
	}
	if d.lines[i].hint == attribution {
		to := i + 1
		for to < len(d.lines) && d.lines[to].hint == attribution {
			to++
		}
		return announcement{from: i, to: to, kind: announcesReply, confidence: certain}, true
	}
	if notesLine(d.lines[i].text) {
		return d.withHeader(announcement{from: i, to: i + 1, kind: announcesMail, confidence: 0.9}), true
	}
	if a, ok := d.notesColumns(i); ok {
		return a, true
	}
	if to, ok := d.headerBlock(i); ok {
		return announcement{from: d.upTo(i), to: to, kind: announcesMail, confidence: certain}, true
	}
	return announcement{}, false
}

// withHeader takes the header block below an announcement to it.
func (d *document) withHeader(a announcement) announcement {
	for at := a.to; at < len(d.lines) && at < a.to+nearHeader; at++ {
		if !d.lines[at].plain() {
			continue
		}
		if to, ok := d.headerBlock(at); ok {
			a.to = to
			break
		}
	}
	return a
}

// upTo takes to a header block or a quote what is drawn above it.
func (d *document) upTo(i int) int {
	for at := i - 1; at >= 0 && at >= i-nearHeader; at-- {
		l := &d.lines[at]
		if l.quoted || l.is != own {
			break
		}
		if l.text != "" && (isRule(l.text) || isFramed(l.text)) {
			i = at
		}
	}
	return i
}

func (d *document) mark(from, to int, is role) {
	for i := from; i < to; i++ {
		d.lines[i].is = is
	}
}

// cut marks all from an announcement on.
func (d *document) cut(a announcement) (end int) {
	if a.kind == announcesForward {
		d.mark(a.from, len(d.lines), forwarded)
	} else {
		d.mark(a.from, a.to, attribution)
		d.mark(a.to, len(d.lines), quote)
		d.answersWithin(a)
	}
	d.doubt(a.confidence)
	return a.from
}

// atTop judges an announcement above which the author wrote nothing. A mail under a header block is forwarded; below any other
// line is what the author wrote.
func (d *document) atTop(a announcement) (forward bool) {
	const unsure, quiteSure = 0.5, 0.8
	switch a.kind {
	case announcesForward, announcesMail:
		d.mark(a.from, len(d.lines), forwarded)
		d.forwardOnly = true
		d.doubt(quiteSure)
		return true
	default:
		d.mark(a.from, a.to, attribution)
		d.doubt(unsure)
		return false
	}
}

// quotedForward tells the first lines of a forwarded mail that is quoted, as Apple Mail forwards.
func (d *document) quotedForward(i int) bool {
	if d.lines[i].text == "" || i > 0 && d.lines[i-1].quoted {
		return false
	}
	a, _ := markerIn(d.lines[i].text)
	return a.kind == announcesForward
}

// isWrappedQuote tells a line that a mail program broke off a quoted one: the line above is long, and this one goes on in lower
// case. An answer would follow a question, or the end of a sentence where the quote does not go on below.
func (d *document) isWrappedQuote(i int) bool {
	const long = 60
	if i == 0 || !d.lines[i-1].quoted || len(d.lines[i-1].text) < long {
		return false
	}
	end, _ := utf8.DecodeLastRuneInString(d.lines[i-1].text)
	first, _ := utf8.DecodeRuneInString(d.lines[i].text)
	sandwiched := i+1 < len(d.lines) && d.lines[i+1].quoted && end != '?'
	return unicode.IsLower(first) && (unicode.IsLetter(end) || unicode.IsDigit(end) || end == ',' || sandwiched)
}

// peel takes off, from line end upward, what stands below the author's last word, and returns the line behind that word.
func (d *document) peel(end int) int {
	const unannounced, mobile, legal = 0.7, 0.9, 0.85
	for end > 0 {
		l := &d.lines[end-1]
		switch {
		case l.blank():
			end--
		case l.quoted:
			start := d.quoteStart(end)
			is := quote
			if d.quotedForward(start) {
				is = forwarded
			}
			d.mark(start, end, is)
			if rule := d.upTo(start); rule < start { // drawn above a quote
				d.mark(rule, start, attribution)
				end = rule
				continue
			}
			if is == quote && !d.attributed(start) {
				d.doubt(unannounced)
			}
			end = start
		case l.is != own:
			end--
		case isSentFrom(l.text):
			l.is = signature
			d.doubt(mobile)
			end--
		default:
			if start, ok := d.disclaimerStart(end); ok {
				d.mark(start, end, disclaimer)
				d.doubt(legal)
				end = start
				continue
			}
			start, confidence := d.signatureStart(end)
			if start < 0 {
				return end
			}
			d.mark(start, end, signature)
			d.doubt(confidence)
			end = start
		}
	}
	return end
}

// quoteStart is the first line of the quote that ends before line end.
func (d *document) quoteStart(end int) int {
	start := end
	for i := end - 1; i >= 0 && (d.lines[i].quoted || d.lines[i].blank()); i-- {
		if d.lines[i].quoted {
			start = i
		}
	}
	return start
}

// attributed says whether there is an attribution above the quote that begins at line start, or in its first lines, where Apple
// Mail has it.
func (d *document) attributed(start int) bool {
	for i := start - 1; i >= 0; i-- {
		if !d.lines[i].blank() {
			if d.lines[i].is == attribution {
				return true
			}
			break
		}
	}
	joined := ""
	for i := start; i < len(d.lines) && i < start+mostWrapped && d.lines[i].quoted && len(joined) < longestWrapped; i++ {
		joined += " " + d.lines[i].text[:min(len(d.lines[i].text), longestWrapped)]
		if attributionRules[0].holds(weigh(joined), false) {
			return true
		}
	}
	return false
}

// answered judges the quotes above the author's last word. They stay, since his answers need them, unless the whole mail is an
// attribution, one quote, and the answer below it.
func (d *document) answered(end int) {
	const inline, below = 0.75, 0.85
	runs, first, last := 0, -1, -1
	ownAbove := false
	for i := range end {
		l := &d.lines[i]
		switch {
		case l.quoted && (i == 0 || last < i-1 || last < 0):
			if first < 0 {
				first = i
			}
			if runs == 0 || !d.onlyBlank(last+1, i) {
				runs++
			}
			last = i
		case l.quoted:
			last = i
		case l.plain() && l.is == own && runs == 0:
			ownAbove = true
		}
	}
	switch {
	case runs == 0:
	case runs == 1 && !ownAbove && d.attributed(first):
		d.mark(first, last+1, quote)
		d.doubt(below)
	default:
		d.doubt(inline)
	}
}

func (d *document) onlyBlank(from, to int) bool {
	for i := from; i < to; i++ {
		if !d.lines[i].blank() {
			return false
		}
	}
	return true
}

// spread gives empty lines the role of the line above them.
func (d *document) spread() {
	is := own
	for i := range d.lines {
		if d.lines[i].blank() {
			d.lines[i].is = is
		}
		is = d.lines[i].is
	}
}

// keepSomething makes sure that the reply is not empty where the author wrote something: a signature and a disclaimer with
// nothing above them are what he wrote.
func (d *document) keepSomething() {
	const unsure = 0.5
	others := false
	for i := range d.lines {
		l := &d.lines[i]
		if l.is == own && l.text != "" {
			d.forwardOnly = false
			return
		}
		if l.is == forwarded {
			d.forwardOnly = true
		}
		others = others || l.is == quote || l.is == attribution || l.is == forwarded || l.is == signature && isSentFrom(l.text)
	}
	if d.forwardOnly || d.onlyBlank(0, len(d.lines)) {
		return
	}
	d.doubt(unsure)
	if others {
		return
	}
	for i := range d.lines {
		d.lines[i].is = own
	}
}
