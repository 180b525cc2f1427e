package dnscheck

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// State is how things stand.
type State string

// The states of a finding.
const (
	OK      State = "ok"
	Missing State = "missing" // needed, and not there
	Wrong   State = "wrong"   // there, and not as it has to be
	Advice  State = "advice"  // better with it, and fine without
	Unknown State = "unknown" // DNS or the network gave no answer
)

// Finding is one thing that was looked at.
type Finding struct {
	What    string   `json:"what"`    // for example "MX"
	State   State    `json:"state"`   //
	Text    string   `json:"text"`    // what is there, or what follows from what is not
	Publish []string `json:"publish"` // records for the zone, in the form of zone files
}

// Section is what was found about one name.
type Section struct {
	Name     string    `json:"name"` // the hostname, or a domain
	Findings []Finding `json:"findings"`
}

func (s *Section) add(what string, state State, text string, publish ...string) {
	s.Findings = append(s.Findings, Finding{what, state, text, append([]string{}, publish...)})
}

// Report is the result of a check: of the host first, then of each domain.
type Report []Section

// Has says whether anything stands so.
func (r Report) Has(states ...State) bool {
	for _, section := range r {
		for _, finding := range section.Findings {
			if slices.Contains(states, finding.State) {
				return true
			}
		}
	}
	return false
}

// Print writes the report for people. What strangers publish is made harmless by printable.
func (r Report) Print(w io.Writer, printable func(string) string) {
	for _, section := range r {
		fmt.Fprintf(w, "\n%s\n", section.Name)
		for _, f := range section.Findings {
			fmt.Fprintf(w, "  %-8s %-12s %s\n", f.State, f.What, printable(f.Text))
			for _, record := range f.Publish {
				fmt.Fprintf(w, "  %-8s %-12s   %s\n", "", "", printable(record))
			}
		}
	}
}

// record is a line of a zone file.
func record(name, kind, data string) string {
	return absolute(name) + " " + kind + " " + data
}

// text is the data of a TXT record.
func text(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func absolute(name string) string { return strings.TrimSuffix(name, ".") + "." }

// same compares names without regard to case and a dot at the end.
func same(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}
