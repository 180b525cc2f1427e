package dashboard

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/letterhook/letterhook/inbound"
)

// fact is a name and what is known of it. State, when not empty, is shown as one.
type fact struct {
	Name, Text, State string
}

// sender answers who sent a mail, in one sentence with its evidence.
type sender struct {
	Sentence string
	Colour   string // green: a domain vouches; amber: nobody does; grey: nobody was asked
	Evidence []fact
}

// whoSent reads the results of the checks. It claims no more than they do: a domain vouches for an address, not for a person.
func whoSent(env *inbound.Envelope) sender {
	r := env.AuthResults
	if r == nil {
		s := sender{Colour: "grey", Sentence: fmt.Sprintf("Nobody was asked: mail from %s by the listener %s is taken without a check of its sender, so the From field may say anything.", cmp.Or(env.RemoteAddress(), "a client on this machine"), env.Listener)}
		if env.AuthUser != "" {
			s.Sentence = fmt.Sprintf("Whoever logged in as %s on the listener %s. The From field was not checked beyond that.", env.AuthUser, env.Listener)
		}
		return s
	}
	id := &r.Identity
	s := sender{Evidence: evidence(r)}
	switch {
	case id.Verified:
		s.Colour, s.Sentence = "green", fmt.Sprintf("%s: its domain %s vouches for the address, %s.", id.Address, id.Domain, byMethod(id.Method))
	case id.Address == "":
		s.Colour, s.Sentence = "amber", "Nobody can say: the From field does not name exactly one address."
	default:
		s.Colour, s.Sentence = "amber", fmt.Sprintf("Somebody who wrote %s into the From field. No domain vouches for it", id.Address)
		if id.Reason != "" {
			s.Sentence += ": " + id.Reason
		}
		s.Sentence = strings.TrimSuffix(s.Sentence, ".") + "."
	}
	return s
}

func byMethod(m inbound.IdentityMethod) string {
	switch m {
	case inbound.IdentityDMARC:
		return "as its own policy wants (DMARC passed)"
	case inbound.IdentityDKIM:
		return "by a signature of its own (DKIM passed)"
	case inbound.IdentitySPF:
		return "by the server that sent it (SPF passed)"
	case inbound.IdentityARC:
		return "as a trusted forwarder saw before it passed the mail on (ARC)"
	}
	return "by " + string(m)
}

func evidence(r *inbound.AuthResults) []fact {
	list := []fact{
		{"DMARC", with(with(r.DMARC.Domain, "policy", r.DMARC.Policy), "", r.DMARC.Reason), string(r.DMARC.Result)},
		{"SPF", with(r.SPF.Domain, "", r.SPF.Explanation), string(r.SPF.Result)},
	}
	for i := range r.DKIM {
		k := &r.DKIM[i]
		text := with(k.Domain, "selector", k.Selector)
		if k.Result == inbound.ResultPass && !k.Aligned {
			text += ", another domain than that of From"
		}
		list = append(list, fact{"DKIM", with(text, "", k.Error), string(k.Result)})
	}
	if len(r.DKIM) == 0 {
		list = append(list, fact{"DKIM", "no signature", string(inbound.ResultNone)})
	}
	if r.ARC.Result != inbound.ResultNone {
		list = append(list, fact{"ARC", with(with(r.ARC.Sealer, "instances", fmt.Sprint(r.ARC.Instances)), "", r.ARC.Error), string(r.ARC.Result)})
	}
	return append(list, fact{"Reverse DNS", r.IPRev.Host, string(r.IPRev.Result)})
}

// with adds a detail to a text.
func with(text, name, detail string) string {
	switch {
	case detail == "":
		return text
	case name != "":
		detail = name + " " + detail
	}
	if text == "" {
		return detail
	}
	return text + ", " + detail
}
