// Package nameserver answers DNS questions on loopback, from records in memory. It is what the tests of the checks of senders
// ask, and what letterhook bench has a server ask; nobody else should.
package nameserver

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// Server answers for everything as a recursive server would, over UDP and TCP at one port. Records may be added while it
// runs. Make one with [Start].
type Server struct {
	// Addr is where it listens, as host:port.
	Addr string

	running []*dns.Server
	ended   chan error // one for each of running

	mu      sync.Mutex
	records map[string][]dns.RR // by name, lower case and absolute
	names   map[string]bool     // those of the records, and all above them
	rcodes  map[string]int      // names that are answered with an error
	silent  map[string]bool     // names that are not answered
	asked   map[string]int      // by "name type"
	total   int                 // of asked
	expired bool
}

// Start starts a server; the caller closes it. records are lines of a zone file with absolute names; the default TTL is an
// hour.
func Start(records ...string) (*Server, error) {
	s := &Server{
		records: map[string][]dns.RR{}, names: map[string]bool{}, rcodes: map[string]int{}, silent: map[string]bool{}, asked: map[string]int{},
	}
	for _, line := range records {
		rr, err := dns.NewRR(line)
		if err != nil {
			return nil, fmt.Errorf("record %q: %w", line, err)
		}
		s.Add(rr)
	}
	udp, tcp, err := listen()
	if err != nil {
		return nil, err
	}
	s.Addr = udp.LocalAddr().String()
	s.running = []*dns.Server{{PacketConn: udp, Handler: s}, {Listener: tcp, Handler: s}}
	s.ended = make(chan error, len(s.running))
	for _, server := range s.running {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { s.ended <- server.ActivateAndServe() }()
		<-started
	}
	return s, nil
}

// Close stops the server and waits until it has.
func (s *Server) Close() error {
	var errs []error
	for _, server := range s.running {
		errs = append(errs, server.Shutdown())
	}
	for range s.running {
		errs = append(errs, <-s.ended)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stopping the DNS server: %w", err)
	}
	return nil
}

// listen finds a port that is free for both.
func listen() (net.PacketConn, net.Listener, error) {
	for range 20 {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, fmt.Errorf("listening for DNS: %w", err)
		}
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp, nil
		}
		_ = udp.Close() // another port is tried
	}
	return nil, nil, errors.New("listening for DNS: no port is free for both UDP and TCP")
}

// Add adds records.
func (s *Server) Add(records ...dns.RR) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rr := range records {
		name := canonical(rr.Header().Name)
		s.records[name] = append(s.records[name], rr)
		for label, last := 0, false; !last; label, last = dns.NextLabel(name, label) {
			s.names[name[label:]] = true
		}
	}
}

// AddTXT adds a TXT record of any octets, cut into strings of 255, with the TTL of an hour.
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

// Total is how many questions came over UDP.
func (s *Server) Total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// Expire makes every answer one that must not be remembered: its TTL is 0.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expired = true
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
		s.total++
	}
	rcode, fails := s.rcodes[name]
	silent := s.silent[name]
	if !fails {
		s.answer(reply, name, question.Qtype)
	}
	if s.expired {
		reply.Answer, reply.Ns = expired(reply.Answer), expired(reply.Ns)
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
	if !s.names[name] {
		reply.Rcode = dns.RcodeNameError
	}
}

// expired are the records with a TTL of 0.
func expired(records []dns.RR) []dns.RR {
	copies := make([]dns.RR, len(records))
	for i, rr := range records {
		copies[i] = dns.Copy(rr)
		copies[i].Header().Ttl = 0
	}
	return copies
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
