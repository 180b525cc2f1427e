package storage

import "time"

// Delivery is a POST that is owed to an endpoint. A row exists only while it is unfinished.
type Delivery struct {
	ID        string // "dlv_" and a ULID
	Message   string
	Endpoint  string
	Part      int // number of the recipient in the envelope, counted from 1, that it is for alone; 0: for all
	DueAt     time.Time
	Attempts  int // made so far
	Spared    int // of Attempts: made at an endpoint that was known to be broken; they do not count in the schedule
	Replay    bool
	CreatedAt time.Time

	Job        string // id of the [Replay] that it was made by; empty: none
	Recipients string // see [Delivery.RecipientNumbers]
	Unfiltered bool   // filters are not asked
}

// RecipientNumbers are the numbers of the recipients in the envelope, counted from 1, that the delivery is for, where that is
// not as the mail was routed; nil: as it was.
func (d *Delivery) RecipientNumbers() []int { return numbersOf(d.Recipients) }

// The states of a finished delivery.
const (
	StateDelivered = "delivered" // the endpoint answered 2xx
	StateFiltered  = "filtered"  // a filter of the endpoint or of the routes let it go to nobody; kept and replayable
	StateMissed    = "missed"    // a shadow endpoint did not take it; that counts nowhere
	StateDead      = "dead"      // the schedule is used up or the maximum age has passed; kept and replayable
)

// The states of a delivery whose message its endpoint decided about and did not take: it was never accepted, and cannot be
// replayed.
const (
	StateWithdrawn = "withdrawn" // its sender was told to come again, and has not done so yet
	StateRefused   = "refused"   // its sender was told so
)

// Attempt is one POST that was made. Attempts are only ever appended.
type Attempt struct {
	Delivery string
	Message  string
	Endpoint string
	N        int // counted from 1
	At       time.Time
	Duration time.Duration
	Outcome  string // a named reason: "delivered", "status", "timeout", "refused", "dns", "tls", "blocked", ...
	Status   int    // HTTP status; 0 when there was no response
	Detail   AttemptDetail
}

// AttemptDetail explains an attempt to people. It holds no secret of the endpoint.
type AttemptDetail struct {
	Error      string            `json:"error,omitempty"`
	RemoteAddr string            `json:"remote_addr,omitempty"` // that the request went to, or that the last connection was tried to
	Reused     bool              `json:"reused,omitempty"`      // the connection was there from an earlier attempt
	TLSVersion string            `json:"tls_version,omitempty"` // for example "TLS 1.3"; empty: no session came about
	TLSCipher  string            `json:"tls_cipher,omitempty"`  // IANA name
	Times      *AttemptTimes     `json:"times,omitempty"`
	Request    *AttemptRequest   `json:"request,omitempty"` // nil: delivered, or no request was made
	Header     map[string]string `json:"header,omitempty"`  // of the response, at most 4 KiB
	Body       string            `json:"body,omitempty"`    // of the response, at most 16 KiB, valid UTF-8
	Truncated  bool              `json:"truncated,omitempty"`
	Filtered   []string          `json:"filtered,omitempty"` // the recipients that filters kept the mail back from, and which
}

// AttemptTimes say where the time of an attempt went, in microseconds; its total is the attempt's Duration. What did not happen,
// or did not end, is 0: all but FirstByte on a connection that was there.
type AttemptTimes struct {
	DNS       int64 `json:"dns_us,omitempty"`
	Connect   int64 `json:"connect_us,omitempty"`
	TLS       int64 `json:"tls_us,omitempty"`
	Wrote     int64 `json:"wrote_us,omitempty"`      // from the beginning of the attempt until the request was out
	FirstByte int64 `json:"first_byte_us,omitempty"` // from the beginning of the attempt to that of the answer
}

// AttemptRequest is the head of a request whose answer was no success. Secrets are masked and signatures cut.
type AttemptRequest struct {
	URL    string            `json:"url"`
	Header map[string]string `json:"header"` // at most 4 KiB
	Size   int64             `json:"size"`   // octets of the body
}

// Completion records one attempt, or that none was made, and what follows from it, all in one transaction.
type Completion struct {
	Attempt Attempt
	// RetryAt reschedules the delivery. Zero: the delivery is finished with State and Reason.
	RetryAt time.Time
	// Unattempted says that no attempt was made: Attempt.N is the number that it would have had. The delivery is finished.
	Unattempted bool
	// Spared says that the attempt does not count in the schedule. It is for one with RetryAt.
	Spared bool
	State  string
	Reason string
	// Summary, when not nil, is set on the message.
	Summary *Summary
	// Epoch is the lease under which the attempt was made. When the lane of the endpoint is not that lease's any more, nothing is
	// recorded. 0: there are no leases.
	Epoch int64
	// Parsed says that the message was parsed or given up on, so its parse count starts again at zero.
	Parsed bool
	// Octets is the size of a message that its endpoint decided about: they are counted when it has accepted it.
	Octets int64
	// Account is whose the attempt counts as, by id, where no endpoint tells: of a replay with a URL of its own.
	Account string
}

// Accepted is a message that was just made durable, handed over in memory.
type Accepted struct {
	Mail       *Mail
	Raw        []byte // nil when the content did not lie in memory
	Deliveries []Delivery
}
