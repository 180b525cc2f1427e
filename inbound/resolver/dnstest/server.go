// Package dnstest runs a DNS server on loopback for tests.
package dnstest

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Server answers for everything as a recursive server would, over UDP and TCP at one port. Records may be added while it
// runs.
type Server struct {
	// Addr is where it listens, as host:port.
	Addr string

	mu      sync.Mutex
	records map[string][]dns.RR // by name, lower case and absolute
	rcodes  map[string]int      // names that are answered with an error
	silent  map[string]bool     // names that are not answered
	asked   map[string]int      // by "name type"
}

// New starts a server and stops it at the end of the test. records are lines of a zone file with absolute names; the default
// TTL is an hour.
func New(t testing.TB, records ...string) *Server {
	t.Helper()
	s := &Server{records: map[string][]dns.RR{}, rcodes: map[string]int{}, silent: map[string]bool{}, asked: map[string]int{}}
	for _, line := range records {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatalf("record %q: %v", line, err)
		}
		s.Add(rr)
	}
	udp, tcp := listen(t)
	s.Addr = udp.LocalAddr().String()
	var running sync.WaitGroup
	t.Cleanup(running.Wait) // behind the shutdowns, which are registered later
	for _, server := range []*dns.Server{{PacketConn: udp, Handler: s}, {Listener: tcp, Handler: s}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		running.Go(func() {
			if err := server.ActivateAndServe(); err != nil {
				t.Errorf("DNS server: %v", err)
			}
		})
		<-started
		t.Cleanup(func() {
			if err := server.Shutdown(); err != nil {
				t.Errorf("stopping the DNS server: %v", err)
			}
		})
	}
	return s
}

// listen finds a port that is free for both.
func listen(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp
		}
		udp.Close()
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

// Add adds records.
func (s *Server) Add(records ...dns.RR) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rr := range records {
		name := canonical(rr.Header().Name)
		s.records[name] = append(s.records[name], rr)
	}
}

// AddTXT adds a TXT record of any octets, cut into strings of 255.
func (s *Server) AddTXT(name, text string) {
	txt := &dns.TXT{Hdr: dns.RR_Header{Name: dns.Fqdn(name), Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 3600}, Txt: []string{}}
	for {
		cut := min(len(text), 255)
		txt.Txt = append(txt.Txt, escape(text[:cut]))
		if text = text[cut:]; text == "" {
			break
		}
	}
	s.Add(txt)
}

// escape writes octets as the DNS library wants texts.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Fail answers questions about a name with an error, for example [dns.RcodeServerFailure].
func (s *Server) Fail(name string, rcode int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rcodes[canonical(name)] = rcode
}

// Silence leaves questions about a name without an answer.
func (s *Server) Silence(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent[canonical(name)] = true
}

// Asked is how often a name was asked for, with a type like "TXT", over UDP.
func (s *Server) Asked(name, qtype string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[canonical(name)+" "+qtype]
}

// ServeDNS implements [dns.Handler].
func (s *Server) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	reply := new(dns.Msg)
	reply.SetReply(query)
	reply.RecursionAvailable = true
	question := query.Question[0]
	name := canonical(question.Name)
	overUDP := w.RemoteAddr().Network() == "udp"
	s.mu.Lock()
	if overUDP {
		s.asked[name+" "+dns.TypeToString[question.Qtype]]++
	}
	rcode, fails := s.rcodes[name]
	silent := s.silent[name]
	if !fails {
		s.answer(reply, name, question.Qtype)
	}
	s.mu.Unlock()
	if silent {
		return
	}
	if fails {
		reply.Rcode = rcode
	}
	if overUDP {
		size := dns.MinMsgSize
		if opt := query.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		reply.Truncate(size)
	}
	_ = w.WriteMsg(reply) // a client that is gone needs no answer
}

// answer fills in the records, at the end of aliases, or that there are none.
func (s *Server) answer(reply *dns.Msg, name string, qtype uint16) {
	for range 8 {
		alias := ""
		for _, rr := range s.records[name] {
			if cname, ok := rr.(*dns.CNAME); ok && qtype != dns.TypeCNAME {
				reply.Answer, alias = append(reply.Answer, rr), canonical(cname.Target)
			} else if rr.Header().Rrtype == qtype {
				reply.Answer = append(reply.Answer, rr)
			}
		}
		if alias == "" {
			break
		}
		name = alias
	}
	if len(reply.Answer) > 0 && reply.Answer[len(reply.Answer)-1].Header().Rrtype == qtype {
		return
	}
	reply.Ns = []dns.RR{&dns.SOA{
		Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 300},
		Ns:  ".", Mbox: ".", Serial: 1, Refresh: 1, Retry: 1, Expire: 1, Minttl: 60,
	}}
	if !s.exists(name) {
		reply.Rcode = dns.RcodeNameError
	}
}

// exists says whether there is a record at the name or below it.
func (s *Server) exists(name string) bool {
	for other := range s.records {
		if other == name || strings.HasSuffix(other, "."+name) {
			return true
		}
	}
	return false
}

// canonical is a name as the DNS library gives it after it was on the wire.
func canonical(name string) string {
	wire := make([]byte, 512)
	if _, err := dns.PackDomainName(dns.Fqdn(strings.ToLower(name)), wire, 0, nil, false); err != nil {
		return name
	}
	unpacked, _, err := dns.UnpackDomainName(wire, 0)
	if err != nil {
		return name
	}
	return unpacked
}
