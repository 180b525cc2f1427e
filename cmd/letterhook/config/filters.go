package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// Filter keeps mail back from an endpoint, or from the recipients of a route. Exactly one of SkipIf and OnlyIf is given.
type Filter struct {
	Name   string     `yaml:"name"`    // stands where something is kept back
	SkipIf Conditions `yaml:"skip_if"` // mail for which all of them hold is kept back
	OnlyIf Conditions `yaml:"only_if"` // mail for which one of them does not hold is kept back
}

// Conditions are what a filter looks at; those that are left out hold.
type Conditions struct {
	Kind        []string          `yaml:"kind"` // one of them
	Spam        Choice            `yaml:"spam"`
	Verified    Choice            `yaml:"verified"` // the domain vouches for the address of From
	LargerThan  Size              `yaml:"larger_than"`
	SmallerThan Size              `yaml:"smaller_than"`
	Header      map[string]string `yaml:"header"` // by the name of a field: its value, a glob or /an expression/
}

// Choice is yes, no, or left out.
type Choice string

// UnmarshalText reads true or false.
func (c *Choice) UnmarshalText(text []byte) error {
	if s := string(text); s != "true" && s != "false" {
		return fmt.Errorf("must be true or false, not %q", s)
	}
	*c = Choice(text)
	return nil
}

func (c Choice) choice() *bool {
	if c == "" {
		return nil
	}
	yes := c == "true"
	return &yes
}

func (c *Conditions) empty() bool {
	return len(c.Kind) == 0 && c.Spam == "" && c.Verified == "" && c.LargerThan == 0 && c.SmallerThan == 0 && len(c.Header) == 0
}

// Filters gives declared filters as the store has them. They were validated.
func Filters(list []Filter) (filters []storage.Filter) {
	for i := range list {
		c, only := &list[i].SkipIf, false
		if c.empty() {
			c, only = &list[i].OnlyIf, true
		}
		f := storage.Filter{
			Name: list[i].Name, Only: only, Kinds: c.Kind, Spam: c.Spam.choice(), Verified: c.Verified.choice(),
			LargerThan: int64(c.LargerThan), SmallerThan: int64(c.SmallerThan),
		}
		for _, name := range slices.Sorted(maps.Keys(c.Header)) {
			if m, err := storage.NewFieldMatch(name, c.Header[name]); err == nil {
				f.Fields = append(f.Fields, m)
			}
		}
		filters = append(filters, f)
	}
	return filters
}

// filters checks the filters of an endpoint or a route.
func (v *validator) filters(key string, list []Filter) {
	seen := map[string]bool{}
	for i := range list {
		f, at := &list[i], fmt.Sprintf("%s.filters[%d]", key, i)
		switch {
		case f.Name == "":
			v.faultf(at+".name", "is required: it is told where the filter keeps something back")
		case strings.ContainsFunc(f.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
			v.faultf(at+".name", "holds a control character")
		case seen[f.Name]:
			v.faultf(at+".name", "%q is declared twice", f.Name)
		}
		seen[f.Name] = true
		if count(!f.SkipIf.empty(), !f.OnlyIf.empty()) != 1 {
			v.faultf(at, "needs conditions in exactly one of skip_if and only_if")
		}
		v.conditions(at+".skip_if", &f.SkipIf)
		v.conditions(at+".only_if", &f.OnlyIf)
	}
}

func (v *validator) conditions(key string, c *Conditions) {
	for i, kind := range c.Kind {
		v.word(fmt.Sprintf("%s.kind[%d]", key, i), kind, parser.KindHuman, parser.KindAutoReply, parser.KindBounce, parser.KindDeliveryReport,
			parser.KindComplaint, parser.KindReadReceipt, parser.KindList, parser.KindAutomated)
	}
	if c.LargerThan > 0 && c.SmallerThan > 0 && c.SmallerThan <= c.LargerThan+1 {
		v.faultf(key+".smaller_than", "no mail is larger than %s and smaller than that", c.LargerThan)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }) {
			v.faultf(key+".header."+name, "%q is not the name of a header field", name)
		}
		if _, err := storage.NewFieldMatch(name, c.Header[name]); err != nil {
			v.faultf(key+".header."+name, "%v", err)
		}
	}
}
