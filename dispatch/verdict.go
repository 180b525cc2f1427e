package dispatch

import (
	"slices"
	"strings"

	"github.com/letterhook/letterhook/inbound"
)

// verdicts are the results of the sender checks as an endpoint is told them; nil, nil where the sender was not checked.
func verdicts(r *inbound.AuthResults, recipients []inbound.Recipient, endpoint string) (*Authentication, *Identity) {
	if r == nil {
		return nil, nil
	}
	a := &Authentication{
		SPF:  SPF{Result: string(r.SPF.Result), Domain: r.SPF.Domain, Explanation: r.SPF.Explanation},
		DKIM: make([]DKIM, len(r.DKIM)),
		DMARC: DMARC{
			Result: string(r.DMARC.Result), Domain: r.DMARC.Domain, Policy: r.DMARC.Policy,
			SPFAligned: r.DMARC.SPFAligned, DKIMAligned: r.DMARC.DKIMAligned,
			Disposition: "none", Reason: optional(r.DMARC.Reason),
		},
		ARC: ARC{
			Result: string(r.ARC.Result), Instances: r.ARC.Instances, Sealer: optional(r.ARC.Sealer), Error: optional(r.ARC.Error),
		},
		IPRev: IPRev{Result: string(r.IPRev.Result), Host: r.IPRev.Host},
	}
	for i, d := range r.DKIM {
		a.DKIM[i] = DKIM{
			Result: string(d.Result), Domain: d.Domain, Selector: d.Selector, Aligned: d.Aligned, Error: optional(d.Error),
		}
	}
	quarantined := func(r inbound.Recipient) bool { return r.Quarantined && slices.Contains(r.Endpoints, endpoint) }
	if slices.ContainsFunc(recipients, quarantined) {
		a.DMARC.Disposition = "quarantine"
	}
	return a, &Identity{
		Address: r.Identity.Address, Domain: r.Identity.Domain, DomainVerified: r.Identity.Verified,
		Method: string(r.Identity.Method), Reason: r.Identity.Reason,
	}
}

// doubt takes back that the domain is verified where the event's own From is another address. The checks read the field strictly
// and the parser tolerantly, and no sender may find a field in which one reads what is proven and the other what is shown.
func (i *Identity) doubt(from []Address) {
	if i == nil || !i.DomainVerified {
		return
	}
	for _, a := range from {
		if !sameMailbox(a.Address, i.Address) {
			i.DomainVerified, i.Method = false, string(inbound.IdentityNone)
			i.Reason = "the From field can be read as another address"
			return
		}
	}
}

// sameMailbox compares addresses without regard to case and needless quotes.
func sameMailbox(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	p, errP := inbound.ParsePath(a, true)
	q, errQ := inbound.ParsePath(b, true)
	return errP == nil && errQ == nil && strings.EqualFold(p.String(), q.String())
}
