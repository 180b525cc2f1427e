package dispatch

// Bounce is a delivery status notification (RFC 3464), taken apart.
type Bounce struct {
	ReportingMTA string            `json:"reporting_mta"`
	Recipients   []BounceRecipient `json:"recipients"`
	Original     ReportedMail      `json:"original"`
	VERP         *VERP             `json:"verp"` // null when the forward-path held no encoded address
}

// BounceRecipient is the fate of one recipient (RFC 3464 section 2.3).
type BounceRecipient struct {
	Address    string  `json:"address"`  // Final-Recipient
	Original   *string `json:"original"` // Original-Recipient
	Action     string  `json:"action"`   // failed, delayed, delivered, relayed or expanded
	Status     string  `json:"status"`   // RFC 3463, for example "5.1.1"
	Diagnostic *string `json:"diagnostic"`
	RemoteMTA  *string `json:"remote_mta"`
}

// VERP is the address that was encoded in the forward-path of a bounce.
type VERP struct {
	Address string `json:"address"`
}

// ReportedMail is what a report says of the mail that it is about; what it does not say is null.
type ReportedMail struct {
	MessageID *string `json:"message_id"`
	From      *string `json:"from"`
	To        *string `json:"to"`
	Subject   *string `json:"subject"`
}

// Complaint is an abuse report (RFC 5965).
type Complaint struct {
	FeedbackType   string       `json:"feedback_type"`
	UserAgent      *string      `json:"user_agent"`
	SourceIP       *string      `json:"source_ip"`
	OriginalRcptTo []string     `json:"original_rcpt_to"`
	Original       ReportedMail `json:"original"`
}
