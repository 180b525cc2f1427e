package scores_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fieldTable reads one of Stalwart's tables of field values.
func fieldTable[T any](t *testing.T, name string) (rows []struct {
	Header   string
	Expected T
}) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder(t, "mime/stalwart-fields"), name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestFieldAddresses(t *testing.T) {
	c := newTruth(t, "stalwart", newScore("stalwart addresses", floor{1, 50}, floor{1, 50}))
	for i, row := range fieldTable[struct {
		List  []struct{ Name, Address *string }
		Group []struct {
			Name      *string
			Addresses []struct{ Name, Address *string }
		}
	}](t, "address") {
		if strings.Contains(row.Header, "://") || strings.Contains(row.Header, "<mailto:") {
			c.score("addresses").skip(t, row.Header, "a list of URLs (RFC 2369), not of addresses")
			continue
		}
		m := parse(t, []byte("To: "+row.Header+"\r\n\r\n"))
		var ours, theirs []string
		for _, a := range m.To {
			ours = append(ours, fmt.Sprintf("%s|%s|%s", a.Group, a.Name, a.Address))
		}
		for _, a := range row.Expected.List {
			theirs = append(theirs, fmt.Sprintf("|%s|%s", fold(deref(a.Name)), deref(a.Address)))
		}
		for _, g := range row.Expected.Group {
			for _, a := range g.Addresses {
				theirs = append(theirs, fmt.Sprintf("%s|%s|%s", deref(g.Name), fold(deref(a.Name)), deref(a.Address)))
			}
		}
		c.note(fmt.Sprintf("address.json#%d", i), "addresses", slices.Equal(ours, theirs), ours, theirs)
	}
	c.report()
}

func TestFieldIDs(t *testing.T) {
	c := newTruth(t, "stalwart", newScore("stalwart ids", floor{1, 10}, floor{1, 10}))
	for i, row := range fieldTable[[]string](t, "id") {
		m := parse(t, []byte("References: "+row.Header+"\r\n\r\n"))
		c.note(fmt.Sprintf("id.json#%d", i), "ids", slices.Equal(m.References, row.Expected), m.References, row.Expected)
	}
	c.report()
}

func TestFieldTexts(t *testing.T) {
	c := newTruth(t, "stalwart", newScore("stalwart texts", floor{1, 20}, floor{1, 20}))
	for i, row := range fieldTable[string](t, "unstructured") {
		m := parse(t, []byte("Subject: "+row.Header+"\r\n\r\n"))
		c.note(fmt.Sprintf("unstructured.json#%d", i), "texts", fold(m.Subject) == fold(row.Expected), m.Subject, row.Expected)
	}
	c.report()
}

// isemail is the test table of is_email: addresses that a validator of RFC 5321 and 5322 must tell apart.
type isemail struct {
	Tests []struct {
		ID       string `xml:"id,attr"`
		Address  string `xml:"address"`
		Category string `xml:"category"`
	} `xml:"test"`
}

// TestIsemail: every address without comments that the table calls valid, deliverable or not, is read as one mailbox and
// written as it stands, but for needless quotes.
func TestIsemail(t *testing.T) {
	s := newScore("isemail addresses", floor{1, 30}, floor{1, 30})
	b, err := os.ReadFile(filepath.Join(folder(t, "smtp/isemail-addresses"), "tests.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var table isemail
	if err := xml.Unmarshal(b, &table); err != nil {
		t.Fatal(err)
	}
	for _, row := range table.Tests {
		switch row.Category {
		case "ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321":
		default:
			s.skip(t, row.Address, row.Category)
			continue
		}
		m := parse(t, []byte("To: "+row.Address+"\r\n\r\n"))
		var ours []string
		for _, a := range m.To {
			ours = append(ours, a.Address)
		}
		// Needless quotes and quoted-pairs say nothing (RFC 5321 section 4.1.2).
		plain := strings.NewReplacer(`"`, "", `\`, "")
		same := len(ours) == 1 && plain.Replace(ours[0]) == plain.Replace(row.Address)
		s.note(t, row.ID, same, ours, row.Address)
	}
	s.report(t)
}

// TestRspamdFrom: the names of the files say what the From field holds.
func TestRspamdFrom(t *testing.T) {
	s := newScore("rspamd from", floor{1, 9}, floor{1, 9})
	files, err := filepath.Glob(filepath.Join(folder(t, "mime/rspamd-from"), "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		m := parseFile(t, path)
		row := filepath.Base(path)
		same := len(m.From) == 1 && m.From[0].Address == "user@example.org" && (m.From[0].Name != "") == (row != "from.eml")
		s.note(t, row, same, m.From, "user@example.org")
	}
	s.report(t)
}
