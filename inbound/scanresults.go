package inbound

// ScanResults says what the scanners made of a message. It is stored with the envelope. Every string is printable ASCII
// of bounded length.
type ScanResults struct {
	Spam  *SpamResult  `json:"spam"`  // nil: no spam scanner gave a verdict
	Virus *VirusResult `json:"virus"` // nil: no virus scanner gave a verdict
	// Unscanned names the scanners that are configured and gave no verdict, and why; nil when all did.
	Unscanned []Unscanned `json:"unscanned,omitempty"`
}

// SpamResult is the verdict of a spam scanner.
type SpamResult struct {
	Engine   string       `json:"engine"` // rspamd or spamassassin
	Score    float64      `json:"score"`
	Required float64      `json:"required"`
	IsSpam   bool         `json:"is_spam"`
	Action   string       `json:"action"`  // in the engine's words
	Symbols  []SpamSymbol `json:"symbols"` // the weightiest first, at most 100
}

// SpamSymbol is a rule that fired.
type SpamSymbol struct {
	Name  string  `json:"name"`
	Score float64 `json:"score"` // 0 where the engine does not tell
}

// VirusResult is the verdict of a virus scanner.
type VirusResult struct {
	Engine    string `json:"engine"` // clamav
	Infected  bool   `json:"infected"`
	Signature string `json:"signature"` // what was found; empty when nothing was
}

// Unscanned is a scanner that gave no verdict.
type Unscanned struct {
	Engine string          `json:"engine"`
	Reason UnscannedReason `json:"reason"`
}

// UnscannedReason is why a scanner gave no verdict.
type UnscannedReason string

// The reasons.
const (
	UnscannedTooLarge    UnscannedReason = "too_large"   // the message is larger than is given to the scanner
	UnscannedTimeout     UnscannedReason = "timeout"     // no answer within the deadline
	UnscannedBusy        UnscannedReason = "busy"        // all of its turns were taken until the deadline
	UnscannedUnavailable UnscannedReason = "unavailable" // no connection, a broken one, or it failed so often that it was not asked
	UnscannedError       UnscannedReason = "error"       // the answer was no verdict
)
