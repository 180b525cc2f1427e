package dispatch

import "github.com/letterhook/letterhook/inbound"

// reputation is what lists say of the client, as an endpoint is told.
func reputation(r *inbound.Reputation) *Reputation {
	if r == nil {
		return nil
	}
	told := &Reputation{Allowed: r.Allowed, Listings: make([]Listing, len(r.Listings))}
	for i, l := range r.Listings {
		told.Listings[i] = Listing{List: l.List, Kind: l.Kind, Code: optional(l.Code)}
		told.Listed = told.Listed || l.Kind == "block" && !r.Allowed
	}
	return told
}

// scanned are the verdicts of the scanners as an endpoint is told them.
func scanned(r *inbound.ScanResults) (*Spam, *Virus, []Unscanned) {
	unscanned := []Unscanned{}
	if r == nil {
		return nil, nil, unscanned
	}
	var spam *Spam
	if s := r.Spam; s != nil {
		spam = &Spam{
			Engine: s.Engine, Score: s.Score, Required: s.Required, IsSpam: s.IsSpam, Action: s.Action,
			Symbols: make([]SpamSymbol, len(s.Symbols)),
		}
		for i := range s.Symbols {
			spam.Symbols[i] = SpamSymbol(s.Symbols[i])
		}
	}
	var virus *Virus
	if v := r.Virus; v != nil {
		virus = &Virus{Engine: v.Engine, Infected: v.Infected, Signature: optional(v.Signature)}
	}
	for _, u := range r.Unscanned {
		unscanned = append(unscanned, Unscanned{Engine: u.Engine, Reason: string(u.Reason)})
	}
	return spam, virus, unscanned
}
