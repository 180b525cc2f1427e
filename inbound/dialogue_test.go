package inbound_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/inbound"
)

// TestDialogues plays the files of testdata/dialogues, each in every way to speak to a server that applies:
//
//	on listener        "mx" (which it is without this line), "submission" or "proxied"
//	ways a b           only in these of clear, starttls, implicit and lmtp
//	with limit=n       with this limit, see limits
//	proxy "octets"     sent in clear before all else
//
//	-> text            sends a line
//	raw "octets"       sends octets as they are
//	fill n             sends as many octets "x"
//	<- prefix          reads a reply, its lines joined by "|"
//	tls                makes a TLS handshake
//	closed             the server has closed the connection
//	messages n         so many were stored
//	stored "octets"    is the content of the last one
//	envelope a -> b c  is its envelope
//	user name          is who had logged in
//	remote address     is where it came from
//
//	smtp step          a step where SMTP is spoken, "lmtp step" one where LMTP is
//
// With starttls a dialogue begins in clear, and the file is played under TLS from behind the greeting. With lmtp every
// HELO and EHLO of the file is sent as LHLO.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogues/*.txt")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d dialogues, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := readDialogue(t, string(text))
		for _, way := range d.ways {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+way, func(t *testing.T) { d.play(t, way) })
		}
	}
}

// dialogue is a file of testdata/dialogues.
type dialogue struct {
	listener string
	ways     []string
	limits   []string
	proxy    string
	steps    []string
}

func readDialogue(t *testing.T, text string) *dialogue {
	t.Helper()
	d := &dialogue{listener: "mx", steps: strings.Split(text, "\n")}
	for n, line := range d.steps {
		verb, arg, _ := strings.Cut(line, " ")
		switch verb {
		case "on":
			d.listener = arg
		case "ways":
			d.ways = strings.Fields(arg)
		case "with":
			d.limits = strings.Fields(arg)
		case "proxy":
			d.proxy = unquote(t, arg)
		default:
			continue
		}
		d.steps[n] = "" // the others keep their line numbers
	}
	if d.ways == nil {
		d.ways = map[string][]string{
			"mx": {"clear", "starttls", "implicit", "lmtp"}, "submission": {"starttls", "implicit"}, "proxied": {"clear", "starttls", "implicit"},
		}[d.listener]
	}
	return d
}

// limit sets one limit of a configuration.
func limit(t *testing.T, cfg *inbound.Config, setting string) {
	t.Helper()
	key, value, _ := strings.Cut(setting, "=")
	n, err := strconv.Atoi(value)
	if err != nil {
		t.Fatalf("limit %q: %v", setting, err)
	}
	switch key {
	case "size":
		cfg.MaxMessageSize = int64(n)
	case "line":
		cfg.MaxLineLength = n
	case "recipients":
		cfg.MaxRecipients = n
	case "unknown":
		cfg.MaxUnknownRecipients = n
	case "errors":
		cfg.MaxErrors = n
	case "commands":
		cfg.MaxCommands = n
	case "messages":
		cfg.MaxMessages = n
	case "received":
		cfg.MaxReceived = n
	case "logins":
		cfg.MaxAuthFailures = n
	case "strict":
		cfg.RefuseBareLineEnds = n == 1
	case "full":
		cfg.DiskFull = func() bool { return n == 1 }
	case "certificate":
		cfg.TLSReady = func() bool { return n == 1 }
	default:
		t.Fatalf("there is no limit %q", key)
	}
}

// stage is a dialogue that is being played.
type stage struct {
	*peer

	e    *edge
	lmtp bool
}

func (d *dialogue) play(t *testing.T, way string) {
	e := serve(t, func(cfg *inbound.Config) {
		for _, setting := range d.limits {
			limit(t, cfg, setting)
		}
	})
	s := &stage{d.open(t, e, way), e, way == "lmtp"}
	greeted := way == "starttls"
	for n, line := range d.steps {
		if greeted && strings.HasPrefix(line, "<- 220") {
			greeted = false
			continue
		}
		s.step(t, n+1, line)
	}
}

// open connects as far as the greeting, or past it with starttls.
func (d *dialogue) open(t *testing.T, e *edge, way string) *peer {
	t.Helper()
	listener, inTLS := d.listener, false
	switch way {
	case "lmtp":
		listener = "lmtp"
	case "implicit":
		listener = map[string]string{"mx": "smtps", "submission": "submissions", "proxied": "proxied-tls"}[listener]
		inTLS = listener == "proxied-tls" // connectTo makes the handshake where nothing comes before it
	}
	p := e.connectTo(t, listener)
	p.send(d.proxy)
	if inTLS {
		p.handshake()
	}
	if way == "starttls" {
		p.expect("220 mx.example.com ESMTP")
		p.do("EHLO before.example", "250-mx.example.com")
		p.startTLS()
	}
	return p
}

// hello is a HELO or EHLO where a command may begin.
var hello = regexp.MustCompile(`(^|\n)(HELO|EHLO)\b`)

// say sends octets in the words of the protocol.
func (s *stage) say(octets string) {
	if s.lmtp {
		octets = hello.ReplaceAllString(octets, "${1}LHLO")
	}
	s.send(octets)
}

func (s *stage) step(t *testing.T, n int, line string) {
	t.Helper()
	verb, arg, _ := strings.Cut(line, " ")
	switch verb {
	case "", "#":
	case "smtp", "lmtp":
		if (verb == "lmtp") == s.lmtp {
			s.step(t, n, arg)
		}
	case "->":
		s.say(arg + "\r\n")
	case "raw":
		s.say(unquote(t, arg))
	case "fill":
		count, err := strconv.Atoi(arg)
		if err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		s.send(strings.Repeat("x", count))
	case "<-":
		if s.lmtp {
			arg = strings.Replace(arg, " ESMTP", " LMTP", 1)
		}
		if reply := s.reply(); !strings.HasPrefix(reply, arg) {
			t.Fatalf("line %d: reply %q, want %q", n, reply, arg)
		}
	case "tls":
		s.handshake()
	case "closed":
		s.closed()
	default:
		s.judge(t, n, verb, arg)
	}
}

// judge compares what was stored.
func (s *stage) judge(t *testing.T, n int, verb, want string) {
	t.Helper()
	mails := s.e.spool.all()
	if verb == "messages" {
		if got := strconv.Itoa(len(mails)); got != want {
			t.Fatalf("line %d: %s messages, want %s", n, got, want)
		}
		return
	}
	if len(mails) == 0 {
		t.Fatalf("line %d: nothing is stored", n)
	}
	got, m := "", mails[len(mails)-1]
	switch verb {
	case "stored":
		got, want = m.body, unquote(t, want)
	case "envelope":
		got = describe(m)
	case "user":
		got = m.env.AuthUser
	case "remote":
		got = m.env.RemoteAddress()
	default:
		t.Fatalf("line %d: unknown step %q", n, verb)
	}
	if got != want {
		t.Fatalf("line %d: %s %q, want %q", n, verb, got, want)
	}
}

// describe shows an envelope as the dialogues write it.
func describe(m stored) string {
	text := m.env.ReversePath.String() + " ->"
	for _, r := range m.env.Recipients {
		text += " " + r.Path.String()
	}
	return text
}

func unquote(t *testing.T, s string) string {
	t.Helper()
	text, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return text
}

// TestDialoguesSmuggle holds the files of the look-alikes against the list that TestSmuggling goes through, so that none is left
// out of either.
func TestDialoguesSmuggle(t *testing.T) {
	var found []string
	files, err := filepath.Glob("testdata/dialogues/smuggle-*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if quoted, ok := strings.CutPrefix(line, "# look-alike: "); ok {
				found = append(found, unquote(t, strings.TrimSpace(quoted)))
			}
		}
	}
	want := slices.Sorted(slices.Values(lookAlikes))
	if got := slices.Sorted(slices.Values(found)); !slices.Equal(got, want) {
		t.Errorf("the dialogues have the look-alikes\n%s, want\n%s", fmt.Sprintf("%q", got), fmt.Sprintf("%q", want))
	}
}
