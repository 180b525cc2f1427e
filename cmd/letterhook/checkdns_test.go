package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/letterhook/letterhook/admin"
	"github.com/letterhook/letterhook/admin/dnscheck"
	"github.com/letterhook/letterhook/inbound/resolver/dnstest"
)

const dnsChecked = `hostname: mx.example.com
public_url: https://mail.example.com
data_dir: data
smtp: {listeners: [{name: mx, address: ":25", tls: starttls}]}
http: {public: {address: ":443", tls: true}}
tls: {certificates: [{cert_file: PAIR, key_file: PAIR}]}
authentication: {dns_servers: ["SERVER"]}
endpoints: [{name: app, url: "https://app.example.com/", secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz]}]
domains:
DOMAINS`

// dnsCheck is a run of check --dns, and what it found.
type dnsCheck struct {
	code   int
	human  string
	report dnscheck.Report
}

// finding gives the lines "state what: text | record" about a name and a thing.
func (c *dnsCheck) finding(name, what string) string {
	var lines []string
	for _, section := range c.report {
		for _, f := range section.Findings {
			if section.Name == name && f.What == what {
				lines = append(lines, strings.Join(append([]string{string(f.State) + ": " + f.Text}, f.Publish...), " | "))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// policyServer serves policies of MTA-STS for any host, and a client that goes nowhere else.
func policyServer(t *testing.T, serve http.HandlerFunc) *http.Client {
	t.Helper()
	server := httptest.NewTLSServer(serve)
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "example.com"}, // what the certificate of httptest is for
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// runDNS runs the command twice, for people and as JSON.
func runDNS(t *testing.T, server *dnstest.Server, pair, domains string, client *http.Client) *dnsCheck {
	t.Helper()
	path := filepath.Join(t.TempDir(), "letterhook.yaml")
	text := strings.NewReplacer("PAIR", pair, "SERVER", server.Addr, "DOMAINS", domains).Replace(dnsChecked)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &dnsCheck{}
	for _, asJSON := range []bool{false, true} {
		var out bytes.Buffer
		o := checkOptions{path: path, dns: true, json: asJSON, client: client}
		err := o.run(t.Context(), &out)
		code := exitOK
		if exit, exits := errors.AsType[*exitError](err); exits {
			code = exit.code
		} else if err != nil {
			t.Fatal(err)
		}
		if !asJSON {
			c.code, c.human = code, out.String()
			continue
		}
		var result struct {
			OK  bool
			DNS dnscheck.Report
		}
		if err := json.Unmarshal(out.Bytes(), &result); err != nil || code != c.code || result.OK != (code == exitOK) {
			t.Fatalf("JSON, code %d and %d: %v\n%s", code, c.code, err, &out)
		}
		c.report = result.DNS
	}
	t.Logf("exit code %d\n%s", c.code, c.human)
	return c
}

// pairFor writes a certificate for the hostname, and gives the file and the digest of its key.
func pairFor(t *testing.T) (path, digest string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "pair.pem")
	writeIdentityFor(t, path, 1, "mx.example.com")
	pair, err := tls.LoadX509KeyPair(path, path)
	if err != nil {
		t.Fatal(err)
	}
	return path, fmt.Sprintf("%x", sha256.Sum256(pair.Leaf.RawSubjectPublicKeyInfo))
}

// TestCheckDNSAllIsWell publishes what the empty zone was told to, word for word, and then all is well.
func TestCheckDNSAllIsWell(t *testing.T) {
	pair, digest := pairFor(t)
	domains := "  - {name: in.example.com, mta_sts: {mode: enforce}, routes: [{match: '*', endpoints: [app]}]}\n" +
		"  - {name: bücher.example, routes: [{match: '*', endpoints: [app]}]}\n" +
		"  - {name: '*.wild.example', routes: [{match: '*', endpoints: [app]}]}\n"
	policy := admin.Policy{Mode: "enforce", MX: []string{"mx.example.com"}, MaxAge: 7 * 24 * 3600e9}
	client := policyServer(t, admin.Policies(func(host string) (admin.Policy, bool) { return policy, host == "mta-sts.in.example.com" }, http.NotFoundHandler()).ServeHTTP)

	empty := dnstest.New(t)
	before := runDNS(t, empty, pair, domains, client)
	if before.code != exitFailed {
		t.Errorf("an empty zone is answered with %d", before.code)
	}
	filled := dnstest.New(t, "mx.example.com. A 192.0.2.25", "mx.example.com. AAAA 2001:db8::25")
	for _, section := range before.report {
		for _, f := range section.Findings {
			for _, line := range f.Publish {
				if strings.Contains(line, "<") {
					continue // an address that only the operator knows
				}
				rr, err := dns.NewRR(line)
				if err != nil || rr == nil {
					t.Fatalf("%q is no line of a zone file: %v", line, err)
				}
				filled.Add(rr)
			}
		}
	}
	between := runDNS(t, filled, pair, domains, client)
	for _, section := range between.report {
		for _, f := range section.Findings {
			if f.What == "PTR" && f.State != dnscheck.Missing {
				t.Errorf("PTR: %+v", f)
			}
			for _, line := range f.Publish {
				rr, err := dns.NewRR(line)
				if err != nil || rr == nil {
					t.Fatalf("%q is no line of a zone file: %v", line, err)
				}
				filled.Add(rr)
			}
		}
	}
	after := runDNS(t, filled, pair, domains, client)
	if after.code != exitOK {
		t.Errorf("with all that it told to publish it is answered with %d", after.code)
	}
	for name, want := range map[[2]string]string{
		{"mx.example.com", "A, AAAA"}:        "ok: 192.0.2.25, 2001:db8::25",
		{"mx.example.com", "TLSA"}:           "ok: is the key of the certificate; it counts only in a zone signed by DNSSEC",
		{"in.example.com", "MX"}:             "ok: 10 mx.example.com.",
		{"in.example.com", "policy"}:         "ok: https://mta-sts.in.example.com/.well-known/mta-sts.txt, mode enforce",
		{"in.example.com", "SPF"}:            "ok: v=spf1 -all",
		{"in.example.com", "TLSRPT"}:         "ok: v=TLSRPTv1; rua=mailto:postmaster@in.example.com",
		{"xn--bcher-kva.example", "MX"}:      "ok: 10 mx.example.com.",
		{"*.wild.example", "MX"}:             "ok: 10 mx.example.com.",
		{"xn--bcher-kva.example", "MTA-STS"}: "advice: none; with mta_sts in the configuration senders verify the certificate",
		{"in.example.com", "MTA-STS"}:        "ok: " + policy.Record(),
	} {
		if got := after.finding(name[0], name[1]); got != want {
			t.Errorf("%s of %s: %q, want %q", name[1], name[0], got, want)
		}
	}
	if got := before.finding("mx.example.com", "TLSA"); !strings.HasSuffix(got, "| _25._tcp.mx.example.com. TLSA 3 1 1 "+digest) {
		t.Errorf("TLSA %q", got)
	}
}

// TestCheckDNSMistakes has a zone with one mistake for each row.
func TestCheckDNSMistakes(t *testing.T) {
	pair, digest := pairFor(t)
	shown, err := tls.LoadX509KeyPair(pair, pair)
	if err != nil {
		t.Fatal(err)
	}
	leaf := shown.Leaf
	const good = "in.example.com. MX 10 mx.example.com."
	policy := admin.Policy{Mode: "enforce", MX: []string{"mx.example.com"}, MaxAge: 7 * 24 * 3600e9}
	for name, tt := range map[string]struct {
		zone       []string
		at, what   string
		want       string // the beginning
		code       int
		mtaSTS     bool
		served     string
		redirected bool
	}{
		"no MX":                      {nil, "in.example.com", "MX", "missing: none: nobody can write to the domain | in.example.com. MX 10 mx.example.com.", 1, false, "", false},
		"no MX, but an address":      {[]string{"in.example.com. A 192.0.2.9"}, "in.example.com", "MX", "missing: none, so mail goes to the address of the domain itself, 192.0.2.9", 1, false, "", false},
		"null MX":                    {[]string{"in.example.com. MX 0 ."}, "in.example.com", "MX", "wrong: the null MX", 1, false, "", false},
		"MX elsewhere":               {[]string{"in.example.com. MX 10 mx.elsewhere.example.", "mx.elsewhere.example. A 192.0.2.8"}, "in.example.com", "MX", "wrong: leads to 10 mx.elsewhere.example., not to this server", 1, false, "", false},
		"a second MX":                {[]string{good, "in.example.com. MX 20 b.example.", "b.example. A 192.0.2.8"}, "in.example.com", "MX", "ok: 10 mx.example.com., 20 b.example.; the others", 0, false, "", false},
		"a second MX, dangling":      {[]string{good, "in.example.com. MX 20 b.example."}, "in.example.com", "MX", "ok: 10 mx.example.com., 20 b.example.; the others must take the mail as well, and hand on what they take\nwrong: b.example. has no address", 1, false, "", false},
		"a second MX, an alias":      {[]string{good, "in.example.com. MX 20 b.example.", "b.example. CNAME c.example.", "c.example. A 192.0.2.8"}, "in.example.com", "MX", "ok: 10 mx.example.com., 20 b.example.; the others must take the mail as well, and hand on what they take\nwrong: b.example. is an alias of c.example.", 1, false, "", false},
		"MX to an address":           {[]string{"in.example.com. MX 10 192.0.2.25."}, "in.example.com", "MX", "wrong: leads to 10 192.0.2.25., not to this server | in.example.com. MX 10 mx.example.com.\nwrong: 192.0.2.25. is an address", 1, false, "", false},
		"an alias":                   {[]string{"in.example.com. CNAME other.example.", "other.example. MX 10 mx.example.com."}, "in.example.com", "CNAME", "wrong: is an alias of other.example.", 1, false, "", false},
		"wildcard MX":                {[]string{good, "*.in.example.com. MX 10 mx.example.com."}, "in.example.com", "wildcard MX", "advice: mail for every name below comes here and is refused", 0, false, "", false},
		"hostname is an alias":       {[]string{good, "mx.example.com. CNAME host.example."}, "mx.example.com", "CNAME", "wrong: is an alias of host.example.", 1, false, "", false},
		"no SPF":                     {[]string{good}, "in.example.com", "SPF", "advice: none; ", 0, false, "", false},
		"two SPF":                    {[]string{good, `in.example.com. TXT "v=spf1 -all"`, `in.example.com. TXT "v=spf1 mx -all"`}, "in.example.com", "SPF", "wrong: 2 records", 1, false, "", false},
		"two TLSRPT":                 {[]string{good, `_smtp._tls.in.example.com. TXT "v=TLSRPTv1; rua=mailto:a@b.example"`, `_smtp._tls.in.example.com. TXT "v=TLSRPTv1;"`}, "in.example.com", "TLSRPT", "wrong: 2 records", 1, false, "", false},
		"TLSRPT to nobody":           {[]string{good, `_smtp._tls.in.example.com. TXT "v=TLSRPTv1;"`}, "in.example.com", "TLSRPT", "wrong: v=TLSRPTv1; names no address", 1, false, "", false},
		"TLSA of another key":        {[]string{good, "_25._tcp.mx.example.com. TLSA 3 1 1 " + strings.Repeat("ab", 32)}, "mx.example.com", "TLSA", "wrong: no record is the certificate's: senders that know DANE do not deliver | _25._tcp.mx.example.com. TLSA 3 1 1 " + digest, 1, false, "", false},
		"TLSA of an authority":       {[]string{good, "_25._tcp.mx.example.com. TLSA 2 1 1 " + strings.Repeat("ab", 32)}, "mx.example.com", "TLSA", "ok: is of an authority, ", 0, false, "", false},
		"TLSA by SHA-512":            {[]string{good, "_25._tcp.mx.example.com. TLSA 3 1 2 " + fmt.Sprintf("%x", sha512.Sum512(leaf.RawSubjectPublicKeyInfo))}, "mx.example.com", "TLSA", "ok: is the key of the certificate; ", 0, false, "", false},
		"TLSA of the whole key":      {[]string{good, "_25._tcp.mx.example.com. TLSA 3 1 0 " + fmt.Sprintf("%x", leaf.RawSubjectPublicKeyInfo)}, "mx.example.com", "TLSA", "ok: is the key of the certificate; ", 0, false, "", false},
		"TLSA of the certificate":    {[]string{good, "_25._tcp.mx.example.com. TLSA 3 0 1 " + fmt.Sprintf("%x", sha256.Sum256(leaf.Raw))}, "mx.example.com", "TLSA", "ok: is the certificate, which is another one after each renewal", 0, false, "", false},
		"TLSA for the web":           {[]string{good, "_25._tcp.mx.example.com. TLSA 1 1 1 " + digest}, "mx.example.com", "TLSA", "wrong: no record is the certificate's", 1, false, "", false},
		"MTA-STS record but no more": {[]string{good, `_mta-sts.in.example.com. TXT "v=STSv1; id=1;"`}, "in.example.com", "MTA-STS", "advice: there is a record and no mta_sts", 0, false, "", false},
		"no MTA-STS record":          {[]string{good, "mta-sts.in.example.com. CNAME mx.example.com."}, "in.example.com", "MTA-STS", "missing: no record: senders do not look for the policy | _mta-sts.in.example.com. TXT \"" + policy.Record() + "\"", 1, true, policy.String(), false},
		"old MTA-STS id":             {[]string{good, "mta-sts.in.example.com. CNAME mx.example.com.", `_mta-sts.in.example.com. TXT "v=STSv1; id=1;"`}, "in.example.com", "MTA-STS", "wrong: v=STSv1; id=1; has the id of another policy", 1, true, policy.String(), false},
		"no policy host":             {[]string{good, `_mta-sts.in.example.com. TXT "` + policy.Record() + `"`}, "in.example.com", "policy host", "missing: no address for mta-sts.in.example.com: nobody can fetch the policy | mta-sts.in.example.com. CNAME mx.example.com.", 1, true, "", false},
		"another policy":             {[]string{good, "mta-sts.in.example.com. CNAME mx.example.com.", `_mta-sts.in.example.com. TXT "` + policy.Record() + `"`}, "in.example.com", "policy", "wrong: https://mta-sts.in.example.com/.well-known/mta-sts.txt is another policy", 1, true, "version: STSv1\nmode: none\n", false},
		"redirected policy":          {[]string{good, "mta-sts.in.example.com. CNAME mx.example.com.", `_mta-sts.in.example.com. TXT "` + policy.Record() + `"`}, "in.example.com", "policy", "wrong: https://mta-sts.in.example.com/.well-known/mta-sts.txt answers 302", 1, true, "", true},
		"an exchanger not in the policy": {[]string{good, "in.example.com. MX 20 b.example.", "b.example. A 192.0.2.8", "mta-sts.in.example.com. CNAME mx.example.com.", `_mta-sts.in.example.com. TXT "` + policy.Record() + `"`}, "in.example.com", "MTA-STS",
			"ok: " + policy.Record() + "\nwrong: the policy does not name the exchanger b.example.", 1, true, policy.String(), false},
	} {
		t.Run(name, func(t *testing.T) {
			zone := tt.zone
			if tt.what != "CNAME" || tt.at != "mx.example.com" {
				zone = append(slices.Clone(zone), "mx.example.com. A 192.0.2.25", "25.2.0.192.in-addr.arpa. PTR mx.example.com.")
			} else {
				zone = append(slices.Clone(zone), "host.example. A 192.0.2.25", "25.2.0.192.in-addr.arpa. PTR mx.example.com.")
			}
			settings := ""
			if tt.mtaSTS {
				settings = "mta_sts: {mode: enforce}, "
			}
			client := policyServer(t, func(w http.ResponseWriter, r *http.Request) {
				if tt.redirected {
					http.Redirect(w, r, "/elsewhere", http.StatusFound)
					return
				}
				w.Header().Set("Content-Type", "text/plain")
				_, _ = w.Write([]byte(tt.served))
			})
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			c := runDNS(t, dnstest.New(t, zone...), pair, "  - {name: in.example.com, "+settings+"routes: [{match: '*', endpoints: [app]}]}\n", client)
			if got := c.finding(tt.at, tt.what); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if c.code != tt.code {
				t.Errorf("exit code %d, want %d", c.code, tt.code)
			}
		})
	}
}

// TestCheckDNSReverse looks at the names of addresses.
func TestCheckDNSReverse(t *testing.T) {
	pair, _ := pairFor(t)
	for want, records := range map[string][]string{
		"ok: 192.0.2.25 is mx.example.com.":             {"25.2.0.192.in-addr.arpa. PTR mx.example.com."},
		"ok: 192.0.2.25 is host.isp.example., which":    {"25.2.0.192.in-addr.arpa. PTR host.isp.example.", "host.isp.example. A 192.0.2.25"},
		"wrong: 192.0.2.25 is host.isp.example., which": {"25.2.0.192.in-addr.arpa. PTR host.isp.example.", "host.isp.example. A 192.0.2.26"},
		"missing: 192.0.2.25 has no name; who gave you the address can publish one | 25.2.0.192.in-addr.arpa. PTR mx.example.com.": nil,
	} {
		zone := append(slices.Clone(records), "mx.example.com. A 192.0.2.25", "in.example.com. MX 10 mx.example.com.")
		c := runDNS(t, dnstest.New(t, zone...), pair, "  - {name: in.example.com, routes: [{match: '*', endpoints: [app]}]}\n", http.DefaultClient)
		if got := c.finding("mx.example.com", "PTR"); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	c := runDNS(t, dnstest.New(t, "mx.example.com. A 10.0.0.1"), pair, "  - {name: in.example.com, routes: [{match: '*', endpoints: [app]}]}\n", http.DefaultClient)
	if got := c.finding("mx.example.com", "A, AAAA"); !strings.HasPrefix(got, "wrong: 10.0.0.1; 10.0.0.1 cannot be reached") {
		t.Errorf("%q", got)
	}
}

// TestCheckDNSTrouble: what could not be found out is neither missing nor wrong, and the exit code says to come again.
func TestCheckDNSTrouble(t *testing.T) {
	pair, _ := pairFor(t)
	server := dnstest.New(t, "mx.example.com. A 192.0.2.25", "25.2.0.192.in-addr.arpa. PTR mx.example.com.")
	server.Fail("in.example.com", dns.RcodeServerFailure)
	c := runDNS(t, server, pair, "  - {name: in.example.com, routes: [{match: '*', endpoints: [app]}]}\n", http.DefaultClient)
	if c.code != exitTemporary {
		t.Errorf("exit code %d", c.code)
	}
	if got := c.finding("in.example.com", "MX"); !strings.HasPrefix(got, "unknown: DNS does not answer: ") {
		t.Errorf("%q", got)
	}
}
