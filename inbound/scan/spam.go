package scan

import (
	"cmp"
	"math"
	"slices"

	"github.com/letterhook/letterhook/inbound"
)

// maxSymbols bounds the rules that are kept of a verdict: they are stored with the message and sent in each event.
const maxSymbols = 100

// trimSymbols puts the weightiest symbols first and drops those beyond maxSymbols.
func trimSymbols(symbols []inbound.SpamSymbol) []inbound.SpamSymbol {
	slices.SortFunc(symbols, func(a, b inbound.SpamSymbol) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Score), math.Abs(a.Score)), cmp.Compare(a.Name, b.Name))
	})
	return slices.Clip(symbols[:min(len(symbols), maxSymbols)])
}

// judge applies a score of the operator's own in place of the engine's opinion.
func judge(r *inbound.SpamResult, ownScore float64) {
	if ownScore > 0 {
		r.Required, r.IsSpam = ownScore, r.Score >= ownScore
	}
}
