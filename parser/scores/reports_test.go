package scores_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
)

// arf is the report that mail-auth expects of a message.
type arf struct {
	Type          string   `json:"feedback_type"`
	ArrivalDate   *int64   `json:"arrival_date"`
	Results       []string `json:"authentication_results"`
	Incidents     int      `json:"incidents"`
	EnvelopeID    *string  `json:"original_envelope_id"`
	MailFrom      *string  `json:"original_mail_from"`
	RcptTo        *string  `json:"original_rcpt_to"`
	Domain        []string `json:"reported_domain"`
	URI           []string `json:"reported_uri"`
	MTA           *string  `json:"reporting_mta"`
	SourceIP      *string  `json:"source_ip"`
	UserAgent     *string  `json:"user_agent"`
	Version       int      `json:"version"`
	SourcePort    int      `json:"source_port"`
	AuthFailure   string   `json:"auth_failure"`
	Result        string   `json:"delivery_result"`
	ADSP          *string  `json:"dkim_adsp_dns"`
	Body          *string  `json:"dkim_canonicalized_body"`
	Header        *string  `json:"dkim_canonicalized_header"`
	DKIMDomain    *string  `json:"dkim_domain"`
	Identity      *string  `json:"dkim_identity"`
	Selector      *string  `json:"dkim_selector"`
	SelectorDNS   *string  `json:"dkim_selector_dns"`
	SPF           *string  `json:"spf_dns"`
	Alignment     string   `json:"identity_alignment"`
	ReportedMail  *string  `json:"message"`
	ReportedField *string  `json:"headers"`
}

// words leaves out white space and the angle brackets of addresses.
func words(s string) string { return strings.Trim(strings.Join(strings.Fields(s), ""), "<>") }

// keyword folds the two ways to write keywords: "BodyHash" and "bodyhash"; "Unspecified" is nothing.
func keyword(s string) string {
	s = strings.ReplaceAll(strings.ToLower(s), "-", "")
	if s == "unspecified" {
		return ""
	}
	return s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return words(*s)
}

// TestFeedback: every field of mail-auth's reports, and the feedback types of the other sets.
func TestFeedback(t *testing.T) {
	fields := newScore("arf/stalwart fields", floor{1, 120}, floor{1, 120})
	for _, file := range messages(t, "arf/stalwart-arf") {
		compareFeedback(t, fields, file)
	}
	types := newScore("arf feedback type", floor{1, 25}, floor{1, 13})
	for _, row := range table(t, "arf/sisimai") {
		m := parseFile(t, filepath.Join(folder(t, "arf/sisimai"), row[0]))
		got := "none"
		if m.Complaint != nil {
			got = m.Complaint.Type
		}
		types.note(t, row[0], m.Kind == parser.KindComplaint && (got == row[6] || row[6] == ""), got, row[6])
	}
	for _, set := range []string{"arf/abuseio", "arf/kumomta-rfc5965"} {
		for _, file := range messages(t, set) {
			m := parseFile(t, file)
			types.note(t, file, m.Kind == parser.KindComplaint && m.Complaint.Type != "", m.Complaint, m.KindReasons)
		}
	}
	fields.report(t)
	types.report(t)
}

func compareFeedback(t *testing.T, s *score, file string) {
	t.Helper()
	b, err := os.ReadFile(strings.TrimSuffix(file, ".eml") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var want arf
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	m := parseFile(t, file)
	if m.Complaint == nil {
		t.Fatalf("%s is no complaint: %q", file, m.KindReasons)
	}
	got := m.Complaint.Feedback
	same := func(field, ours, theirs string) {
		t.Helper()
		s.note(t, filepath.Base(file)+" "+field, ours == theirs, ours, theirs)
	}
	same("type", keyword(got.Type), keyword(want.Type))
	same("authentication results", words(strings.Join(got.AuthenticationResults, "|")), words(strings.Join(want.Results, "|")))
	same("envelope id", words(got.OriginalEnvelopeID), text(want.EnvelopeID))
	same("mail from", words(got.OriginalMailFrom), text(want.MailFrom))
	same("rcpt to", words(strings.Join(got.OriginalRcptTo, "|")), text(want.RcptTo))
	same("domain", strings.Join(got.ReportedDomain, "|"), strings.Join(want.Domain, "|"))
	same("uri", strings.Join(got.ReportedURI, "|"), strings.Join(want.URI, "|"))
	same("mta", words(got.ReportingMTA), text(want.MTA))
	same("source ip", words(got.SourceIP), text(want.SourceIP))
	same("user agent", words(got.UserAgent), text(want.UserAgent))
	same("auth failure", keyword(got.AuthFailure), keyword(want.AuthFailure))
	same("delivery result", keyword(got.DeliveryResult), keyword(want.Result))
	same("alignment", keyword(got.IdentityAlignment), keyword(want.Alignment))
	same("adsp", words(got.DKIMADSPDNS), text(want.ADSP))
	same("body", words(got.DKIMCanonicalizedBody), text(want.Body))
	same("header", words(got.DKIMCanonicalizedHeader), text(want.Header))
	same("dkim domain", words(got.DKIMDomain), text(want.DKIMDomain))
	same("dkim identity", words(got.DKIMIdentity), text(want.Identity))
	same("dkim selector", words(got.DKIMSelector), text(want.Selector))
	same("selector dns", words(got.DKIMSelectorDNS), text(want.SelectorDNS))
	same("spf", words(got.SPFDNS), text(want.SPF))
	s.note(t, file+" incidents", got.Incidents == want.Incidents && got.SourcePort == want.SourcePort, got, want)
	s.note(t, file+" version", got.Version == "1" && want.Version == 1, got.Version, want.Version)
	arrived := m.Complaint.Arrived
	s.note(t, file+" arrival date", want.ArrivalDate == nil && arrived.IsZero() || want.ArrivalDate != nil && arrived.Unix() == *want.ArrivalDate, got.ArrivalDate, arrived)
}

// TestAutoReplies: what answers by itself is called so; and what only looks automatic is not.
func TestAutoReplies(t *testing.T) {
	kinds := newScore("autoreply kind", floor{0.96, 31}, floor{1, 4})
	for _, set := range []string{"sisimai", "exim", "spamassassin-ooo"} {
		for _, file := range messages(t, "autoreply/"+set) {
			m := parseFile(t, file)
			kinds.note(t, file, m.Kind == parser.KindAutoReply, m.Kind, m.KindReasons)
		}
	}
	for _, file := range messages(t, "autoreply/abuseio-not-reply") {
		m := parseFile(t, file)
		kinds.note(t, file, m.Kind == parser.KindAutomated, m.Kind, m.KindReasons)
	}
	kinds.report(t)
}

// TestAggregates: the reports that machines send about mail are automated.
func TestAggregates(t *testing.T) {
	kinds := newScore("arf aggregate reports", floor{1, 7}, floor{1, 7})
	for _, set := range []string{"stalwart-dmarc-aggregate", "stalwart-tlsrpt"} {
		for _, file := range messages(t, "arf/"+set) {
			m := parseFile(t, file)
			kinds.note(t, file, m.Kind == parser.KindAutomated && strings.HasPrefix(m.KindReasons[0], "report:"), m.Kind, m.KindReasons)
		}
	}
	kinds.report(t)
}

// notHuman are the messages of mime/ that are reports or answers of machines; no other is called one.
var notHuman = map[string]string{
	"cpython/msg_05.txt.eml":         parser.KindBounce,
	"cpython/msg_16.txt.eml":         parser.KindBounce,
	"cpython/msg_25.txt.eml":         parser.KindBounce,
	"cpython/msg_43.txt.eml":         parser.KindBounce,
	"mailparser/delivery-status.eml": parser.KindBounce,
}

// TestNoFalseReports: no mail of a person is called the report of a machine.
func TestNoFalseReports(t *testing.T) {
	kinds := newScore("mime kind", floor{1, 580}, floor{1, 240})
	files, err := filepath.Glob(filepath.Join(folder(t, "mime"), "*", "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		m := parseFile(t, file)
		name := filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file)
		switch want := notHuman[name]; m.Kind {
		case parser.KindHuman, parser.KindList, parser.KindAutomated:
			kinds.note(t, name, want == "", m.Kind, want)
		default:
			kinds.note(t, name, m.Kind == want, append([]string{m.Kind}, m.KindReasons...), m.Subject)
		}
	}
	kinds.report(t)
}
