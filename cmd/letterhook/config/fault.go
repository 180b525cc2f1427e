package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong with a configuration.
type Fault struct {
	File   string `json:"file"` // file as given to [Load], or "environment"
	Line   int    `json:"line"` // counted from 1; 0 where no line can be named
	Key    string `json:"key"`  // for example "endpoints[0].url", or the variable's name; empty for the file as a whole
	Reason string `json:"reason"`
}

// String is "file:line: key: reason", the form that editors understand.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	if f.Key != "" {
		b.WriteString(": " + f.Key)
	}
	b.WriteString(": " + f.Reason)
	return b.String()
}

// Faults is every fault of a configuration, in the order of its lines. It is the error of [Load].
type Faults []Fault

// Error lists the faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// position is where a key was set.
type position struct {
	file string
	line int
}

// faults gathers what is wrong while the file is read and then while it is understood.
type faults struct {
	file string
	list Faults
	lost map[string]bool // keys whose value names a variable that is not set
}

func (f *faults) addf(at position, key, format string, args ...any) {
	f.list = append(f.list, Fault{File: at.file, Line: at.line, Key: key, Reason: fmt.Sprintf(format, args...)})
}

// err is nil when there are no faults.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return f.list
}
