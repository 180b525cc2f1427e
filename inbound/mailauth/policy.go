package mailauth

import "strings"

// policyRecord is a DMARC policy record (RFC 9989 section 4.7).
type policyRecord struct {
	p, sp, np              string // none, quarantine or reject; sp and np may be empty
	strictSPF, strictDKIM  bool
	testing                bool // t=y, or pct=0 as RFC 7489 had it
	suffix, organizational bool // psd=y, psd=n
	unusable               bool // p, sp or np is not valid, and no report would tell the owner
}

// parsePolicy reads a TXT record; nil when it is no DMARC policy record. Unknown tags and values are ignored.
func parsePolicy(text string) *policyRecord {
	tags := map[string]string{}
	for i, spec := range strings.Split(text, ";") {
		name, value, ok := strings.Cut(spec, "=")
		name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
		if i == 0 && (!ok || name != "v" || value != "DMARC1") {
			return nil
		}
		if _, twice := tags[name]; ok && !twice {
			tags[name] = value
		}
	}
	r := &policyRecord{
		strictSPF:      strings.EqualFold(tags["aspf"], "s"),
		strictDKIM:     strings.EqualFold(tags["adkim"], "s"),
		testing:        strings.EqualFold(tags["t"], "y") || tags["pct"] == "0",
		suffix:         strings.EqualFold(tags["psd"], "y"),
		organizational: strings.EqualFold(tags["psd"], "n"),
	}
	valid := true
	for name, to := range map[string]*string{"p": &r.p, "sp": &r.sp, "np": &r.np} {
		value, ok := tags[name]
		*to = strings.ToLower(value)
		valid = valid && (!ok || isPolicy(*to))
	}
	if r.p == "" {
		r.p = policyNone
	}
	if !valid { // section 4.10.1
		r.p, r.sp, r.np = policyNone, "", ""
		r.unusable = !strings.Contains(tags["rua"], ":")
	}
	return r
}

const (
	policyNone       = "none"
	policyQuarantine = "quarantine"
	policyReject     = "reject"
)

func isPolicy(s string) bool { return s == policyNone || s == policyQuarantine || s == policyReject }

// asked is the policy that the owner asks for: for the domain of the record itself, or for one below it that exists or
// does not.
func (r *policyRecord) asked(below, exists bool) string {
	policy := r.p
	if below && r.sp != "" {
		policy = r.sp
	}
	if below && !exists && r.np != "" {
		policy = r.np
	}
	switch {
	case !r.testing:
		return policy
	case policy == policyReject:
		return policyQuarantine
	}
	return policyNone
}
