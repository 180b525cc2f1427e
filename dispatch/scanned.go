package dispatch

import "github.com/letterhook/letterhook/inbound"

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
