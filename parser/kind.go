package parser

import (
	"io"
	"slices"
	"strings"
)

// The words of Message.Kind. Receivers treat a word they do not know as KindAutomated.
const (
	KindHuman          = "human"
	KindAutoReply      = "auto_reply"
	KindBounce         = "bounce"          // delivery failed for at least one recipient (RFC 3464)
	KindDeliveryReport = "delivery_report" // a delay or a success (RFC 3464)
	KindComplaint      = "complaint"       // RFC 5965
	KindReadReceipt    = "read_receipt"    // RFC 8098
	KindList           = "list"
	KindAutomated      = "automated"
)

// mostReport is how much of a machine-readable report is read.
const mostReport = 64 << 10

// kindOf judges by structure and fields alone, and never by the words of a text. The null reverse-path, which only the
// envelope shows, is for the caller to add.
func kindOf(m *Message) (kind string, reasons []string) {
	if kind, reasons := reportKind(m); kind != "" {
		return kind, reasons
	}
	if word := firstWord(m.Headers, "Auto-Submitted"); word != "" && word != "no" {
		reason := []string{"auto-submitted:" + word}
		if word == "auto-replied" {
			return KindAutoReply, reason // RFC 3834 section 5
		}
		return KindAutomated, reason
	}
	for _, name := range []string{"List-Id", "List-Unsubscribe"} { // RFC 2919, RFC 2369
		if _, ok := first(m.Headers, name); ok {
			reasons = append(reasons, strings.ToLower(name))
		}
	}
	if reasons != nil {
		return KindList, reasons
	}
	switch word := firstWord(m.Headers, "Precedence"); word {
	case "list":
		return KindList, []string{"precedence:list"}
	case "bulk", "junk":
		return KindAutomated, []string{"precedence:" + word}
	case "auto_reply":
		return KindAutoReply, []string{"precedence:auto_reply"}
	}
	return KindHuman, nil
}

// reportKind looks at a multipart/report (RFC 6522) or at the report part itself where that wrapping was lost.
func reportKind(m *Message) (kind string, reasons []string) {
	report := ""
	if m.Root.ContentType == "multipart/report" {
		report = strings.ToLower(m.Root.Params["report-type"])
	}
	for _, part := range append([]*Part{m.Root}, m.Root.Parts...) {
		subtype, ok := strings.CutPrefix(part.ContentType, "message/")
		if !ok {
			continue
		}
		switch subtype {
		case "global-delivery-status":
			subtype = "delivery-status" // RFC 6533
		case "global-disposition-notification":
			subtype = "disposition-notification"
		}
		switch subtype {
		case "delivery-status":
			actions := reportActions(part)
			reasons = append([]string{"part:" + subtype}, actions...)
			return deliveryKind(actions), reasons
		case "disposition-notification":
			return KindReadReceipt, []string{"part:" + subtype}
		case "feedback-report":
			return KindComplaint, []string{"part:" + subtype}
		}
	}
	reasons = []string{"report-type:" + report}
	switch report {
	case "delivery-status":
		return KindBounce, reasons
	case "disposition-notification":
		return KindReadReceipt, reasons
	case "feedback-report":
		return KindComplaint, reasons
	}
	return "", nil
}

// reportActions lists the distinct actions of a delivery-status part (RFC 3464 section 2.3.3), as reasons.
func reportActions(part *Part) []string {
	b, err := io.ReadAll(io.LimitReader(part.Open(), mostReport))
	if err != nil {
		return nil
	}
	var actions []string
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "Action") {
			continue
		}
		action := strings.ToLower(cleanText(strings.TrimSpace(stripComments(value))))
		switch action {
		case "failed", "delayed", "delivered", "relayed", "expanded":
		default:
			continue
		}
		reason := "action:" + action
		if !slices.Contains(actions, reason) {
			actions = append(actions, reason)
		}
	}
	return actions
}

// deliveryKind calls a report without any action a bounce: what leaves it out reports failures.
func deliveryKind(actions []string) string {
	if len(actions) == 0 || slices.Contains(actions, "action:failed") {
		return KindBounce
	}
	return KindDeliveryReport
}

// firstWord is the keyword that a field begins with, in lower case.
func firstWord(headers []Header, name string) string {
	words := strings.FieldsFunc(stripComments(value(headers, name)), func(r rune) bool {
		return r == ' ' || r == '\t' || r == ';' || r == ','
	})
	if len(words) == 0 {
		return ""
	}
	return strings.ToLower(words[0])
}
