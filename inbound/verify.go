package inbound

import (
	"fmt"
	"log/slog"
)

// DMARCAction is what the owner of a recipient's domain wants done with a message that fails DMARC and whose author's
// domain asks for quarantine or rejection. A message that a trusted sealer vouches for is treated as if it had passed.
type DMARCAction string

// The actions. What the author's domain asks for is never exceeded; where there is no such domain, for want of a From field with
// one address, no more is done than to mark.
const (
	DMARCAnnotate   DMARCAction = "annotate"   // the results stand in the event, nothing else; "" means the same
	DMARCQuarantine DMARCAction = "quarantine" // the recipient is marked as quarantined
	DMARCReject     DMARCAction = "reject"     // as quarantine; the message is refused where rejection is asked for
)

// verifySender has the sender of a message checked before it is accepted. Only strangers are checked: who has logged in is
// known, and behind a mail server in front the client is that server.
func (s session) verifySender(env *Envelope, message *content) (*refusal, error) {
	if s.srv.cfg.VerifySender == nil || s.listener.Kind != MX {
		return nil, nil
	}
	ctx, span := s.step("verify sender")
	results, err := s.srv.cfg.VerifySender(ctx, env, message.body)
	if span != nil {
		describe(span, results.verdict())
		endStep(span, err)
	}
	if err != nil {
		return refuseTrouble, fmt.Errorf("checking the sender: %w", err)
	}
	if results == nil {
		return nil, nil
	}
	env.AuthResults, env.RemoteHost = results, results.IPRev.Host
	return env.applyDMARC(), nil
}

// applyDMARC marks the recipients whose domains quarantine the message. It is refused when all of them reject it; where only
// some do, there is one reply for all, and theirs are marked. A From field that names nobody, or several, is marked like a failure
// too: it must not be a way around the domains that ask for more.
func (e *Envelope) applyDMARC() *refusal {
	d := &e.AuthResults.DMARC
	failed := d.Result == ResultFail && (d.Policy == "quarantine" || d.Policy == "reject")
	nobody := d.Result == ResultPermError && d.Domain == ""
	if !failed && !nobody || e.AuthResults.Identity.Verified {
		return nil
	}
	rejecting := 0
	for i := range e.Recipients {
		r := &e.Recipients[i]
		if r.DMARC == DMARCReject && d.Policy == "reject" {
			rejecting++
		}
		r.Quarantined = r.DMARC == DMARCReject || r.DMARC == DMARCQuarantine
	}
	if rejecting < len(e.Recipients) {
		return nil
	}
	return refuse(550, 5, 7, 1, "Refused by the DMARC policy of "+d.Domain, reasonDMARC, budgetNone)
}

// verdict is what the log shall know of the results.
func (r *AuthResults) verdict() []slog.Attr {
	if r == nil {
		return nil
	}
	return []slog.Attr{
		slog.String("spf", string(r.SPF.Result)),
		slog.String("dmarc", string(r.DMARC.Result)),
		slog.String("arc", string(r.ARC.Result)),
		slog.String("identity", string(r.Identity.Method)),
	}
}
