package parser_test

import (
	"crypto/sha256"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/letterhook/letterhook/parser"
)

// repetition is a mail that repeats one piece of itself up to a size, without holding it.
type repetition struct {
	head, unit string
	size       int64
}

func (r repetition) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) && off < r.size {
		piece := r.head
		at := off
		if at >= int64(len(r.head)) {
			piece = r.unit
			at = (off - int64(len(r.head))) % int64(len(r.unit))
		}
		m := copy(p[n:min(int64(len(p)), int64(n)+r.size-off)], piece[at:])
		n += m
		off += int64(m)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

const (
	hostileSize = 50 << 20
	hostileTime = 2 * time.Second // of processor
	hostileHeap = 64 << 20
)

const (
	manyParts = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	plainText = "Content-Type: text/plain; charset="
	htmlText  = "Content-Type: text/html; charset=utf-8\r\n\r\n"
)

// repetitions are mails of 50 MB, each of one thing that some parser did too much about.
var repetitions = map[string]repetition{
	"unclosed nesting":             {unit: "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"},
	"nested messages":              {unit: "Content-Type: message/rfc822\r\n\r\n"},
	"parts":                        {head: manyParts, unit: "--b\r\n\r\nx\r\n"},
	"parts with html":              {head: manyParts, unit: "--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n"},
	"parts without charset":        {head: manyParts, unit: "--b\r\n\r\n" + strings.Repeat("\xcf\xf0\xe8\xe2\xe5\xf2 ", 7000) + "\r\n"},
	"parts with long headers":      {head: manyParts, unit: "--b\r\nX: " + strings.Repeat("y", 4000) + "\r\n\r\nx\r\n"},
	"attached messages":            {head: manyParts, unit: "--b\r\nContent-Type: message/rfc822\r\n\r\nTo: " + strings.Repeat("a@b,", 900) + "\r\n\r\nx\r\n"},
	"encoded messages":             {head: manyParts, unit: "--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("U3ViamVjdDogYQ0KDQp4\r\n", 3000) + "\r\n"},
	"boundaries of 900 octets":     {head: "Content-Type: multipart/mixed; boundary=" + strings.Repeat("b", 900) + "\r\n\r\n", unit: "--" + strings.Repeat("b", 899) + "\r\n"},
	"parameters":                   {head: "Content-Type: text/plain", unit: "; a=b"},
	"parameters in segments":       {head: "Content-Type: text/plain\r\nContent-Disposition: attachment", unit: "; filename*0*=%41"},
	"parameters of every part":     {head: manyParts, unit: "--b\r\nContent-Type: a/b" + strings.Repeat("; a*0=b", 900) + "\r\n\r\nx\r\n"},
	"one long field":               {head: "Subject: ", unit: "x"},
	"fields":                       {unit: "A: b\r\n"},
	"folded lines":                 {head: "Subject: x\r\n", unit: " \r\n"},
	"encoded-words":                {head: "Subject: ", unit: "=?utf-8?Q?a?= "},
	"encoded-words in fields":      {unit: "Subject: =?utf-8?B?w6k=?= =?x?Q?=?=\r\n"},
	"addresses":                    {head: "To: ", unit: "a@b,"},
	"address fields":               {unit: "To: \"a\" <a@b>, (c) =?utf-8?Q?a?= <b@c>;\r\n"},
	"noise for base64":             {head: "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n", unit: "!"},
	"padding for base64":           {head: "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n", unit: "YQ== "},
	"base64":                       {head: "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n", unit: strings.Repeat("QUJD", 19) + "\r\n"},
	"quoted-printable":             {head: "Content-Type: application/pdf\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", unit: "="},
	"uuencode":                     {head: "Content-Type: application/pdf\r\nContent-Transfer-Encoding: uuencode\r\n\r\nbegin 644 x\r\n", unit: "#0V%T\r\n"},
	"files in a text":              {unit: "begin 644 x\r\n#0V%T\r\n`\r\nend\r\n", head: "\r\n"},
	"files that never end":         {unit: "begin 644 x\r\n", head: "\r\n"},
	"yEnc in a text":               {unit: "=ybegin line=128 size=3 name=x\r\nabc\r\n", head: "\r\n"},
	"signs in html":                {head: htmlText, unit: "<"},
	"tags":                         {head: htmlText, unit: "<a>"},
	"attributes":                   {head: htmlText + "<a", unit: " b=c"},
	"entities":                     {head: htmlText, unit: "&#x41;"},
	"deep html":                    {head: htmlText, unit: "<blockquote><div>x"},
	"comments in html":             {head: htmlText, unit: "<!--"},
	"content ids":                  {head: "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <a>\r\n\r\nx\r\n--b\r\n" + htmlText, unit: "cid:%41\""},
	"quotes":                       {head: plainText + "utf-8; format=flowed\r\n\r\n", unit: ">"},
	"flowed lines":                 {head: plainText + "utf-8; format=flowed\r\n\r\n", unit: "> a \r\n"},
	"attributions":                 {head: "\r\n", unit: "On Monday Bob wrote:\r\n"},
	"attributions in html":         {head: htmlText, unit: "On Monday Bob wrote:<br><blockquote>"},
	"headers in a text":            {head: "\r\n", unit: "From: a\r\nTo: b\r\nSubject: c\r\n\r\n"},
	"answers with a name":          {head: "\r\nYes\r\n\r\nFrom: B\r\nSent: 1 May 2023 10:00\r\nTo: " + strings.Repeat("x", 3500) + " Ann Jo Lea Jones\r\nSubject: c\r\n\r\n", unit: "[Ann Jo Lea Jones] yes, that is what we want\r\n"},
	"headers in columns":           {head: "\r\n", unit: "Bob\r\n1 May 2023 10:00\r\n\r\nTo\r\na\r\n"},
	"scripts":                      {head: htmlText, unit: "<script></script><!--<style></style>"},
	"attributes of a tag":          {head: htmlText + "<p ", unit: "class=gmail_quote "},
	"signatures":                   {head: "\r\n", unit: "-- \r\nAnn\r\n"},
	"utf-7":                        {head: plainText + "utf-7\r\n\r\n", unit: "+AGE-+"},
	"iso-2022-jp":                  {head: plainText + "iso-2022-jp\r\n\r\n", unit: "\x1b$B\x1b(B"},
	"utf-16":                       {head: plainText + "utf-16\r\n\r\n", unit: "\xd8\x00"},
	"octets without a charset":     {head: "\r\n", unit: "\xcf\xf0\xe8\xe2\xe5\xf2 \xff\xfe"},
	"line ends":                    {head: "\r\n", unit: "\r\r\n\n"},
	"delivery status":              {head: "Content-Type: message/delivery-status\r\n\r\n", unit: "Final-Recipient: rfc822; a@b\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"},
	"feedback report":              {head: "Content-Type: message/feedback-report\r\n\r\n", unit: "Original-Rcpt-To: a@b\r\n"},
	"a bounce in words":            {head: "From: MAILER-DAEMON@x.example\r\nSubject: Undelivered Mail Returned to Sender\r\n\r\n", unit: "<a@b>: 550 5.1.1 no such user\r\n"},
	"events":                       {head: "Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n", unit: "BEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260101T000000Z\r\nEND:VEVENT\r\n"},
	"attendees":                    {head: "Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", unit: "ATTENDEE;CN=a:mailto:a@b\r\n"},
	"a calendar that only begins":  {head: "Content-Type: text/calendar\r\n\r\n", unit: "BEGIN:VCALENDAR\r\n"},
	"a winmail.dat of one octet":   {head: "Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: binary\r\n\r\n\x78\x9f\x3e\x22\x01\x00", unit: "\x01"},
	"ids":                          {head: "References: ", unit: "<a@b>"},
	"lines that are no field":      {head: "Subject: x\r\n", unit: "X-A b: c\r\nlost words\r\n"},
	"delimiters with words behind": {head: manyParts, unit: "--b words\r\n"},
	"closing delimiters":           {head: manyParts, unit: "--b--\r\n"},
	"dashes within many parts":     {head: openParts(func(i int) string { return "b" + strconv.Itoa(i) }), unit: "--\n"},
	"dashes of equal boundaries":   {head: openParts(func(int) string { return "b" }), unit: "--bb b\n"},
	"dashes of like boundaries":    {head: openParts(func(i int) string { return "b" + string(rune('A'+i)) }), unit: "--bz\n"},
}

// openParts opens as many multiparts within each other as are read.
func openParts(boundary func(depth int) string) string {
	var b strings.Builder
	for i := range 31 {
		b.WriteString("Content-Type: multipart/mixed; boundary=" + boundary(i) + "\r\n\r\n--" + boundary(i) + "\r\n")
	}
	return b.String() + "\r\n"
}

// TestHostileAtFullSize measures what dispatch does with each: parse, then decode and hash every attachment. It runs when
// LETTERHOOK_SOAK is set, since it is about time.
func TestHostileAtFullSize(t *testing.T) {
	if os.Getenv("LETTERHOOK_SOAK") == "" {
		t.Skip("measures time: set LETTERHOOK_SOAK")
	}
	for name, r := range repetitions {
		t.Run(name, func(t *testing.T) {
			r.size = hostileSize
			stop, peak := watchHeap()
			start := processorTime(t)
			m, err := parser.Parse(r, r.size, parser.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			parsed := processorTime(t) - start
			for _, p := range m.Attachments {
				if _, err := io.Copy(sha256.New(), p.Open()); err != nil {
					t.Fatal(err)
				}
			}
			total := processorTime(t) - start
			stop <- struct{}{}
			heap := <-peak
			t.Logf("%-32s parse %6.3f s, with attachments %6.3f s, heap %5.1f MB, limits %v", name, parsed.Seconds(), total.Seconds(), float64(heap)/1e6, m.LimitsHit)
			if total > hostileTime || heap > hostileHeap {
				t.Errorf("%v of processor, %d octets of heap", total, heap)
			}
		})
	}
}

// TestHostileSmall reads the beginning of each: it must be what its name says, and keep what is promised of any message.
func TestHostileSmall(t *testing.T) {
	for name, r := range repetitions {
		r.size = 20 << 10
		raw := make([]byte, r.size)
		if n, err := r.ReadAt(raw, 0); n != len(raw) {
			t.Fatalf("%s: %d octets, error %v", name, n, err)
		}
		checkMessage(t, name, raw)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watchHeap looks at the heap until it is told to stop, then says by how much it grew at most.
func watchHeap() (stop chan<- struct{}, peak <-chan uint64) {
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	ended, result := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		most := uint64(0)
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			if now.HeapAlloc > before.HeapAlloc {
				most = max(most, now.HeapAlloc-before.HeapAlloc)
			}
			select {
			case <-ended:
				result <- most
				return
			case <-tick.C:
			}
		}
	}()
	return ended, result
}
