// Package signature explains why a request does not verify by Standard Webhooks: it tries the usual mistakes, of whoever signs, of
// whoever verifies and of what lies between them, and names the one that leads to the signature. It is for people who look for
// a fault; who only wants to verify uses a library of Standard Webhooks.
package signature

import (
	"fmt"
	"net/http"
	"time"
)

// Tolerance is how far the timestamp of a request may be off, by what all libraries do.
const Tolerance = 5 * time.Minute

// maxHashed bounds the work of one explanation, in octets.
const maxHashed = 256 << 20

// Request is a request as it came, or as an application saw it.
type Request struct {
	Header http.Header
	Body   []byte
	// Computed, if not empty, is the signature that the application computed for the request. What led to it is looked for in
	// the place of what led to the signature in the header.
	Computed string
}

// Finding is one thing that is wrong, or that is worth knowing.
type Finding struct {
	Code string `json:"code"` // of the list in this package, which may grow
	Text string `json:"text"` // for people
}

// The codes of findings.
const (
	HeaderMissing    = "header-missing"    // webhook-id, webhook-timestamp or webhook-signature is not there
	HeaderRenamed    = "header-renamed"    // it is there under another name
	HeaderDuplicated = "header-duplicated" // it is there more than once
	TimestampFormat  = "timestamp-format"  // it is not in seconds of the Unix epoch
	Clock            = "clock"             // the timestamp is more than Tolerance off
	SignatureFormat  = "signature-format"  // no entry is "v1," and base64
	OnlyV1a          = "only-v1a"          // signed with ed25519 alone
	SecretFormat     = "secret-format"     // the secret is not written as it should be, and means another key
	SecretWrong      = "secret-wrong"      // none of the secrets made the signature, and no usual mistake did
	BodyEmpty        = "body-empty"        // something has read it before
	BodySerialised   = "body-reserialised" // it was decoded and written again
	BodyLineEnd      = "body-line-end"     // line ends were added, taken away or converted
	BodyCompressed   = "body-compressed"   // the signature covers it without compression
	BodyCharset      = "body-charset"      // it was converted to another charset
	Layout           = "layout"            // id, timestamp and body are not joined as id.timestamp.body
	Digest           = "digest"            // another function than HMAC-SHA256
)

// Verdict is what was found out about a request.
type Verdict struct {
	// Verified says that a signature of the request fits one of the secrets, and that a receiver has no reason to refuse it.
	Verified bool `json:"verified"`
	// Secret is the index of the secret that fits, with a mistake or without; -1: none.
	Secret int `json:"secret"`
	// Findings are the mistakes, those of the header first. There may be some in a request that verifies.
	Findings []Finding `json:"findings"`
}

func (v *Verdict) addf(code, format string, args ...any) {
	v.Findings = append(v.Findings, Finding{code, fmt.Sprintf(format, args...)})
}

// Explain verifies a request with secrets in their text form, and says what is wrong. now is the time of its arrival; zero: the
// timestamp is not held against a clock. No finding repeats a secret.
func Explain(r *Request, secrets []string, now time.Time) Verdict {
	v := Verdict{Secret: -1, Findings: []Finding{}}
	s := search{verdict: &v, body: r.Body}
	s.readHeader(r, now)
	if r.Computed != "" {
		s.targets, s.symmetric, s.asymmetric = targetsOf(entriesOf(r.Computed)), false, false
	}
	s.readSecrets(secrets)
	fatal := len(v.Findings) > 0
	if len(s.targets) == 0 || len(s.ids) == 0 || len(s.times) == 0 {
		return v
	}
	if s.run() {
		v.Verified = !fatal && len(s.found) == 0
		v.Findings = append(v.Findings, s.found...)
		return v
	}
	if len(r.Body) == 0 {
		v.addf(BodyEmpty, "The body is empty, which no event is. Something read it before: take the raw body first.")
		return v
	}
	v.addf(SecretWrong, "None of the %d secrets made this signature, and no usual mistake leads to it: it was made with another secret, or the id, "+
		"the timestamp or the content of the body is not what was signed.", len(secrets))
	return v
}
