package report

import (
	"strconv"
	"strings"
)

// Feedback is a feedback report (RFC 5965 section 3, RFC 6591 section 3). What the report does not say is empty or 0; fields
// that may stand more than once keep their order.
type Feedback struct {
	Type                  string // Feedback-Type, lower case: "abuse", "auth-failure", "fraud", "not-spam", "virus", "other", or what was sent
	UserAgent             string
	Version               string
	ArrivalDate           string // Arrival-Date, or Received-Date; as sent
	SourceIP              string // the address alone
	SourcePort            int    // RFC 6692
	ReportingMTA          string
	Incidents             int // how many mails it stands for; 1 when it does not say
	OriginalEnvelopeID    string
	OriginalMailFrom      string   // without angle brackets
	OriginalRcptTo        []string // without angle brackets
	AuthenticationResults []string
	ReportedDomain        []string
	ReportedURI           []string

	// Of a report that authentication failed (RFC 6591).
	AuthFailure             string // lower case: "adsp", "bodyhash", "dmarc", "revoked", "signature", "spf"
	DeliveryResult          string // lower case
	IdentityAlignment       string // RFC 7489 section 7.3.1, lower case
	DKIMADSPDNS             string
	DKIMCanonicalizedBody   string // base64 as sent, without white space
	DKIMCanonicalizedHeader string // base64 as sent, without white space
	DKIMDomain              string
	DKIMIdentity            string
	DKIMSelector            string
	DKIMSelectorDNS         string
	SPFDNS                  string

	Cut bool // there was more than MostOctets or MostRecipients
}

// ParseFeedback reads a message/feedback-report part.
func ParseFeedback(text string) Feedback {
	r := Feedback{Incidents: 1}
	text, r.Cut = clip(text)
	for _, group := range groups(text) {
		for _, f := range group {
			if !r.about(f) {
				r.failure(f)
			}
		}
	}
	return r
}

// about takes the fields of RFC 5965.
func (r *Feedback) about(f field) bool {
	switch f.name {
	case "feedback-type":
		setOnce(&r.Type, word(f.value))
	case "user-agent":
		setOnce(&r.UserAgent, f.value)
	case "version":
		setOnce(&r.Version, f.value)
	case "arrival-date", "received-date":
		setOnce(&r.ArrivalDate, f.value)
	case "source-ip":
		ip, _, _ := strings.Cut(strings.TrimSpace(uncomment(f.value)), " ")
		setOnce(&r.SourceIP, strings.Trim(strings.TrimPrefix(ip, "[IPv6:"), "[]"))
	case "source-port":
		r.SourcePort = number(f.value, r.SourcePort)
	case "reporting-mta":
		_, name := typed(f.value)
		setOnce(&r.ReportingMTA, name)
	case "incidents":
		r.Incidents = number(f.value, r.Incidents)
	case "original-envelope-id":
		setOnce(&r.OriginalEnvelopeID, f.value)
	case "original-mail-from":
		setOnce(&r.OriginalMailFrom, bare(f.value))
	case "original-rcpt-to":
		r.list(&r.OriginalRcptTo, bare(f.value))
	case "authentication-results":
		r.list(&r.AuthenticationResults, f.value)
	case "reported-domain":
		r.list(&r.ReportedDomain, f.value)
	case "reported-uri":
		r.list(&r.ReportedURI, f.value)
	default:
		return false
	}
	return true
}

// failure takes the fields of RFC 6591.
func (r *Feedback) failure(f field) {
	switch f.name {
	case "auth-failure":
		setOnce(&r.AuthFailure, word(f.value))
	case "delivery-result":
		setOnce(&r.DeliveryResult, word(f.value))
	case "identity-alignment":
		setOnce(&r.IdentityAlignment, word(f.value))
	case "dkim-adsp-dns":
		setOnce(&r.DKIMADSPDNS, f.value)
	case "dkim-canonicalized-body":
		setOnce(&r.DKIMCanonicalizedBody, strings.Join(strings.Fields(f.value), ""))
	case "dkim-canonicalized-header":
		setOnce(&r.DKIMCanonicalizedHeader, strings.Join(strings.Fields(f.value), ""))
	case "dkim-domain":
		setOnce(&r.DKIMDomain, f.value)
	case "dkim-identity":
		setOnce(&r.DKIMIdentity, f.value)
	case "dkim-selector":
		setOnce(&r.DKIMSelector, f.value)
	case "dkim-selector-dns":
		setOnce(&r.DKIMSelectorDNS, f.value)
	case "spf-dns":
		setOnce(&r.SPFDNS, f.value)
	}
}

func (r *Feedback) list(to *[]string, value string) {
	switch {
	case value == "":
	case len(*to) == MostRecipients:
		r.Cut = true
	default:
		*to = append(*to, value)
	}
}

// word is a keyword without comment, in lower case.
func word(value string) string {
	w, _, _ := strings.Cut(strings.TrimSpace(uncomment(value)), " ")
	return strings.ToLower(strings.TrimRight(w, ";"))
}

// bare is an address without angle brackets.
func bare(value string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(value), "<"), ">")
}

// number is a count that is not negative; another word leaves the value as it was.
func number(value string, was int) int {
	n, err := strconv.ParseUint(strings.TrimSpace(uncomment(value)), 10, 31)
	if err != nil {
		return was
	}
	return int(n)
}
