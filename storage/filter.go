package storage

import (
	"fmt"
	"regexp"
	"slices"
)

// Filter keeps mail back from an endpoint, or from the recipients of a route.
type Filter struct {
	Name string // named where something is kept back
	// Only keeps back what does not match; without it, what does.
	Only bool

	// The conditions; all that are given must hold.
	Kinds       []string // one of them
	Spam        *bool    // whether a scanner takes it for spam; what no scanner judged is none
	Verified    *bool    // whether the sender's domain vouches for the author's address; what was not evaluated is not
	LargerThan  int64    // octets; 0: any
	SmallerThan int64    // octets; 0: any
	Fields      []FieldMatch
}

// FieldMatch is a condition on a header field: one field of the name has a value that matches.
type FieldMatch struct {
	Name  string
	Value *regexp.Regexp // of the decoded value; RE2, so its time is linear in that
}

// Traits are what filters look at.
type Traits struct {
	Kind     string
	Spam     bool
	Verified bool
	Size     int64
	Fields   func(name string) []string // decoded values of the fields of a name, whatever its case
}

// Keeps says whether the filter keeps the mail back.
func (f *Filter) Keeps(t *Traits) bool { return f.matches(t) != f.Only }

func (f *Filter) matches(t *Traits) bool {
	switch {
	case len(f.Kinds) > 0 && !slices.Contains(f.Kinds, t.Kind),
		f.Spam != nil && *f.Spam != t.Spam,
		f.Verified != nil && *f.Verified != t.Verified,
		f.LargerThan > 0 && t.Size <= f.LargerThan,
		f.SmallerThan > 0 && t.Size >= f.SmallerThan:
		return false
	}
	for i := range f.Fields {
		if !slices.ContainsFunc(t.Fields(f.Fields[i].Name), f.Fields[i].Value.MatchString) {
			return false
		}
	}
	return true
}

// NewFieldMatch makes a condition on a header field of what a declaration says: the whole value, whatever its case; a glob of
// * and ? over the whole value, whatever its case; or /an RE2 expression/ that matches anywhere, as it is written.
func NewFieldMatch(name, text string) (FieldMatch, error) {
	if len(text) > 1 && text[0] == '/' && text[len(text)-1] == '/' {
		re, err := regexp.Compile(text[1 : len(text)-1])
		if err != nil {
			return FieldMatch{}, fmt.Errorf("regular expression: %w", err)
		}
		return FieldMatch{name, re}, nil
	}
	re, err := globExpression("i", text)
	if err != nil {
		return FieldMatch{}, fmt.Errorf("glob: %w", err)
	}
	return FieldMatch{name, re}, nil
}

// RouteFilters are the filters of a route by its id; nil: it has none.
func (d *Directory) RouteFilters(route string) []Filter { return d.filters[route] }
