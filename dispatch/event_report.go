package dispatch

// Bounce is a delivery status notification (RFC 3464), or a bounce in a mail system's own words, taken apart. docs/kinds.md says
// where each value comes from.
type Bounce struct {
	ReportingMTA string            `json:"reporting_mta"` // the mail system that tells; "" when it does not say
	Recipients   []BounceRecipient `json:"recipients"`    // at most 1,000
	Original     ReportedMail      `json:"original"`
	VERP         *VERP             `json:"verp"` // null when no forward-path held an encoded address
}

// BounceRecipient is the fate of one recipient (RFC 3464 section 2.3).
type BounceRecipient struct {
	Address    string  `json:"address"`    // Final-Recipient
	Original   *string `json:"original"`   // Original-Recipient
	Action     string  `json:"action"`     // failed, delayed, delivered, relayed or expanded
	Status     string  `json:"status"`     // RFC 3463, for example "5.1.1"; of the form X.0.0 where only the class is known
	Diagnostic *string `json:"diagnostic"` // what was said, on one line
	RemoteMTA  *string `json:"remote_mta"` // who said it
}

// VERP is the address that was encoded in the forward-path of a bounce.
type VERP struct {
	Address string `json:"address"`
}

// ReportedMail is what a report says of the mail that it is about; what it does not say is null.
type ReportedMail struct {
	MessageID *string `json:"message_id"` // without angle brackets
	From      *string `json:"from"`       // an address; several are separated by ", "
	To        *string `json:"to"`         // as From
	Subject   *string `json:"subject"`    // decoded
}

// Complaint is an abuse report (RFC 5965).
type Complaint struct {
	FeedbackType   string       `json:"feedback_type"`    // lower case: abuse, fraud, virus, not-spam, auth-failure, other; "" when the report does not say
	UserAgent      *string      `json:"user_agent"`       // who reports
	SourceIP       *string      `json:"source_ip"`        // that the mail concerned came from
	OriginalRcptTo []string     `json:"original_rcpt_to"` // forward-paths of the mail concerned, without angle brackets
	Original       ReportedMail `json:"original"`
}
