package mailauth

import (
	"github.com/letterhook/letterhook/inbound"
)

// verdict is where the results of one message come together.
type verdict struct {
	author    author
	authorErr error // why there is no author
	policy    *found
	policyErr error // why it is not known whether there is one
	walks     *walks
	chain     *chain
	trusted   []string // sealers

	results *inbound.AuthResults
}

// dmarc evaluates DMARC (RFC 9989 section 5.3).
func (v *verdict) dmarc() {
	d := &v.results.DMARC
	d.Domain = v.author.domain
	switch {
	case v.authorErr != nil:
		d.Result, d.Reason = inbound.ResultPermError, v.authorErr.Error()
		return
	case v.policyErr != nil:
		d.Result, d.Reason = inbound.ResultTempError, "the policy record could not be looked up"
		return
	case v.policy == nil:
		d.Result, d.Reason = inbound.ResultNone, "the domain publishes no policy record"
		return
	case v.policy.record.unusable:
		d.Result, d.Reason = inbound.ResultPermError, "the policy record is not valid"
		return
	}
	asked, askedErr := v.asked()
	spf, spfOpen := v.alignedSPF(v.policy.record.strictSPF)
	dkim, dkimOpen := v.alignedDKIM(v.policy.record.strictDKIM)
	d.Policy, d.SPFAligned, d.DKIMAligned = asked, spf, dkim
	switch {
	case spf || dkim:
		d.Result = inbound.ResultPass
	case spfOpen || dkimOpen || askedErr != nil:
		d.Result, d.Reason = inbound.ResultTempError, "a lookup that could have made it pass failed"
	default:
		d.Result = inbound.ResultFail
	}
}

// asked is what the owner of the author domain asks for.
func (v *verdict) asked() (string, error) {
	record, below := v.policy.record, v.policy.domain != v.author.domain
	if !below || record.np == "" {
		return record.asked(below, true), nil
	}
	exists, err := v.walks.exists(v.author.domain)
	return record.asked(below, exists || err != nil), err
}

// exists says whether a domain exists in the sense of RFC 9989 section 3.2.13: it has an address or takes mail.
func (w *walks) exists(domain string) (bool, error) {
	addresses, err := w.r.LookupIPAddr(w.ctx, domain)
	if err != nil && !isNotFound(err) {
		return false, err
	}
	if len(addresses) > 0 {
		return true, nil
	}
	exchangers, err := w.r.LookupMX(w.ctx, domain)
	if err != nil && !isNotFound(err) {
		return false, err
	}
	return len(exchangers) > 0, nil
}

// alignedSPF says whether SPF passed for an aligned domain; open, whether that could not be found out.
func (v *verdict) alignedSPF(strict bool) (aligned, open bool) {
	spf := &v.results.SPF
	if spf.Result != inbound.ResultPass && spf.Result != inbound.ResultTempError {
		return false, false
	}
	aligned, err := v.walks.aligned(v.author.domain, spf.Domain, strict)
	if spf.Result == inbound.ResultTempError {
		return false, aligned || err != nil
	}
	return aligned, err != nil
}

// alignedDKIM is alignedSPF for the signatures.
func (v *verdict) alignedDKIM(strict bool) (aligned, open bool) {
	for i := range v.results.DKIM {
		d := &v.results.DKIM[i]
		if d.Result != inbound.ResultPass && d.Result != inbound.ResultTempError {
			continue
		}
		match, err := v.walks.aligned(v.author.domain, d.Domain, strict)
		switch {
		case err != nil, match && d.Result == inbound.ResultTempError:
			open = true
		case match:
			aligned = true
		}
	}
	return aligned, open
}

// markAligned marks the signatures of the author's organisation.
func (v *verdict) markAligned() {
	for i := range v.results.DKIM {
		d := &v.results.DKIM[i]
		aligned, err := v.walks.aligned(v.author.domain, d.Domain, false)
		d.Aligned = aligned && err == nil
	}
}
