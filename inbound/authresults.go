package inbound

// A Result is the outcome of one method of authentication, in the words of RFC 8601 section 2.7.
type Result string

// The results. Which of them a method can have is said there.
const (
	ResultNone      Result = "none"      // there was nothing to check
	ResultPass      Result = "pass"      // the domain vouches
	ResultFail      Result = "fail"      // the domain was checked and does not vouch
	ResultSoftFail  Result = "softfail"  // SPF: probably not authorised
	ResultNeutral   Result = "neutral"   // the domain says nothing, or the check does not count
	ResultPolicy    Result = "policy"    // DKIM: it verifies, but is of a kind that we do not accept
	ResultTempError Result = "temperror" // DNS gave no answer in time; another attempt may succeed
	ResultPermError Result = "permerror" // what the domain published, or the message, cannot be used
)

// AuthResults says what the checks of the sender found out about a message. It is stored with the envelope. Every
// string is ASCII without control characters, save the local-part of an identity, which is valid UTF-8.
type AuthResults struct {
	SPF      SPFResult    `json:"spf"`
	DKIM     []DKIMResult `json:"dkim"` // one for each signature that was looked at, in the order of the header
	DMARC    DMARCResult  `json:"dmarc"`
	ARC      ARCResult    `json:"arc"`
	IPRev    IPRevResult  `json:"iprev"`
	Identity Identity     `json:"identity"`
}

// SPFResult is the result of RFC 7208: none, neutral, pass, fail, softfail, temperror or permerror.
type SPFResult struct {
	Result Result `json:"result"`
	// Domain is the one asked: of the reverse-path, or the HELO argument where that is null (section 2.4).
	Domain string `json:"domain"`
	// Explanation says why, for people. It is ours: the text that a domain may publish by exp= is not fetched.
	Explanation string `json:"explanation"`
}

// DKIMResult is the result of one signature (RFC 6376): pass, fail, policy, temperror or permerror.
type DKIMResult struct {
	Result   Result `json:"result"`
	Domain   string `json:"domain"`   // d=, in lower-case A-labels; empty when unreadable
	Selector string `json:"selector"` // s=, likewise
	Aligned  bool   `json:"aligned"`  // Domain is in relaxed alignment with the author domain
	Error    string `json:"error"`    // why it does not pass; empty when it does
}

// DMARCResult is the result of RFC 9989: none (no policy record), pass, fail, temperror or permerror.
type DMARCResult struct {
	Result Result `json:"result"`
	// Domain is the author domain, that of the From field; empty when there is not exactly one.
	Domain string `json:"domain"`
	// Policy is what the domain owner asks for when the result is fail: none, quarantine or reject. Test mode is
	// reckoned with: reject is then quarantine, and quarantine is none. Empty when there is no policy record.
	Policy      string `json:"policy"`
	SPFAligned  bool   `json:"spf_aligned"`  // SPF passed and its domain is aligned
	DKIMAligned bool   `json:"dkim_aligned"` // a signature passed and its domain is aligned
	Reason      string `json:"reason"`       // why the result is none, temperror or permerror; else empty
}

// ARCResult is the result of the chain of RFC 8617: none, pass, fail or temperror.
type ARCResult struct {
	Result    Result `json:"result"`
	Instances int    `json:"instances"` // of the chain; 0 when there is none or it is not whole
	Sealer    string `json:"sealer"`    // d= of the newest seal
	Error     string `json:"error"`     // why the result is fail or temperror
}

// IPRevResult is the result of RFC 8601 section 3: pass, fail, temperror or permerror (no PTR record).
type IPRevResult struct {
	Result Result `json:"result"`
	Host   string `json:"host"` // the PTR name that resolves back to the client; empty without pass
}

// Identity says whether the From field can be believed, and why. The domain vouches for the address, no more: it is
// the domain's business who may use which local-part.
type Identity struct {
	Address  string         `json:"address"` // of the From field; empty when there is not exactly one
	Domain   string         `json:"domain"`  // of that address, in lower-case A-labels
	Verified bool           `json:"verified"`
	Method   IdentityMethod `json:"method"`
	Reason   string         `json:"reason"` // for people
}

// IdentityMethod is what an [Identity] is verified by.
type IdentityMethod string

// The methods, the strongest first.
const (
	IdentityDMARC IdentityMethod = "dmarc" // DMARC passed
	IdentityDKIM  IdentityMethod = "dkim"  // the domain publishes no DMARC record, but an aligned signature passed
	IdentitySPF   IdentityMethod = "spf"   // likewise, but SPF
	IdentityARC   IdentityMethod = "arc"   // a trusted sealer saw DMARC pass before it forwarded the message
	IdentityNone  IdentityMethod = "none"
)
