package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/letterhook/letterhook/inbound/resolver/nameserver"
)

// VerdictReport says what the events told of who sent the mails: how many passed each check. A request that came twice counts
// twice.
type VerdictReport struct {
	Events    int `json:"events"`     // that were looked at
	Unchecked int `json:"unchecked"`  // of these had no results, as if nobody had checked
	DMARC     int `json:"dmarc_pass"` // and so many passed
	SPF       int `json:"spf_pass"`
	DKIM      int `json:"dkim_pass"`
	ARC       int `json:"arc_pass"`
	IPRev     int `json:"iprev_pass"`
	// DNSQuestions is how many questions the server asked.
	DNSQuestions int `json:"dns_questions"`
}

// senders are those whose mail is checked, the DNS server that knows them, and what the server under test says of them.
type senders struct {
	dns  *nameserver.Server
	mu   sync.Mutex
	seen VerdictReport
}

// startSenders makes the load one of signed mails, and has the receiver count what the events say. The caller closes the DNS server.
func startSenders(o *Options, receiver *Receiver) (*senders, error) {
	dns, err := nameserver.Start("1.0.0.127.in-addr.arpa. PTR mail.provider.example.", "mail.provider.example. A 127.0.0.1")
	if err != nil {
		return nil, err
	}
	if o.Cold {
		dns.Expire()
	}
	if o.Authors, err = newAuthors(o.Load, o.Unseen, dns); err != nil {
		return nil, errors.Join(err, dns.Close())
	}
	s := &senders{dns: dns}
	receiver.Observe(s.observe)
	return s, nil
}

// configure has the server be one like that of dev, save that it checks who sent the mail from this machine.
func (s *senders) configure(o *Options, data, url string, options *ServerOptions) error {
	if err := options.freeAddrs(); err != nil {
		return err
	}
	_, domain, _ := strings.Cut(o.to(0), "@")
	return options.writeConfig(data, fmt.Sprintf(`hostname: localhost
public_url: http://%[1]s
data_dir: %[2]s
smtp:
  listeners: [{name: mx, address: %[3]q, tls: none}]
  max_connections_per_ip: 2000
  max_messages: 1000000
defence: {exempt_networks: [0.0.0.0/0, "::/0"]}
authentication: {dns_servers: [%[4]q], skip_networks: []}
http:
  public: {address: %[1]q}
  private: {address: %[1]q}
storage: {min_free: 64MiB}
log: {level: warn}
endpoints: [{name: app, url: %[5]q, secrets: [%[6]q], allow_private: true, concurrency: 16}]
domains: [{name: %[7]q, routes: [{match: "*", endpoints: [app]}]}]
`, options.HTTP, data, options.SMTP, s.dns.Addr, url, o.Secret, domain))
}

// results is the part of an event that tells who sent the mail.
type results struct {
	SPF, DMARC, ARC, IPRev struct{ Result string }
	DKIM                   []struct{ Result string }
}

// observe reads an event no further than it has to: the receiver shares its processors with the server under test.
func (s *senders) observe(_ http.Header, body []byte) {
	const name = `"authentication":`
	var r *results
	if _, rest, found := bytes.Cut(body, []byte(name)); found {
		if err := json.NewDecoder(bytes.NewReader(rest)).Decode(&r); err != nil {
			r = nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.Events++
	if r == nil {
		s.seen.Unchecked++
		return
	}
	count := func(n *int, result string) {
		if result == "pass" {
			*n++
		}
	}
	count(&s.seen.DMARC, r.DMARC.Result)
	count(&s.seen.SPF, r.SPF.Result)
	count(&s.seen.ARC, r.ARC.Result)
	count(&s.seen.IPRev, r.IPRev.Result)
	if len(r.DKIM) > 0 {
		count(&s.seen.DKIM, r.DKIM[0].Result)
	}
}

func (s *senders) report() *VerdictReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	rep := s.seen
	rep.DNSQuestions = s.dns.Total()
	return &rep
}
