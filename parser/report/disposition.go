package report

import "strings"

// Disposition says what the reader's program did with a mail (RFC 8098).
type Disposition struct {
	ReportingUA string // the program
	Recipient   string // Final-Recipient
	Original    string // Original-Recipient
	MessageID   string // Original-Message-ID without angle brackets
	Mode        string // of action: "manual-action" or "automatic-action"; of sending: see Sending
	Sending     string // "MDN-sent-manually" or "MDN-sent-automatically", in lower case
	Type        string // "displayed", "deleted", "dispatched", "processed"; what else was sent, in lower case
}

// ParseDisposition reads a message/disposition-notification or message/global-disposition-notification part.
func ParseDisposition(text string) Disposition {
	var d Disposition
	text, _ = clip(text)
	for _, group := range groups(text) {
		for _, f := range group {
			switch f.name {
			case "reporting-ua":
				setOnce(&d.ReportingUA, f.value)
			case "final-recipient":
				setOnce(&d.Recipient, recipientAddress(f.value))
			case "original-recipient":
				setOnce(&d.Original, recipientAddress(f.value))
			case "original-message-id":
				setOnce(&d.MessageID, strings.Trim(f.value, "<> "))
			case "disposition":
				d.disposition(strings.ToLower(f.value))
			}
		}
	}
	return d
}

// disposition reads "action-mode/sending-mode; type/modifier" (RFC 8098 section 3.2.6).
func (d *Disposition) disposition(value string) {
	modes, kind, ok := strings.Cut(value, ";")
	if !ok {
		modes, kind = "", value
	}
	mode, sending, _ := strings.Cut(modes, "/")
	kind, _, _ = strings.Cut(kind, "/")
	setOnce(&d.Mode, strings.TrimSpace(mode))
	setOnce(&d.Sending, strings.TrimSpace(sending))
	setOnce(&d.Type, strings.TrimSpace(kind))
}
