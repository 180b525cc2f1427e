package storage_test

import (
	"strings"
	"testing"

	"github.com/letterhook/letterhook/storage"
)

func field(t *testing.T, name, text string) []storage.FieldMatch {
	t.Helper()
	m, err := storage.NewFieldMatch(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return []storage.FieldMatch{m}
}

// TestFilterConditions tries each condition alone, on mail for which it holds and on mail for which it does not.
func TestFilterConditions(t *testing.T) {
	yes, no := true, false
	mail := func() *storage.Traits {
		return &storage.Traits{Kind: "human", Size: 1000, Fields: func(name string) []string {
			return map[string][]string{"list-id": {"<a.example>", "<b.example>"}, "subject": {"Invoice 12"}}[strings.ToLower(name)]
		}}
	}
	spam, verified := mail(), mail()
	spam.Spam, verified.Verified = true, true
	for name, test := range map[string]struct {
		filter storage.Filter
		mail   *storage.Traits
		want   bool
	}{
		"nothing given":        {storage.Filter{}, mail(), true},
		"kind":                 {storage.Filter{Kinds: []string{"list", "human"}}, mail(), true},
		"another kind":         {storage.Filter{Kinds: []string{"list"}}, mail(), false},
		"only a kind":          {storage.Filter{Only: true, Kinds: []string{"human"}}, mail(), false},
		"only another kind":    {storage.Filter{Only: true, Kinds: []string{"list"}}, mail(), true},
		"spam":                 {storage.Filter{Spam: &yes}, spam, true},
		"no spam":              {storage.Filter{Spam: &yes}, mail(), false},
		"verified":             {storage.Filter{Verified: &yes}, verified, true},
		"not verified":         {storage.Filter{Verified: &no}, mail(), true},
		"verified, unwanted":   {storage.Filter{Verified: &no}, verified, false},
		"larger":               {storage.Filter{LargerThan: 999}, mail(), true},
		"as large":             {storage.Filter{LargerThan: 1000}, mail(), false},
		"smaller":              {storage.Filter{SmallerThan: 1001}, mail(), true},
		"as small":             {storage.Filter{SmallerThan: 1000}, mail(), false},
		"field, second one":    {storage.Filter{Fields: field(t, "List-ID", "<B.EXAMPLE>")}, mail(), true},
		"field, not whole":     {storage.Filter{Fields: field(t, "List-ID", "b.example")}, mail(), false},
		"glob":                 {storage.Filter{Fields: field(t, "subject", "invoice ??")}, mail(), true},
		"glob, not whole":      {storage.Filter{Fields: field(t, "subject", "invoice ?")}, mail(), false},
		"there at all":         {storage.Filter{Fields: field(t, "List-ID", "*")}, mail(), true},
		"not there":            {storage.Filter{Fields: field(t, "X-None", "*")}, mail(), false},
		"expression":           {storage.Filter{Fields: field(t, "Subject", "/[0-9]{2}$/")}, mail(), true},
		"expression, its case": {storage.Filter{Fields: field(t, "Subject", "/invoice/")}, mail(), false},
		"all but one":          {storage.Filter{Kinds: []string{"human"}, LargerThan: 5000}, mail(), false},
	} {
		if got := test.filter.Keeps(test.mail); got != test.want {
			t.Errorf("%s: keeps back is %t", name, got)
		}
	}
	if _, err := storage.NewFieldMatch("Subject", "/(/"); err == nil {
		t.Error("an expression that is none passes")
	}
}

// TestHostileExpression tries an expression that other engines would not come back from, on a long value.
func TestHostileExpression(t *testing.T) {
	f := storage.Filter{Fields: field(t, "X", "/^(a+)+$/")}
	value := strings.Repeat("a", 64<<10) + "!"
	if f.Keeps(&storage.Traits{Fields: func(string) []string { return []string{value} }}) {
		t.Error("it matches")
	}
}
