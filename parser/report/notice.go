package report

import "strings"

// Notice is a bounce or a warning that was written for people.
type Notice struct {
	Text     string   // of the notice, with LF line ends
	Subject  string   // of the notice
	Failed   []string // X-Failed-Recipients
	To       []string // who got the notice: the sender of the mail, and hardly ever its recipient
	Original []string // recipients of the mail concerned, where it came back as a part of its own
}

// Reading is what was made of a notice.
type Reading struct {
	Delivery
	Failure bool // it says in words or by a code that a mail was not delivered
	Delay   bool // it says that the mail is still tried
	Told    bool // the text itself names the recipients
	Code    bool // it has a reply or status code
	Copy    bool // the header of the mail concerned stands in the text
	Formal  bool // it names a recipient in a form that mail systems have for it
}

// longestDiagnostic is how much of a text is kept as the diagnostic of one recipient.
const longestDiagnostic = 1 << 10

// Read reads a notice. Its recipients are, in this order of trust: those of X-Failed-Recipients, those of fields as in a
// delivery-status part, those that the text names in a form or behind words that mail systems use for them, those of an SMTP
// transcript, any other address of the text, those of the mail that came back.
func Read(n Notice) Reading {
	var r Reading
	text, cut := clip(unquoted(n.Text))
	said, original := split(text)
	r.Original, r.Cut = headerOf(original), cut
	if r.Copy = r.Original != ""; !r.Copy {
		r.Original = mentioned(said)
	}
	words := folded(n.Subject + "\n" + said)
	r.Delay = holds(words, delays) && !holds(words, ends)
	code := look(said)
	r.Code = code.reply != "" || code.enhanced != "" && code.enhanced[0] != '2'
	r.Failure = r.Code || holds(words, failures)
	r.ReportingMTA = reporter(said)
	if at := strings.Index(strings.ToLower(said), "final-recipient:"); at >= 0 {
		d := ParseDelivery(outdentFields(said))
		if len(d.Recipients) > 0 && d.Recipients[0].Address != "" {
			d.Original = r.Original
			r.Delivery, r.Failure, r.Formal, r.Told = d, true, true, true
			return r
		}
	}
	t := listen(said)
	r.Formal = len(t.by[named]) > 0
	r.Recipients, r.Cut = t.chosen(n, original, r.Delay), r.Cut || t.cut
	r.Told = len(n.Failed) > 0 || t.heard()
	if at := strings.Index(strings.ToLower(original), "final-recipient:"); at >= 0 && !r.Told {
		// A bounce came back, or was passed on: what it tells of is what this one is about.
		if d := ParseDelivery(original); len(d.Recipients) > 0 {
			d.Original = r.Original
			r.Delivery, r.Told, r.Formal = d, true, true
		}
	}
	return r
}

// unquoted leaves out what a person quoted. The lines of a transcript begin with three of the same marks.
func unquoted(text string) string {
	if !strings.Contains(text, "\n>") {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, ">") || strings.HasPrefix(line, ">>>") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// outdentFields removes all indents but those of folded fields.
func outdentFields(said string) string {
	for line := range strings.Lines(said) {
		if strings.Contains(strings.ToLower(line), "final-recipient:") {
			if indent := indentOf(line); indent > 0 {
				return outdent(line[:indent] + "\n" + said)
			}
			break
		}
	}
	return said
}
