package mailauth_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

// readMail reads a file of testdata as it would come over SMTP: lines end with CR LF.
func readMail(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return crlf(string(data))
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

func TestARCSuite(t *testing.T) {
	data, err := os.ReadFile("testdata/arc/arc-draft-validation-tests.json")
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct {
		Description string
		Tests       map[string]struct{ Message, CV string }
		TXTRecords  map[string]string `json:"txt-records"`
	}
	if err := json.Unmarshal(data, &groups); err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, g := range groups {
		server := dnstest.New(t)
		for name, text := range g.TXTRecords {
			server.AddTXT(name, strings.TrimSpace(text))
		}
		for name, test := range g.Tests {
			if test.CV == "" { // the suite leaves open what the result is
				continue
			}
			cases++
			t.Run(g.Description+"/"+name, func(t *testing.T) {
				got := check(t, newChecker(t, server), "192.0.2.1", "h.example", "a@b.example", crlf(test.Message)).ARC
				if want := strings.ToLower(test.CV); string(got.Result) != want {
					t.Errorf("%s (%s), want %s", got.Result, got.Error, want)
				}
			})
		}
	}
	if cases != 168 {
		t.Errorf("%d cases, want 168", cases)
	}
}

// words gives the results of the signatures of a message in one line.
func words(list []inbound.DKIMResult) string {
	var all []string
	for i := range list {
		all = append(all, string(list[i].Result))
	}
	return strings.Join(all, " ")
}

// TestDKIMStalwart holds real mail: everything passes but the signature of the author that a list broke.
func TestDKIMStalwart(t *testing.T) {
	want := map[string]string{
		"001.txt": "pass pass", "002.txt": "pass", "003.txt": "pass pass", "004.txt": "pass", "005.txt": "pass", "006.txt": "pass",
	}
	for _, path := range files(t, "testdata/dkim-stalwart/dkim/*.txt") {
		if got := checkStalwart(t, path).DKIM; words(got) != want[filepath.Base(path)] {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestARCStalwart(t *testing.T) {
	for _, path := range files(t, "testdata/dkim-stalwart/arc/*.txt") {
		if got := checkStalwart(t, path).ARC; got.Result != inbound.ResultPass {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func checkStalwart(t *testing.T, path string) *inbound.AuthResults {
	t.Helper()
	records, message, _ := strings.Cut(readMail(t, path), "\r\n\r\n")
	server := dnstest.New(t)
	serveLines(server, records)
	beforeExpiry := time.Date(2018, 6, 10, 18, 0, 0, 0, time.UTC)
	return checkAt(t, newChecker(t, server), beforeExpiry, "192.0.2.1", "h.example", "a@b.example", message)
}

func serveLines(server *dnstest.Server, lines string) {
	for line := range strings.SplitSeq(lines, "\r\n") {
		if name, text, ok := strings.Cut(line, " "); ok {
			server.AddTXT(name, text)
		}
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	return paths
}

// rspamdServer serves the records of testdata/dmarc-rspamd.
func rspamdServer(t *testing.T) *dnstest.Server {
	t.Helper()
	data, err := os.ReadFile("testdata/dmarc-rspamd/dns.json")
	if err != nil {
		t.Fatal(err)
	}
	var records []struct {
		Name, Type, Rcode string
		Replies           []string
	}
	if err := json.Unmarshal(data, &records); err != nil {
		t.Fatal(err)
	}
	server := dnstest.New(t)
	for _, r := range records {
		switch {
		case r.Rcode == "timeout":
			server.Fail(r.Name, dns.RcodeServerFailure)
		case r.Type == "TXT":
			for _, text := range r.Replies {
				server.AddTXT(r.Name, text)
			}
		}
	}
	return server
}

func TestDMARCRspamd(t *testing.T) {
	file, err := os.Open("testdata/dmarc-rspamd/truth.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader := csv.NewReader(file)
	reader.Comma = '\t'
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	server := rspamdServer(t)
	meaning := map[string]string{
		"DMARC_POLICY_ALLOW": "pass", "DMARC_POLICY_REJECT": "fail reject", "DMARC_POLICY_QUARANTINE": "fail quarantine",
		"DMARC_POLICY_SOFTFAIL": "fail none", "DMARC_NA": "none", "DMARC_DNSFAIL": "temperror",
	}
	// RFC 9989 has no Public Suffix List: with a record at the subdomain alone, each is an organisation of its own.
	newer := map[string]string{
		"DMARC SUBDOMAIN PASS DKIM RELAXED ALIGNMENT": "fail reject",
		"DMARC SUBDOMAIN PASS SPF RELAXED ALIGNMENT":  "fail reject",
	}
	for _, row := range rows[1:] {
		want, differs := newer[row[0]]
		if !differs {
			want = meaning[row[5]]
		}
		t.Run(row[0], func(t *testing.T) {
			d := check(t, newChecker(t, server), row[2], row[4], row[3], readMail(t, "testdata/dmarc-rspamd/"+row[1])).DMARC
			got := string(d.Result)
			if d.Result == inbound.ResultFail {
				got += " " + d.Policy
			}
			if got != want {
				t.Errorf("%s, want %s: %+v", got, want, d)
			}
		})
	}
}

// TestDKIMChasquid has, for each case, the results in the order of the header. Two differ from what the case's own .result says:
// we look at 10 signatures and not at 5, and a signature with l= is refused by policy.
func TestDKIMChasquid(t *testing.T) {
	const rfc8463 = "01-rfc8463"
	for _, test := range []struct{ name, message, records, want string }{
		{rfc8463, rfc8463, rfc8463, "pass pass"},
		{"more than five", "02-too_many_headers", rfc8463, "pass pass pass pass pass pass pass"},
		{"a header that begins with a folded line", "03-bad_message", rfc8463, ""},
		{"unknown version", "04-bad_dkim_signature_header", rfc8463, "permerror"},
		{"temporary error of DNS", "05-dns_temp_error", "05-dns_temp_error", "temperror pass"},
		{"permanent error of DNS", "06-dns_perm_error", "06-dns_perm_error", "permerror pass"},
		{"two keys under one selector", rfc8463, "07-algo_mismatch", "pass pass"},
		{"three signatures", "08-our_signature", "08-our_signature", "pass pass pass"},
		{"l=", "09-limited_body", "08-our_signature", "policy pass pass"},
		{"t=s kept", rfc8463, "10-strict_domain_check_pass", "pass pass"},
		{"t=s broken", "11-strict_domain_check_fail", "11-strict_domain_check_fail", "permerror"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := dnstest.New(t)
			serveChasquid(t, server, "testdata/dkim-chasquid/"+test.records+".dns")
			message := readMail(t, "testdata/dkim-chasquid/"+test.message+".msg")
			if got := check(t, newChecker(t, server), "192.0.2.1", "h.example", "a@b.example", message).DKIM; words(got) != test.want {
				t.Errorf("%+v, want %s", got, test.want)
			}
		})
	}
}

// serveChasquid serves a file of "name: text", where "\" joins lines.
func serveChasquid(t *testing.T, server *dnstest.Server, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.ReplaceAll(string(data), "\\\n", ""), "\n") {
		name, text, ok := strings.Cut(line, ": ")
		switch text = strings.TrimSpace(text); {
		case !ok:
		case text == "TEMPERROR":
			server.Fail(name, dns.RcodeServerFailure)
		case text == "PERMERROR": // the only one that DNS has for good: there is no such name
		default:
			server.AddTXT(name, text)
		}
	}
}

// TestDKIMMailDKIM needs a corpus whose licence keeps it out of this repository: CORPUS names the folder that holds it. What
// RFC 8301 took away since, SHA-1 and short keys, is permerror; so are drafts of DKIM; DomainKeys is no DKIM.
func TestDKIMMailDKIM(t *testing.T) {
	folder := filepath.Join(os.Getenv("CORPUS"), "auth", "dkim-mail-dkim")
	if _, err := os.Stat(folder); os.Getenv("CORPUS") == "" || err != nil {
		t.Skip("no CORPUS with auth/dkim-mail-dkim")
	}
	server := dnstest.New(t)
	for line := range strings.SplitSeq(readMail(t, filepath.Join(folder, "FAKE_DNS.dat")), "\r\n") {
		name, text, ok := strings.Cut(line, " ")
		switch text = strings.TrimSpace(text); {
		case !ok || text == "NXDOMAIN" || strings.HasPrefix(name, "#"):
		case strings.HasPrefix(text, "~~"):
			server.Fail(name, dns.RcodeServerFailure)
		default:
			server.AddTXT(name, text)
		}
	}
	for i, line := range strings.Split(readMail(t, filepath.Join(folder, "truth.tsv")), "\r\n") {
		row := strings.Split(line, "\t")
		if i == 0 || len(row) < 7 {
			continue
		}
		bits, _ := strconv.Atoi(row[5])
		want := map[string]string{"pass": "pass", "fail": "fail", "invalid": "permerror"}[row[1]]
		switch {
		case row[2] != "DKIM":
			want = ""
		case row[3] != "1" || row[4] == "rsa-sha1" || bits > 0 && bits < 1024:
			want = "permerror"
		}
		got := check(t, newChecker(t, server), "192.0.2.1", "h.example", "a@b.example", readMail(t, filepath.Join(folder, row[0]))).DKIM
		if results := slices.Compact(strings.Fields(words(got))); strings.Join(results, " ") != want {
			t.Errorf("%s: %+v, want %s", row[0], got, want)
		}
	}
}
