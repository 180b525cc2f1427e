package inbound

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/letterhook/letterhook/inbound/guard"
)

// FuzzData holds the reader of DATA against three lines of reference: content ends at the first CR LF "." CR LF, the CR LF
// of the command counting, and loses the dot of each line that begins with one. The buffer is tiny and the octets come
// one by one or in blocks, so that every boundary falls everywhere.
func FuzzData(f *testing.F) {
	for _, seed := range []string{
		"", ".\r\n", ".\r", "a\r\n.\r\nNOOP\r\n", "a\r\r\n.\r\n", "\n.\n..\r\n.\r\r\n\r\n.\r\n", "\r\n.\n.\r\n\r\n.\r\n",
		strings.Repeat(".", 15) + "\r\n.\r\n", strings.Repeat("x", 15) + "\r\n.\r\n", strings.Repeat("x", 31) + "\r\n..\r\n\r.\r\n\r\n.\r\n",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, sent string, single bool) {
		content, rest, ended := strings.Cut("\r\n"+sent, "\r\n.\r\n")
		want := strings.ReplaceAll(content+"\r\n", "\r\n.", "\r\n")[len("\r\n"):]

		var source io.Reader = strings.NewReader(sent)
		if single {
			source = iotest.OneByteReader(source)
		}
		reader := bufio.NewReaderSize(source, 16)
		data := dataReader{r: reader}
		var got strings.Builder
		for {
			octets, err := data.next()
			if err == nil {
				got.Write(octets)
				continue
			}
			if errors.Is(err, io.EOF) != ended {
				t.Fatalf("%q: %v, ended %v", sent, err, ended)
			}
			break
		}
		if !ended {
			return
		}
		if got.String() != want {
			t.Fatalf("%q gave %q, want %q", sent, got.String(), want)
		}
		if behind, _ := io.ReadAll(reader); string(behind) != rest {
			t.Fatalf("%q left %q, want %q", sent, behind, rest)
		}
	})
}

// FuzzContent: the checks do not depend on how the octets are cut into pieces.
func FuzzContent(f *testing.F) {
	for _, seed := range []string{"a\r\nb", "a\rb", "a\nb\x00", "received: x\r\nReceived: y\r\nRECEIVED:z\r\n\r\n", "\r\r\n", "\n\n", "xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"} {
		f.Add(seed, uint8(1), uint8(3))
	}
	cfg := Config{MaxMessageSize: 64, MaxLineLength: 20, MaxReceived: 2, MemoryPerMessage: 1 << 20}
	f.Fuzz(func(t *testing.T, sent string, first, second uint8) {
		for _, strict := range []bool{false, true} {
			cfg := cfg
			cfg.RefuseBareLineEnds = strict
			run := func(cuts ...int) *content {
				c := newContent(&cfg, space{memory: guard.NewShares(1 << 30)}, &transaction{limit: cfg.MaxMessageSize})
				for at, octets := 0, sent; len(octets) > 0; {
					end := strings.IndexByte(octets, '\n') + 1
					if end == 0 {
						end = len(octets)
					}
					for _, cut := range cuts {
						if cut > at && cut < at+end {
							end = cut - at
						}
					}
					c.write([]byte(octets[:end]))
					octets, at = octets[end:], at+end
				}
				c.finish()
				return c
			}
			whole, pieces := run(), run(int(first), int(first)+int(second))
			// Of several faults the first one met is told, which the pieces may change.
			if (whole.refusal == nil) != (pieces.refusal == nil) || whole.received != pieces.received || whole.body.sum != pieces.body.sum {
				t.Errorf("%q cut at %d, %d: %+v, %+v", sent, first, first+second, whole, pieces)
			}
			whole.release()
		}
	})
}
