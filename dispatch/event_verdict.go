package dispatch

// Identity says whether an application may trust who sent the mail.
type Identity struct {
	Address        string `json:"address"`         // of the From field
	Domain         string `json:"domain"`          // of that address
	DomainVerified bool   `json:"domain_verified"` // the domain vouches for the address, no more
	Method         string `json:"method"`          // dmarc, dkim, spf, arc or none
	Reason         string `json:"reason"`          // for people
}

// Authentication holds the results of the sender checks, in the words of RFC 8601.
type Authentication struct {
	SPF   SPF    `json:"spf"`
	DKIM  []DKIM `json:"dkim"` // one for each signature
	DMARC DMARC  `json:"dmarc"`
	ARC   ARC    `json:"arc"`
	IPRev IPRev  `json:"iprev"`
}

// SPF is the result of RFC 7208.
type SPF struct {
	Result      string `json:"result"`
	Domain      string `json:"domain"`
	Explanation string `json:"explanation"`
}

// DKIM is the result of one signature (RFC 6376).
type DKIM struct {
	Result   string  `json:"result"`
	Domain   string  `json:"domain"`
	Selector string  `json:"selector"`
	Aligned  bool    `json:"aligned"` // with the domain of From, relaxed (RFC 9989 section 4.4)
	Error    *string `json:"error"`
}

// DMARC is the result of RFC 9989.
type DMARC struct {
	Result      string `json:"result"`
	Domain      string `json:"domain"`
	Policy      string `json:"policy"` // what the domain asks for: none, quarantine or reject; "" without a record
	SPFAligned  bool   `json:"spf_aligned"`
	DKIMAligned bool   `json:"dkim_aligned"`
	// Disposition is what was done about a failure: none, or quarantine where the recipient's domain wants such mail marked.
	Disposition string  `json:"disposition"`
	Reason      *string `json:"reason"` // why the result is none, temperror or permerror; else null
}

// ARC is the result of RFC 8617.
type ARC struct {
	Result    string  `json:"result"`
	Instances int     `json:"instances"`
	Sealer    *string `json:"sealer"` // domain of the newest seal
	Error     *string `json:"error"`  // why the result is fail or temperror; else null
}

// IPRev is the result of the reverse DNS check (RFC 8601 section 3).
type IPRev struct {
	Result string `json:"result"`
	Host   string `json:"host"`
}

// Reputation is what lists say of the client that brought the mail (RFC 5782, and lists of the operator).
type Reputation struct {
	Listed   bool      `json:"listed"`   // a list of clients to block holds it, and none of those to let in
	Allowed  bool      `json:"allowed"`  // a list of clients to let in holds it
	Listings []Listing `json:"listings"` // the lists that hold it
}

// Listing is a list that holds the client.
type Listing struct {
	List string  `json:"list"` // the zone, or the operator's name for a list of his own
	Kind string  `json:"kind"` // block or allow
	Code *string `json:"code"` // what the zone answered, for example "127.0.0.4"; null for a list of the operator's own
}

// Spam is the verdict of a spam scanner.
type Spam struct {
	Engine   string       `json:"engine"`
	Score    float64      `json:"score"`
	Required float64      `json:"required"` // the engine's own limit, for rspamd that of its reject; or the operator's, from which on IsSpam is true
	IsSpam   bool         `json:"is_spam"`
	Action   string       `json:"action"` // in the engine's words
	Symbols  []SpamSymbol `json:"symbols"`
}

// SpamSymbol is one rule that fired.
type SpamSymbol struct {
	Name  string  `json:"name"`
	Score float64 `json:"score"` // 0 where the engine does not tell (SpamAssassin)
}

// Virus is the verdict of a virus scanner.
type Virus struct {
	Engine    string  `json:"engine"`
	Infected  bool    `json:"infected"`
	Signature *string `json:"signature"` // what was found
}

// Unscanned is a scanner that gave no verdict on the mail.
type Unscanned struct {
	Engine string `json:"engine"` // rspamd, spamassassin or clamav
	// Reason is too_large, timeout, busy, unavailable or error. Take an unknown word for error.
	Reason string `json:"reason"`
}
