package storage

import (
	"strings"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

// Suppression is mail that an account does not want: from a sender, or for a recipient of its own.
type Suppression struct {
	Account string // id
	// Name is a form of [SuppressionName].
	Name    string
	Discard bool      // take it and throw it away; false: refuse it
	Until   time.Time // zero: for good
}

// SuppressionName is the form in which senders and recipients are compared, without regard to case: "from ann@example.com" is one sender,
// "from @example.com" all of a domain, "to ann@example.com" one recipient, "to @example.com" all of a domain. It is false for what is neither.
func SuppressionName(direction, address string) (string, bool) {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || strings.ContainsAny(local, " \t\r\n") {
		return "", false
	}
	name, err := normalDomain(domain)
	if err != nil || strings.HasPrefix(name, "*.") {
		return "", false
	}
	return direction + " " + strings.ToLower(local) + "@" + name, true
}

// The directions of a [SuppressionName].
const (
	SuppressFrom = "from"
	SuppressTo   = "to"
)

// suppressions are what the accounts do not want, by the id of the account and then by their names.
type suppressions map[string]map[string]Suppression

func suppressed(list []Suppression) suppressions {
	all := suppressions{}
	for _, one := range list {
		if all[one.Account] == nil {
			all[one.Account] = map[string]Suppression{}
		}
		all[one.Account][one.Name] = one
	}
	return all
}

// What who is suppressed hears: a sender that it is not wanted (5.7.1), one who writes to a recipient that there is nobody to read it
// (5.2.1, RFC 3463 section 3.3).
var (
	suppressedSender    = inbound.Rejection{Reply: &inbound.Reply{Code: 550, Status: [3]int{5, 7, 1}, Text: "This sender is not wanted here"}, Reason: inbound.RejectSuppressed}
	suppressedRecipient = inbound.Rejection{Reply: &inbound.Reply{Code: 550, Status: [3]int{5, 2, 1}, Text: "This recipient takes no mail"}, Reason: inbound.RejectSuppressed}
)

// Suppress looks whether the account of a recipient does not want mail from the sender, or for the recipient: then it gives the refusal, or
// takes the endpoints away from the decision, so that the mail is accepted and discarded. postmaster and abuse get all mail.
func (d *Directory) Suppress(from, to inbound.Path, decision *inbound.Decision) *inbound.Rejection {
	own := d.suppressions[decision.Account]
	if len(own) == 0 || isRole(normalLocalPart(to.LocalPart)) {
		return nil
	}
	for _, side := range []struct {
		direction string
		path      inbound.Path
		refusal   *inbound.Rejection
	}{{SuppressFrom, from, &suppressedSender}, {SuppressTo, to, &suppressedRecipient}} {
		domain, err := normalDomain(side.path.Domain)
		if err != nil {
			continue
		}
		// Whatever stands in a quoted local part, the domain is the domain.
		one, found := own[side.direction+" "+strings.ToLower(side.path.LocalPart)+"@"+domain]
		if !found {
			one, found = own[side.direction+" @"+domain]
		}
		switch {
		case !found || !one.Until.IsZero() && !d.now().Before(one.Until):
		case one.Discard:
			decision.Endpoints, decision.Apart, decision.Sync, decision.Check = nil, nil, false, ""
			return nil
		default:
			return side.refusal
		}
	}
	return nil
}
