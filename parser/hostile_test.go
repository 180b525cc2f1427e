package parser_test

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/parser/tnef/tneftest"
)

// counting counts the octets that are read of a message.
type counting struct {
	io.ReaderAt
	octets int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.octets += int64(n)
	return n, err
}

func countParts(p *parser.Part) int {
	n := 1
	for _, child := range p.Parts {
		n += countParts(child)
	}
	if p.Message != nil {
		n += countParts(p.Message.Root)
	}
	return n
}

func nest(depth int, closed bool) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("\r\nx\r\n")
	for i := depth - 1; closed && i >= 0; i-- {
		fmt.Fprintf(&b, "--b%d--\r\n", i)
	}
	return b.String()
}

// hostile is mail made to hurt: each kind hung or bloated some parser.
var hostile = []struct {
	name  string
	mail  func() string
	parts int    // at most
	limit string // that is hit, or ""
}{
	{"unclosed nesting", func() string { return nest(5000, false) }, 33, parser.LimitDepth},
	{"closed nesting", func() string { return nest(5000, true) }, 33, parser.LimitDepth},
	{"nested messages", func() string { return strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 20_000) }, 33, parser.LimitDepth},
	{"many parts", func() string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 100_000)
	}, 1000, parser.LimitParts},
	{"many texts", func() string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n", 100_000)
	}, 1000, parser.LimitParts},
	{"many parameters", func() string {
		return "Content-Type: text/plain" + strings.Repeat("; a=b", 20_000) + "\r\n\r\nx"
	}, 1, ""},
	{"many name segments", func() string {
		var b strings.Builder
		b.WriteString("Content-Type: application/pdf\r\nContent-Disposition: attachment")
		for i := range 10_000 {
			fmt.Fprintf(&b, "; filename*%d*=%%41", i)
		}
		return b.String() + "\r\n\r\nx"
	}, 1, ""},
	{"one long field", func() string { return "Subject: " + strings.Repeat("x", 10<<20) + "\r\n\r\nbody" }, 1, parser.LimitHeaderBytes},
	{"header without end", func() string { return strings.Repeat("X-Field: value\r\n", 700_000) }, 1, parser.LimitHeaderBytes},
	{"many fields", func() string { return strings.Repeat("A: b\r\n", 40_000) + "\r\nx" }, 1, parser.LimitHeaderCount},
	{"header in every part", func() string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nX: "+strings.Repeat("y", 100_000)+"\r\n\r\nx\r\n", 100)
	}, 20, parser.LimitHeaderBytes},
	{"noise for base64", func() string {
		return "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("!", 10<<20)
	}, 1, ""},
	{"noise for quoted-printable", func() string {
		return "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=", 10<<20)
	}, 1, parser.LimitBodyBytes},
	{"long boundary", func() string {
		b := strings.Repeat("b", 1001)
		return "Content-Type: multipart/mixed; boundary=" + b + "\r\n\r\n--" + b + "\r\n\r\nx\r\n--" + b + "--\r\n"
	}, 1, parser.LimitBoundary},
	{"nearly a boundary", func() string {
		return "Content-Type: multipart/mixed; boundary=" + strings.Repeat("b", 900) + "\r\n\r\n" + strings.Repeat("--"+strings.Repeat("b", 899)+"\r\n", 10_000)
	}, 1, parser.LimitBodyBytes},
	{"encoded-words", func() string { return "Subject: " + strings.Repeat("=?utf-8?Q?a?= ", 18_000) + "\r\n\r\nx" }, 1, ""},
	{"encoded-words that never end", func() string { return "Subject: " + strings.Repeat("=?utf-8?Q?", 25_000) + "\r\n\r\nx" }, 1, ""},
	{"encoded-words of rubbish", func() string { return "Subject: " + strings.Repeat("=?x?B?", 40_000) + "?=\r\n\r\nx" }, 1, ""},
	{"encoded-words of no letter", func() string { return "Subject: " + strings.Repeat("=?a?X? ", 36_000) + "?=\r\n\r\nx" }, 1, ""},
	{"encoded-words with quotes", func() string { return "To: " + strings.Repeat(`=?a?Q?"" `, 28_000) + "?=\r\n\r\nx" }, 1, ""},
	{"colons behind words", func() string {
		return "To: " + strings.Repeat("a ", 60_000) + "@ " + strings.Repeat(": ", 60_000) + "\r\n\r\nx"
	}, 1, ""},
	{"commas in brackets", func() string { return "To: <" + strings.Repeat(",", 250_000) + "\r\n\r\nx" }, 1, ""},
	{"content ids", func() string {
		var b strings.Builder
		b.WriteString("Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n")
		for i := range 950 {
			fmt.Fprintf(&b, "%s%d\"", strings.Repeat("cid:%41", 289), i)
		}
		return b.String() + "\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <a>\r\n\r\nx\r\n--b--\r\n"
	}, 3, ""},
	{"quoted words of one address", func() string { return "To: " + strings.Repeat(`"\\"`, 60_000) + "@\r\n\r\nx" }, 1, ""},
	{"many addresses", func() string { return "To: " + strings.Repeat("a@b,", 60_000) + "\r\n\r\nx" }, 1, parser.LimitAddresses},
	{"open quotes", func() string { return "To: " + strings.Repeat(`"a `, 80_000) + "\r\n\r\nx" }, 1, ""},
	{"open comments", func() string { return "To: " + strings.Repeat("(", 250_000) + "\r\n\r\nx" }, 1, ""},
	{"open brackets", func() string { return "To: " + strings.Repeat("<a@b ", 50_000) + "\r\n\r\nx" }, 1, ""},
	{"message ids", func() string { return "References: " + strings.Repeat("<a@b>", 50_000) + "\r\n\r\nx" }, 1, ""},
	{"html of signs", func() string { return "Content-Type: text/html\r\n\r\n" + strings.Repeat("<>", 5<<20) }, 1, parser.LimitBodyBytes},
	{"deep html", func() string { return "Content-Type: text/html\r\n\r\n" + strings.Repeat("<blockquote>x", 200_000) }, 1, parser.LimitBodyBytes},
	{"line ends", func() string { return strings.Repeat("\r", 5<<20) + strings.Repeat("\n", 5<<20) }, 1, parser.LimitBodyBytes},
	{"files within a text", func() string {
		return "\r\n" + strings.Repeat("begin 644 x\r\nM"+strings.Repeat("A", 60)+"\r\n", 100_000)
	}, 1000, parser.LimitParts},
	{"begins of files", func() string { return "\r\n" + strings.Repeat("begin 644 x\r\n", 700_000) }, 1, parser.LimitBodyBytes},
	{"files that may be", func() string { return "\r\n" + strings.Repeat("=ybegin line=128 size=9 name=x\r\nabc\r\n", 200_000) }, 1, parser.LimitBodyBytes},
	{"winmail.dat of attributes", func() string {
		one := tneftest.New().Codepage(1252)[6:]
		return winmail("x", append(tneftest.New(), bytes.Repeat(one, 500_000)...))
	}, 3, ""},
	{"winmail.dat of files", func() string {
		stream := tneftest.New()
		for range 20_000 {
			stream = stream.File("a", nil)
		}
		return winmail("x", stream)
	}, 1000, parser.LimitParts},
	{"winmail.dat of messages", func() string {
		stream := tneftest.New()
		for range 200 {
			stream = tneftest.New().Embedded("m", stream)
		}
		return winmail("x", stream)
	}, 1000, parser.LimitDepth},
	{"calendar of events", func() string {
		return "Content-Type: text/calendar\r\n\r\n" + strings.Repeat("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;TZID=Europe/Rome:20200101T000000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", 100_000)
	}, 1, parser.LimitCalendar},
	{"many calendars", func() string {
		zone := "BEGIN:VTIMEZONE\r\n" + strings.Repeat("BEGIN:STANDARD\r\nRRULE:FREQ=YEARLY;BYDAY=SU\r\nEND:STANDARD\r\n", 40) + "END:VTIMEZONE\r\n"
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n"+zone+"END:VCALENDAR\r\n", 990)
	}, 991, parser.LimitCalendar},
	{"base64 within base64", func() string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
			strings.Repeat("--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"+strings.Repeat("U3ViamVjdDogYQ0KDQp4\r\n", 20_000)+"\r\n", 20)
	}, 30, ""},
}

// TestHostile asserts on work, not on time: octets read (each is read at most a few times), parts made, memory allocated.
func TestHostile(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			raw := []byte(c.mail())
			r := &counting{ReaderAt: bytes.NewReader(raw)}
			m, err := parser.Parse(r, int64(len(raw)), parser.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if r.octets > 3*int64(len(raw))+1<<20 {
				t.Errorf("%d octets read of %d", r.octets, len(raw))
			}
			if n := countParts(m.Root); n > c.parts {
				t.Errorf("%d parts, want at most %d", n, c.parts)
			}
			if c.limit != "" && !slices.Contains(m.LimitsHit, c.limit) {
				t.Errorf("limits %v, want %s", m.LimitsHit, c.limit)
			}
			if size := allocated(t, raw); size > 24<<20 {
				t.Errorf("%d octets allocated for %d", size, len(raw))
			}
		})
	}
}

// allocated is what one Parse allocates in all, freed or not. No test of this package runs beside another.
func allocated(t *testing.T, raw []byte) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := parser.Parse(bytes.NewReader(raw), int64(len(raw)), parser.Limits{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLargeMessage: only headers and texts of a large message enter memory.
func TestLargeMessage(t *testing.T) {
	raw := withAttachment(25 << 20)
	if size := allocated(t, raw); size > 1<<20 {
		t.Errorf("%d octets allocated for a message of %d", size, len(raw))
	}
}

// TestReadFailure: the error of Parse is about reading, and names the place.
func TestReadFailure(t *testing.T) {
	for _, size := range []int64{100, 1 << 20} {
		_, err := parser.Parse(strings.NewReader("Subject: x\r\n\r\nshort"), size, parser.Limits{})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("of %d", size)) {
			t.Errorf("size %d: error %v", size, err)
		}
	}
}

// TestStreamedAsHeld: a message read in windows gives what the same message gives when held in memory, wherever the window ends.
func TestStreamedAsHeld(t *testing.T) {
	padding := func(n int) string { return strings.Repeat("p", n) + "\r\n" }
	for shift := range 80 {
		mail := "Content-Type: multipart/mixed; boundary=bound\r\n\r\n" + padding(65_536-120+shift) + "--bound\r\nContent-Type: text/plain\r\n\r\none\r\n--bound\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--bound--\r\n"
		tail := strings.Repeat("epilogue\r\n", 60_000)
		held, err := parser.Parse(strings.NewReader(mail), int64(len(mail)), parser.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		streamed, err := parser.Parse(strings.NewReader(mail+tail), int64(len(mail+tail)), parser.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := outline(t, held), outline(t, streamed); a != b {
			t.Fatalf("shift %d: held\n%s\nstreamed\n%s", shift, a, b)
		}
	}
}
