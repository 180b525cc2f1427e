package dashboard

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/storage"
)

// step is one of the time line of a mail.
type step struct {
	ID     string
	Colour string
	Title  string
	At     time.Time // zero: not known
	Text   string
	Open   bool // the details are shown at once
	Facts  []fact
	Blocks []block
}

// block is a text as it went over a wire.
type block struct{ Title, Text string }

// HasMore says whether there is something to unfold.
func (s *step) HasMore() bool { return len(s.Facts)+len(s.Blocks) > 0 }

// arrival is how a mail came in.
func arrival(mail *storage.Mail, held bool, endpoint func(string) string) []step {
	if mail.Erased {
		return []step{{ID: "accepted", Colour: "green", Title: "Accepted and durable: 250", At: mail.ReceivedAt, Text: mail.ID + ", " + size(mail.Size) + ", erased since"}}
	}
	env := &mail.Envelope
	from := env.RemoteAddress()
	if from == "" {
		from = "A local client"
	}
	connected := step{ID: "connect", Colour: "grey", Title: from + " connected", Text: "Listener " + env.Listener + ", in clear"}
	if env.TLS != nil {
		connected.Text = "Listener " + env.Listener + ", " + env.TLS.Version
		connected.Facts = append(connected.Facts, fact{Name: "Cipher", Text: env.TLS.CipherSuite}, fact{Name: "Server name", Text: cmp.Or(env.TLS.ServerName, "none asked for")})
	}
	connected.Facts = append([]fact{{Name: "Said it is", Text: env.Helo}, {Name: "Its name in DNS", Text: cmp.Or(env.RemoteHost, "none that leads back to it")}}, connected.Facts...)
	if env.AuthUser != "" {
		connected.Facts = append(connected.Facts, fact{Name: "Logged in as", Text: env.AuthUser})
	}
	if env.Session != "" {
		connected.Blocks = []block{{"What was said before the content", env.Session}}
	}
	named := step{ID: "envelope", Colour: "grey", Title: "Envelope: " + plural(int64(len(env.Recipients)), "recipient"), Text: "From <" + reverse(env) + ">"}
	for i := range env.Recipients {
		r := &env.Recipients[i]
		named.Facts = append(named.Facts, fact{Name: fmt.Sprintf("Recipient %d", i+1), Text: r.Path.String() + " → " + destinations(r, endpoint)})
	}
	read := step{ID: "data", Colour: "grey", Title: "Content read: " + size(mail.Size), Text: "SHA-256 " + middle(20, fmt.Sprintf("%x", mail.SHA256)), Facts: scans(env)}
	done := step{ID: "accepted", Colour: "green", Title: "Accepted and durable: 250", At: mail.ReceivedAt, Text: mail.ID}
	if held {
		done.Colour, done.Title = "amber", "Stored, not accepted: an endpoint decides"
	}
	return []step{connected, named, read, done}
}

func reverse(env *inbound.Envelope) string {
	if env.ReversePath.IsNull() {
		return ""
	}
	return env.ReversePath.String()
}

func destinations(r *inbound.Recipient, endpoint func(string) string) string {
	if len(r.Endpoints) == 0 {
		return "accepted and discarded"
	}
	names := make([]string, len(r.Endpoints))
	for i, id := range r.Endpoints {
		names[i] = endpoint(id)
	}
	return strings.Join(names, ", ")
}

// scans is what scanners and lists made of a mail.
func scans(env *inbound.Envelope) (facts []fact) {
	if s := env.ScanResults; s != nil {
		if s.Spam != nil {
			word := "no spam"
			if s.Spam.IsSpam {
				word = "spam"
			}
			facts = append(facts, fact{Name: s.Spam.Engine, Text: fmt.Sprintf("%s: %.1f of %.1f", word, s.Spam.Score, s.Spam.Required)})
		}
		if s.Virus != nil {
			facts = append(facts, fact{Name: s.Virus.Engine, Text: cmp.Or(s.Virus.Signature, "clean")})
		}
		for _, u := range s.Unscanned {
			facts = append(facts, fact{Name: u.Engine, Text: "no verdict: " + string(u.Reason)})
		}
	}
	if env.Reputation != nil {
		for _, l := range env.Reputation.Listings {
			facts = append(facts, fact{Name: "On a list", Text: fmt.Sprint(l.List)})
		}
	}
	return facts
}

// attempts is what was sent to the endpoints and what they answered, in the order of time.
func attempts(made []storage.Attempt, endpoint func(string) string) []step {
	slices.SortStableFunc(made, func(a, b storage.Attempt) int { return a.At.Compare(b.At) })
	list := make([]step, len(made))
	for i := range made {
		a := &made[i]
		s := step{ID: fmt.Sprintf("%s-%d", a.Delivery, a.N), Colour: "amber", At: a.At, Text: a.Detail.Error}
		s.Title = fmt.Sprintf("Attempt %d at %s: %s", a.N, endpoint(a.Endpoint), attemptWords(a))
		if a.Outcome == dispatch.OutcomeDelivered {
			s.Colour = "green"
		}
		s.Facts, s.Blocks = exchange(&a.Detail, a.Duration)
		s.Open = i == len(made)-1 && a.Outcome != dispatch.OutcomeDelivered
		list[i] = s
	}
	return list
}

// attemptWords is what came of an attempt, in a word or two.
func attemptWords(a *storage.Attempt) string {
	text := a.Outcome
	if a.Status > 0 {
		text = fmt.Sprintf("%s %d", a.Outcome, a.Status)
	}
	return text + " in " + took(a.Duration)
}

// exchange tells how a request and its answer went.
func exchange(d *storage.AttemptDetail, total time.Duration) (facts []fact, blocks []block) {
	add := func(name, text string) {
		if text != "" {
			facts = append(facts, fact{Name: name, Text: text})
		}
	}
	address := d.RemoteAddr
	if d.Reused {
		address += ", a connection that was there"
	}
	add("Address", address)
	add("TLS", strings.TrimSpace(d.TLSVersion+" "+d.TLSCipher))
	if t := d.Times; t != nil {
		add("Time", strings.Join(slices.DeleteFunc([]string{
			spent("name", t.DNS), spent("connect", t.Connect), spent("TLS", t.TLS), spent("written after", t.Wrote),
			spent("first octet after", t.FirstByte), "all " + took(total),
		}, func(s string) bool { return s == "" }), ", "))
	}
	add("Kept back by filters", strings.Join(d.Filtered, ", "))
	if r := d.Request; r != nil {
		blocks = append(blocks, block{"Request", "POST " + r.URL + "\n" + header(r.Header) + fmt.Sprintf("\n(%s)", size(r.Size))})
	}
	if len(d.Header) > 0 || d.Body != "" {
		text := header(d.Header)
		if d.Body != "" {
			text += "\n" + d.Body
		}
		if d.Truncated {
			text += "\n… (cut)"
		}
		blocks = append(blocks, block{"Answer", text})
	}
	return facts, blocks
}

func spent(what string, microseconds int64) string {
	if microseconds == 0 {
		return ""
	}
	return what + " " + took(time.Duration(microseconds)*time.Microsecond)
}

func header(fields map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&b, "%s: %s\n", name, fields[name])
	}
	return b.String()
}

// plural is a number with what it counts.
func plural(n int64, what string) string { return count(n) + " " + noun(n, what) }
