package inbound

import (
	"strings"

	"github.com/letterhook/letterhook/inbound/guard"
)

// harvests says that the source has asked for so many recipients which do not exist that it learns nothing more: known and
// unknown ones get the same answer. postmaster and abuse stay reachable (RFC 5321 section 4.5.1, RFC 2142).
func (c *conn) harvests(path Path) bool {
	return c.stranger && c.user == "" && !isContact(path) && c.srv.budgets.Used(c.remote, guard.Unknown) >= 1
}

// noteUnknown counts an unknown recipient for its source and holds back the answer. It gives the refusal that takes the
// place of the answer, or nil.
func (c *conn) noteUnknown() *refusal {
	if !c.stranger || c.user != "" {
		return nil
	}
	c.srv.budgets.Take(c.remote, guard.Unknown)
	return c.tarpit()
}

// isContact says whether a forward-path is one by which people reach who runs a domain.
func isContact(path Path) bool {
	return strings.EqualFold(path.LocalPart, "postmaster") || strings.EqualFold(path.LocalPart, "abuse")
}

// welcome says whether a client may send to a recipient that exists: what the lists say of it, and whether it has to come
// again. postmaster and abuse are open to all.
func (s session) welcome(decision Decision) *refusal {
	if !s.stranger || s.listener.Kind != MX {
		return nil
	}
	known := s.reputation()
	switch {
	case isContact(s.rcpt):
		return nil
	case known != nil && known.Refuse != nil:
		return &refusal{Reply: known.Refuse, reason: reasonListed, found: known.attrs()}
	case known != nil && known.Allowed, s.srv.cfg.Defence.Greylist == nil, !decision.Greylist && !s.listener.Greylist:
		return nil
	}
	env := s.envelope()
	env.Recipients = []Recipient{{Path: s.rcpt, Decision: decision}}
	if s.srv.cfg.Defence.Greylist(env) {
		return refuseGreylisted
	}
	return nil
}

// reputation asks the lists, once for each connection.
func (s session) reputation() *Reputation {
	if !s.asked && s.srv.cfg.Defence.Reputation != nil {
		s.known = s.srv.cfg.Defence.Reputation(s.ctx, s.remote)
	}
	s.asked = true
	return s.known
}
