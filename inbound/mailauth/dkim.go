package mailauth

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/inbound"
)

const dkimField = "dkim-signature"

// parseDKIM reads the signatures of a message, the topmost first and at most limit of them: who has put the most there
// were the last to handle it.
func parseDKIM(h *header, now time.Time, limit int) []*signature {
	fields := h.all(dkimField)
	fields = fields[:min(len(fields), limit)]
	signatures := make([]*signature, len(fields))
	for i, f := range fields {
		s, err := parseCommon(f)
		if err == nil {
			err = s.checkDKIM(now)
		}
		s.err = err
		signatures[i] = s
	}
	return signatures
}

// checkDKIM reads the tags that DKIM alone has (RFC 6376 section 3.5).
func (s *signature) checkDKIM(now time.Time) error {
	if s.tags.get("v") != "1" {
		return permanent("v= is missing or unknown")
	}
	if err := s.parseMessageTags("simple/simple"); err != nil {
		return err
	}
	if !slices.Contains(s.names, "from") {
		return permanent("h= does not name From")
	}
	if q := s.tags.find("q"); q != nil && !slices.Contains(split(strings.ToLower(q.value)), "dns/txt") {
		return permanent("q= is unknown")
	}
	if i := s.tags.find("i"); i != nil {
		_, domain, found := strings.Cut(withoutFold(i.value), "@")
		domain, err := domainName(domain)
		if !found || err != nil || !isSubdomain(domain, s.domain) {
			return permanent("i= is not within d=")
		}
		s.userDomain = domain
	}
	return s.checkTimes(now)
}

// verifyDKIM is the result of one signature once its key and the hashes of the body are there.
func (s *signature) verifyDKIM(h *header, bodies *bodyHashes) error {
	switch {
	case s.err != nil:
		return s.err
	case s.key.strict && s.userDomain != "" && s.userDomain != s.domain:
		return permanent("the key forbids i= to be a subdomain")
	case s.limited: // RFC 6376 section 8.2: the rest of the body is anybody's
		return unwanted("l= leaves a part of the body unsigned")
	}
	return s.verifyMessage(h, bodies.of(s.bodyCanon))
}

func (s *signature) result(err error) inbound.DKIMResult {
	r := inbound.DKIMResult{Result: inbound.ResultPass, Domain: s.domain, Selector: s.selector}
	if err == nil {
		return r
	}
	r.Result, r.Error = inbound.ResultPermError, err.Error()
	if t, ok := errors.AsType[*trouble](err); ok {
		switch {
		case t.temporary:
			r.Result = inbound.ResultTempError
		case t.failed:
			r.Result = inbound.ResultFail
		case t.policy:
			r.Result = inbound.ResultPolicy
		}
	}
	return r
}
