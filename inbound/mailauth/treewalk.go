package mailauth

import (
	"context"
	"strings"
)

// maxWalkLabels is the number of labels that the walk goes on with when a domain has more (RFC 9989 section 4.10): no
// walk asks more than eight times.
const maxWalkLabels = 7

// found is a policy record met on the walk.
type found struct {
	domain string
	record *policyRecord
}

// walks are the DNS tree walks of one message. A name is asked once.
type walks struct {
	ctx     context.Context //nolint:containedctx // lives as long as the checks of one message
	r       Resolver
	records map[string]*policyRecord // nil value: there is none
}

// at is the policy record of a domain, nil when there is none. An error means that this is not known.
func (w *walks) at(domain string) (*policyRecord, error) {
	if record, ok := w.records[domain]; ok {
		return record, nil
	}
	texts, err := w.r.LookupTXT(w.ctx, "_dmarc."+domain)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	var record *policyRecord
	count := 0
	for _, text := range texts {
		if r := parsePolicy(text); r != nil {
			record = r
			count++
		}
	}
	if count > 1 { // step 2 of section 4.10
		record = nil
	}
	w.records[domain] = record
	return record, nil
}

// walk gives the records from a domain upwards, the longest name first.
//
// A public suffix that says nothing of itself is taken for one all the same, by the Public Suffix List: else a record at
// the domain of a hosting service would make all its customers one organisation. And an error of DNS there is not
// waited for, since most have no record.
func (w *walks) walk(domain string) ([]found, error) {
	var all []found
	for at := domain; at != ""; at = above(at) {
		suffix := at != domain && isPublicSuffix(at)
		record, err := w.at(at)
		switch {
		case err != nil && suffix:
			return all, nil
		case err != nil:
			return nil, err
		case record == nil:
			continue
		}
		if suffix && !record.suffix && !record.organizational {
			marked := *record
			marked.suffix = true
			record = &marked
		}
		all = append(all, found{at, record})
		if record.suffix || record.organizational {
			break
		}
	}
	return all, nil
}

// above is the next name of a walk, or "" behind the last.
func above(domain string) string {
	labels := strings.Split(domain, ".")
	return strings.Join(labels[max(1, len(labels)-maxWalkLabels):], ".")
}

// organization is the Organizational Domain of a domain (RFC 9989 section 4.10.2). Where no name on the walk has a record,
// it is what the Public Suffix List makes it, as RFC 7489 had it: nothing is enforced by it then.
func (w *walks) organization(domain string) (string, error) {
	all, err := w.walk(domain)
	if err != nil {
		return "", err
	}
	for _, f := range all {
		switch {
		case f.record.organizational:
			return f.domain, nil
		case f.record.suffix && f.domain != domain:
			return childOf(f.domain, domain), nil
		}
	}
	if len(all) == 0 {
		return registrable(domain), nil
	}
	return all[len(all)-1].domain, nil
}

// childOf is the name one label below parent that domain is, or lies below.
func childOf(parent, domain string) string {
	inner := strings.TrimSuffix(domain, "."+parent)
	return inner[strings.LastIndexByte(inner, '.')+1:] + "." + parent
}

// policy is the record that applies to a domain and where it was found (section 4.10.1); nil when there is none.
func (w *walks) policy(domain string) (*found, error) {
	all, err := w.walk(domain)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	if all[0].domain == domain {
		return &all[0], nil
	}
	organization, err := w.organization(domain)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].domain == organization {
			return &all[i], nil
		}
	}
	return &all[len(all)-1], nil // the public suffix
}

// aligned says whether two domains belong to one organisation (section 4.10.2), or are the same one where strict.
func (w *walks) aligned(author, other string, strict bool) (bool, error) {
	if author == other {
		return true, nil
	}
	// No organisation reaches over a public suffix, so names without a common one need no walk.
	if strict || author == "" || other == "" || registrable(author) != registrable(other) {
		return false, nil
	}
	a, err := w.organization(author)
	if err != nil {
		return false, err
	}
	b, err := w.organization(other)
	return a == b && err == nil, err
}
