package scores_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
)

// messages are the files of a set; none where the copy does not have it.
func messages(t *testing.T, set string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder(t, set), "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// table reads the rows of a truth.tsv, without its head.
func table(t *testing.T, set string) [][]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder(t, set), "truth.tsv"))
	if os.IsNotExist(err) && !wholeCorpus() {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(b)) {
		rows = append(rows, strings.Split(strings.TrimRight(line, "\r\n"), "\t"))
	}
	return rows[1:]
}

// sameStatus compares two enhanced status codes. One of the form X.0.9NN stands in for none: then the class has to do.
func sameStatus(ours, theirs string) bool {
	if strings.HasPrefix(theirs[1:], ".0.9") {
		return ours != "" && ours[0] == theirs[0]
	}
	return ours == theirs
}

// TestBounces: every row of sisimai's table is a recipient of a bounce; a file's rows are its recipients in their order.
func TestBounces(t *testing.T) {
	status := newScore("bounces/sisimai status", floor{0.97, 218}, floor{0.97, 218})
	recipients := newScore("bounces/sisimai recipients", floor{0.97, 215}, floor{0.97, 215})
	rows := map[string][]string{}
	var files []string
	for _, row := range table(t, "bounces/sisimai") {
		if rows[row[0]] == nil {
			files = append(files, row[0])
		}
		rows[row[0]] = append(rows[row[0]], row[2])
	}
	for _, file := range files {
		m := parseFile(t, filepath.Join(folder(t, "bounces/sisimai"), file))
		if m.Bounce == nil {
			m.Bounce = &parser.Bounce{}
		}
		var addresses []string
		whole := true
		for _, r := range m.Bounce.Recipients {
			addresses = append(addresses, r.Address)
			whole = whole && strings.Contains(r.Address, "@")
		}
		recipients.note(t, file, whole && len(addresses) == len(rows[file]), addresses, rows[file])
		for i, want := range rows[file] {
			got := ""
			if i < len(m.Bounce.Recipients) {
				got = m.Bounce.Recipients[i].Status
			}
			status.note(t, file+" "+strconv.Itoa(i+1), sameStatus(got, want), m.Bounce.Recipients, want)
		}
	}
	status.report(t)
	recipients.report(t)
}

// TestBounceKinds: what is a bounce is called one, and nothing else.
func TestBounceKinds(t *testing.T) {
	kinds := newScore("bounces kind", floor{0.99, 262}, floor{0.99, 262})
	for _, set := range []string{"sisimai", "enmime-dsn", "kumomta-rfc3464"} {
		for _, file := range messages(t, "bounces/"+set) {
			m := parseFile(t, file)
			want := parser.KindBounce
			if m.Bounce != nil && len(m.Bounce.Recipients) > 0 && m.Bounce.Recipients[0].Action != "failed" {
				want = parser.KindDeliveryReport
			}
			kinds.note(t, file, m.Kind == want, m.KindReasons, m.Subject)
		}
	}
	for _, file := range messages(t, "bounces/sisimai-not-bounce") {
		m := parseFile(t, file)
		kinds.note(t, file, m.Kind != parser.KindBounce && m.Kind != parser.KindDeliveryReport, m.KindReasons, m.Subject)
	}
	words := map[string]string{"bounce": parser.KindBounce, "delay": parser.KindDeliveryReport, "mdn": parser.KindReadReceipt, "challenge": parser.KindAutomated}
	for _, row := range table(t, "bounces/spamassassin") {
		m := parseFile(t, filepath.Join(folder(t, "bounces/spamassassin"), row[0]))
		same := m.Kind == words[row[1]]
		if row[1] == "none" {
			same = m.Kind != parser.KindBounce && m.Kind != parser.KindDeliveryReport && m.Kind != parser.KindReadReceipt
		}
		kinds.note(t, row[0], same, append([]string{m.Kind}, m.KindReasons...), row[1])
	}
	kinds.report(t)
}
