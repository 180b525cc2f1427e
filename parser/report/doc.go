// Package report reads what mail systems send to tell of a mail: delivery status notifications (RFC 3464, RFC 6533), the
// bounces that mail systems write as text, feedback reports (RFC 5965, RFC 6591) and disposition notifications (RFC 8098).
// It knows nothing of MIME: the caller hands over the text of the part concerned, decoded to UTF-8, and says what it needs to of the
// fields around it.
//
// The promise: any text gives a report, if an empty one; what is read is at most [MostOctets] octets and [MostRecipients]
// recipients, and Cut says when that was not all. The work is linear in what is read.
//
// fields.go cuts a machine-readable part into fields; delivery.go, feedback.go and disposition.go give them their meaning;
// status.go finds status and reply codes; notice.go reads a bounce that was written for people: returned.go finds
// where the returned mail begins, transcript.go and line.go go through what stands before it, by the tables of dialect.go and phrase.go, and
// recipient.go decides whom it speaks of; complete.go joins both; verp.go reads the address that a sender hid in the reverse-path.
package report

// MostOctets is how much of one report is read.
const MostOctets = 64 << 10

// MostRecipients is how many recipients of one report are read.
const MostRecipients = 1000

// clip bounds a text to what is read, at the end of a line where there is one.
func clip(text string) (kept string, cut bool) {
	if len(text) <= MostOctets {
		return text, false
	}
	for i := MostOctets; i > MostOctets-1000; i-- {
		if text[i-1] == '\n' {
			return text[:i], true
		}
	}
	return text[:MostOctets], true
}
