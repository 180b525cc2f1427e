package dnscheck

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/letterhook/letterhook/admin"
)

// mtaSTS looks at MTA-STS (RFC 8461): the record, the host of the policy, the policy as strangers get it, and the exchangers
// that it names.
func (k checker) mtaSTS(ctx context.Context, s *Section, d Domain, exchangers []*net.MX) {
	at := "_mta-sts." + d.Name
	found, err := k.Resolver.LookupTXT(ctx, at)
	if s.unknown("MTA-STS", err) {
		return
	}
	var records []string
	for _, t := range found {
		if strings.HasPrefix(t, "v=STSv1;") {
			records = append(records, t)
		}
	}
	if d.Policy == nil {
		if len(records) > 0 {
			s.add("MTA-STS", Advice, "there is a record and no mta_sts in the configuration: the policy is not served here")
			return
		}
		s.add("MTA-STS", Advice, "none; with mta_sts in the configuration senders verify the certificate")
		return
	}
	want := d.Policy.Record()
	fix := record(at, "TXT", text(want))
	switch {
	case len(records) == 0:
		s.add("MTA-STS", Missing, "no record: senders do not look for the policy", fix)
	case len(records) > 1:
		s.add("MTA-STS", Wrong, fmt.Sprintf("%d records, which count as none (RFC 8461 section 3.1)", len(records)), fix)
	case strings.TrimSuffix(records[0], ";") != strings.TrimSuffix(want, ";"):
		s.add("MTA-STS", Wrong, records[0]+" has the id of another policy: senders keep the one that they remember", fix)
	default:
		s.add("MTA-STS", OK, records[0])
	}
	k.policy(ctx, s, d)
	for _, mx := range exchangers {
		if d.Policy.Mode != "none" && !covers(d.Policy.MX, mx.Host) {
			s.add("MTA-STS", Wrong, "the policy does not name the exchanger "+mx.Host+": senders do not deliver to it")
		}
	}
}

// policy fetches the policy as a sender would.
func (k checker) policy(ctx context.Context, s *Section, d Domain) {
	host := "mta-sts." + d.Name
	_, err := k.Resolver.LookupIPAddr(ctx, host)
	if s.unknown("policy host", err) {
		return
	}
	if err != nil {
		s.add("policy host", Missing, "no address for "+host+": nobody can fetch the policy", record(host, "CNAME", absolute(k.Hostname)))
		return
	}
	url := "https://" + host + admin.PolicyPath
	body, err := k.fetch(ctx, url)
	switch {
	case err != nil:
		s.add("policy", Wrong, err.Error())
	case strings.ReplaceAll(body, "\r\n", "\n") != strings.ReplaceAll(d.Policy.String(), "\r\n", "\n"):
		s.add("policy", Wrong, url+" is another policy than that of the configuration: "+strings.Join(strings.Fields(body), " "))
	default:
		s.add("policy", OK, fmt.Sprintf("%s, mode %s", url, d.Policy.Mode))
	}
}

// maxPolicy is more than any policy needs; RFC 8461 section 3.3 suggests 64 KB.
const maxPolicy = 64 << 10

func (k checker) fetch(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := k.Client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPolicy))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading %s: %w", url, err)
	case response.StatusCode != http.StatusOK: // section 3.3: nothing but 200 counts, redirects neither
		return "", fmt.Errorf("%s answers %s", url, response.Status)
	case !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain"):
		return "", fmt.Errorf("%s is %s, not text/plain", url, response.Header.Get("Content-Type"))
	}
	return string(body), nil
}

// covers says whether a pattern of a policy is for host (section 4.1): "*." stands for exactly one label.
func covers(patterns []string, host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	for _, pattern := range patterns {
		if rest, wild := strings.CutPrefix(pattern, "*."); wild && same(rest, parent) || same(pattern, host) {
			return true
		}
	}
	return false
}
