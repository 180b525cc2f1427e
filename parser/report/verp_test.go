package report_test

import (
	"testing"

	"github.com/letterhook/letterhook/parser/report"
)

func TestVERP(t *testing.T) {
	for local, want := range map[string]string{
		"bounce+bob=b.example":                     "bob@b.example",
		"bounces+bob.smith=mail.b.example":         "bob.smith@mail.b.example",
		"bounces+1234567-ab12-bob=b.example":       "bob@b.example",
		"bounces+1234567-ab12-bob-smith=b.example": "bob-smith@b.example",
		"bounce+4a3b2c.1d2e3f-bob=b.example":       "bob@b.example",
		"bounce+bob==a==b.example==list":           "bob@b.example",
		"news-return-42-bob=b.example":             "bob@b.example",
		"news-bounces+bob=b.example":               "bob@b.example",
		"news+bob=b.example":                       "bob@b.example",
		"bounces-bob-smith=b.example":              "bob-smith@b.example",
		"news-bob=b.example":                       "bob@b.example",
		"Bounce+Bob=B.example":                     "Bob@B.example",
		"bounce+a=b=b.example":                     "a=b@b.example",
		"bob":                                      "",
		"reply+k3y":                                "",
		"bounce+bob=localhost":                     "",
		"bounce+=b.example":                        "",
		"bounce+bob=":                              "",
		"SRS0=abcd=xy=b.example=bob":               "",
		"prvs=1234567890=bob.b.example":            "",
		"=b.example":                               "",
		"":                                         "",
	} {
		got, ok := report.VERP(local)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", local, got, ok, want)
		}
	}
}
