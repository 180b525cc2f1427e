package mailauth

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
)

// FuzzTagList reads tag-lists. What is taken stands where it says it does.
func FuzzTagList(f *testing.F) {
	for _, seed := range []string{"v=1; a=rsa-sha256; b=\r\n\tAB CD=", "v=DKIM1; p=;", "a=b;a=c", "=x", ";", "a = b ; c=d", "i=1; cv=none"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		tags, err := parseTags(text)
		if err != nil {
			return
		}
		for _, tag := range tags {
			if got := string(trimFold(text[tag.from:tag.to])); got != tag.value || strings.Contains(got, ";") {
				t.Errorf("%q stands at %q", tag.value, got)
			}
		}
	})
}

// FuzzPolicy reads DMARC policy records: whatever they hold, what is asked for is one of three words.
func FuzzPolicy(f *testing.F) {
	for _, seed := range []string{"v=DMARC1; p=reject; sp=none; np=quarantine; t=y", "v=DMARC1", "v=DMARC1;p=x;rua=mailto:a@b", "v = DMARC1 ; psd=y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := parsePolicy(text)
		if r == nil {
			return
		}
		for _, asked := range []string{r.asked(false, true), r.asked(true, true), r.asked(true, false)} {
			if !isPolicy(asked) {
				t.Errorf("%q asks for %q", text, asked)
			}
		}
	})
}

// FuzzSPFRecord cleans SPF records. What is clean stays so.
func FuzzSPFRecord(f *testing.F) {
	for _, seed := range []string{"v=spf1 a:foo:bar/baz.example.com/24//64 -all", "v=spf1 exists:%{ir}.%{v}.x.example redirect=_%{d2}", "v=spf1 ip6:::1/128 mx ptr ?all exp=a.b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, record string) {
		clean, ok := cleanSPF(record)
		if !ok {
			return
		}
		if _, again := cleanSPF(restoreSlash(clean)); !again {
			t.Errorf("%q was cleaned to %q, which is not clean", record, clean)
		}
	})
}

// FuzzFrom reads From fields: an address has one domain, and nothing that could end a line.
func FuzzFrom(f *testing.F) {
	for _, seed := range []string{" Ann <ann@sender.example>\r\n", " \"a\\\"b\" (c (d)) <x@y.example>\r\n", " a@b.example, c@d.example\r\n", " =?utf-8?q?x?= <x@y.example>"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := parseHeader(append([]byte("From:"), body...))
		if err != nil {
			return
		}
		a, err := readAuthor(h)
		if err != nil {
			return
		}
		if name, err := domainName(a.domain); err != nil || name != a.domain || strings.ContainsAny(a.address, "\r\n\x00") ||
			!strings.HasSuffix(a.address, "@"+a.address[strings.LastIndexByte(a.address, '@')+1:]) {
			t.Errorf("%+v of %q", a, body)
		}
	})
}

// FuzzResults reads what sealers say. A comment or a quoted string says nothing.
func FuzzResults(f *testing.F) {
	f.Add([]byte(" i=1; a.example; dmarc=pass (p=none) header.from=sender.example"))
	f.Add([]byte(` i=1; a; spf=fail ("; dmarc=pass header.from=sender.example`))
	f.Fuzz(func(t *testing.T, body []byte) {
		sawDMARCPass(body, "sender.example")
		if !bytes.ContainsAny(body, `()"\`) && sawDMARCPass([]byte("("+string(body)+")"), "sender.example") {
			t.Errorf("a comment was believed: %q", body)
		}
	})
}

const fuzzKey = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

// FuzzDKIM compares with another implementation on whole messages: where ours lets a signature pass, theirs does. The other
// way round it need not be: theirs takes a bare LF for a line end, and reads some malformed signatures.
func FuzzDKIM(f *testing.F) {
	paths, err := filepath.Glob("testdata/dkim-chasquid/*.msg")
	if err != nil || len(paths) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		ours := passed(t, message)
		if len(ours) == 0 {
			return
		}
		theirs, err := dkim.VerifyWithOptions(bytes.NewReader(message), &dkim.VerifyOptions{
			LookupTXT: func(string) ([]string, error) { return []string{fuzzKey}, nil },
		})
		if err != nil {
			t.Fatalf("theirs: %v", err)
		}
		for _, v := range theirs {
			if v.Err == nil {
				delete(ours, strings.ToLower(v.Domain))
			}
		}
		if len(ours) > 0 {
			t.Errorf("only ours lets %v pass in %q", ours, message)
		}
	})
}

// passed are the domains whose signatures pass with the key.
func passed(t *testing.T, message []byte) map[string]bool {
	h, err := readHeader(bytes.NewReader(message), int64(len(message)), func() error { return nil })
	if err != nil {
		return nil
	}
	signatures := parseDKIM(h, time.Date(2018, 6, 10, 18, 0, 0, 0, time.UTC), 10)
	m := &examination{header: h, signatures: signatures, chain: parseARC(h, time.Now())}
	bodies, err := hashBody(bytes.NewReader(message), h.size, int64(len(message)), m.forms())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, s := range signatures {
		if s.err == nil {
			s.key, s.err = parseKey(fuzzKey, s.keyType)
		}
		if s.verifyDKIM(h, bodies) == nil {
			all[s.domain] = true
		}
	}
	return all
}

// FuzzBody hashes a body in two ways of cutting it: the sum is the same.
func FuzzBody(f *testing.F) {
	f.Add([]byte("a \r\n\r\n b\r"), 3)
	f.Fuzz(func(t *testing.T, body []byte, cut int) {
		if cut < 0 || cut > len(body) {
			return
		}
		for _, c := range []canonicalization{simple, relaxed} {
			whole, parts := newBodyHash(c, sha256.New()), newBodyHash(c, sha256.New())
			_, _ = whole.Write(body)
			_, _ = parts.Write(body[:cut])
			_, _ = parts.Write(body[cut:])
			if !bytes.Equal(whole.sum(), parts.sum()) {
				t.Errorf("%v: %q cut at %d", c, body, cut)
			}
		}
	})
}
