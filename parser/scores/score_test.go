package scores_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var differences = flag.Bool("differences", false, "print every row that disagrees")

// floor is what one field of a set may not fall below.
type floor struct {
	share float64 // of the rows compared, from 0 to 1
	rows  int     // compared
}

// score counts agreement on one field of a set.
type score struct {
	name                    string
	whole, copied           floor // of the whole corpus, and of the copy in testdata
	same, compared, skipped int
	explained               int // of those counted as the same: they differ for a reason that is written down
}

// newScore names a field and its floors. A set that may not be passed on has no rows in the copy.
func newScore(name string, whole, copied floor) *score {
	return &score{name: name, whole: whole, copied: copied}
}

// note counts a row; ours and theirs are printed where they differ and -differences asks for it.
func (s *score) note(t *testing.T, row string, same bool, ours, theirs any) {
	t.Helper()
	s.compared++
	if same {
		s.same++
		return
	}
	if *differences {
		t.Logf("%s: %s:\n\tours   %.600q\n\ttheirs %.600q", s.name, row, ours, theirs)
	}
}

// skip counts a row that says nothing, and why.
func (s *score) skip(t *testing.T, row, why string) {
	t.Helper()
	s.skipped++
	if *differences {
		t.Logf("%s: %s: skipped: %s", s.name, row, why)
	}
}

// report prints the score and fails the test when it is below its floor.
func (s *score) report(t *testing.T) {
	t.Helper()
	least := s.copied
	if wholeCorpus() {
		least = s.whole
	}
	share := 1.0
	if s.compared > 0 {
		share = float64(s.same) / float64(s.compared)
	}
	t.Logf("%-32s %5d of %5d  %6.2f %%  %4d skipped  %3d explained", s.name, s.same, s.compared, 100*share, s.skipped, s.explained)
	if share < least.share || s.compared < least.rows {
		t.Errorf("%s: %d of %d rows agree; at least %.4f of at least %d must", s.name, s.same, s.compared, least.share, least.rows)
	}
}

func wholeCorpus() bool { return os.Getenv("CORPUS") != "" }

// folder is where a set lies, for example "replies/discourse". A set that the copy may not hold is empty there.
func folder(t *testing.T, set string) string {
	t.Helper()
	root := "../testdata/corpus"
	if wholeCorpus() {
		root = os.Getenv("CORPUS")
	}
	dir := filepath.Join(root, filepath.FromSlash(set))
	if _, err := os.Stat(dir); err != nil && wholeCorpus() {
		t.Fatalf("the corpus has no %s: %v", set, err)
	}
	return dir
}
