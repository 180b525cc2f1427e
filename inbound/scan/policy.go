package scan

import (
	"errors"
	"fmt"

	"github.com/letterhook/letterhook/inbound"
)

// rejection is what the operator wants to follow from a report; nil: the message may be accepted.
func (r *report) rejection() *inbound.Rejection {
	o := &r.scanner.options
	switch {
	case r.finding == nil:
		if o.OnError == Defer && !errors.Is(r.err, errTooLarge) {
			return refuse(Defer, inbound.RejectUnscanned, "Message cannot be examined now, please try again later")
		}
		return nil
	case r.finding.virus != nil && r.finding.found():
		return refuse(o.OnFound, inbound.RejectVirus, fmt.Sprintf("Message contains malware (%s)", r.finding.virus.Signature))
	case r.finding.spam != nil:
		return r.spamRejection()
	}
	return nil
}

func (r *report) spamRejection() *inbound.Rejection {
	const text = "Message is taken for spam"
	action := r.scanner.options.OnFound
	if action != Follow {
		if !r.finding.spam.IsSpam {
			return nil
		}
		return refuse(action, inbound.RejectSpam, text)
	}
	wanted := text
	if r.finding.text != "" {
		wanted = r.finding.text
	}
	switch r.finding.spam.Action {
	case rspamdReject:
		return refuse(Reject, inbound.RejectSpam, wanted)
	case rspamdSoftReject:
		return refuse(Defer, inbound.RejectSpam, wanted)
	}
	return nil
}

func refuse(action Action, reason inbound.RejectReason, text string) *inbound.Rejection {
	switch action {
	case Reject:
		return &inbound.Rejection{Reply: &inbound.Reply{Code: 550, Status: [3]int{5, 7, 1}, Text: text}, Reason: reason}
	case Defer:
		return &inbound.Rejection{Reply: &inbound.Reply{Code: 451, Status: [3]int{4, 7, 1}, Text: text}, Reason: reason}
	default:
		return nil
	}
}
