package mailauth

import (
	"github.com/letterhook/letterhook/inbound"
)

// identity says whether the From field can be believed, from the results of the checks.
func (v *verdict) identity() {
	id := &v.results.Identity
	id.Method = inbound.IdentityNone
	if v.authorErr != nil {
		id.Reason = v.authorErr.Error()
		return
	}
	id.Address, id.Domain = v.author.address, v.author.domain
	d := &v.results.DMARC
	switch {
	case d.Result == inbound.ResultPass && d.DKIMAligned:
		id.Method, id.Reason = inbound.IdentityDMARC, "dkim=pass aligned with From"
	case d.Result == inbound.ResultPass:
		id.Method, id.Reason = inbound.IdentityDMARC, "spf=pass aligned with From"
	case d.Result == inbound.ResultNone && v.passed(v.alignedDKIM):
		id.Method, id.Reason = inbound.IdentityDKIM, "dkim=pass aligned with From; the domain publishes no DMARC policy"
	case d.Result == inbound.ResultNone && v.passed(v.alignedSPF):
		id.Method, id.Reason = inbound.IdentitySPF, "spf=pass aligned with From; the domain publishes no DMARC policy"
	default:
		v.forwarded(id)
	}
	id.Verified = id.Method != inbound.IdentityNone
}

func (v *verdict) passed(check func(strict bool) (aligned, open bool)) bool {
	aligned, _ := check(false)
	return aligned
}

// forwarded is the identity of a message that nothing here verifies: a trusted sealer may have seen it pass.
func (v *verdict) forwarded(id *inbound.Identity) {
	id.Reason = "dmarc=" + string(v.results.DMARC.Result)
	if v.results.DMARC.Result == inbound.ResultNone {
		id.Reason = "neither an aligned signature nor SPF passed"
	}
	if v.results.ARC.Result != inbound.ResultPass {
		return
	}
	if sealer := v.chain.vouchedBy(v.author.domain, v.trusted); sealer != "" {
		id.Method, id.Reason = inbound.IdentityARC, "arc=pass; "+sealer+" saw dmarc=pass before it forwarded the message"
	}
}
