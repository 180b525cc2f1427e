package inbound

// Rejection refuses a message for what was found out about it after its last octet. It is an error.
type Rejection struct {
	// Reply is what the peer hears.
	Reply *Reply
	// Reason is the label of the metric and the key of the log line.
	Reason RejectReason
}

// RejectReason is why a message is refused.
type RejectReason string

// The reasons.
const (
	RejectSpam  RejectReason = "spam"
	RejectVirus RejectReason = "virus"
	// RejectApplication and RejectUnanswered are about a message whose endpoint decides: it said no, or nothing usable.
	RejectApplication RejectReason = "application"
	RejectUnanswered  RejectReason = "unanswered"

	// RejectQuota, RejectBacklog and RejectAccountRate are about a recipient whose account has reached a limit of its own.
	RejectQuota       RejectReason = "quota"
	RejectBacklog     RejectReason = "backlog"
	RejectAccountRate RejectReason = "account_rate"

	RejectSuppressed RejectReason = "suppressed" // the account of the recipient does not want it

	RejectUnscanned RejectReason = "unscanned" // a scanner failed, and the operator wants no mail that was not scanned
)

// Error implements [error].
func (r *Rejection) Error() string { return r.Reply.Error() }

// Unwrap gives the reply.
func (r *Rejection) Unwrap() error { return r.Reply }
