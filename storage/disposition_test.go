package storage

import (
	"mime"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAttachmentDisposition(t *testing.T) {
	tests := []struct{ name, want string }{
		{"", `attachment`},
		{"report.pdf", `attachment; filename="report.pdf"`},
		{"two words; a=b.pdf", `attachment; filename="two words; a=b.pdf"`},
		{"Größe.pdf", `attachment; filename="Gr__e.pdf"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.pdf`},
		{`a"b%41.txt`, `attachment; filename="a_b_41.txt"; filename*=UTF-8''a%22b%2541.txt`},
		{"../../etc/passwd", `attachment; filename="_.._etc_passwd"`},
		{`C:\x.exe`, `attachment; filename="C:_x.exe"`},
		{"a\r\nSet-Cookie: x=y", `attachment; filename="a__Set-Cookie: x=y"`},
		{"\x00\xff", `attachment; filename="__"`},
		{"\u202egpj.exe", `attachment; filename="gpj.exe"`},
		{" . ", `attachment`},
	}
	for _, tt := range tests {
		if got := AttachmentDisposition(tt.name); got != tt.want {
			t.Errorf("%q\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
	long := AttachmentDisposition(strings.Repeat("ö", 500) + ".pdf")
	if _, p, err := mime.ParseMediaType(long); err != nil || len(p["filename"]) > maxFilename || !strings.HasSuffix(p["filename"], "ö.pdf") {
		t.Errorf("a long name: %v, %q", err, p)
	}
}

func FuzzAttachmentDisposition(f *testing.F) {
	f.Add("a.pdf")
	f.Add("ä\"\r\n\\;%")
	f.Fuzz(func(t *testing.T, name string) {
		value := AttachmentDisposition(name)
		for _, c := range []byte(value) {
			if c < ' ' || c > 0x7e {
				t.Fatalf("%q gives %q", name, value)
			}
		}
		_, tail, extended := strings.Cut(value, "; filename*=")
		if extended {
			value = "attachment; filename*=" + tail
		}
		media, params, err := mime.ParseMediaType(value)
		if err != nil || media != "attachment" {
			t.Fatalf("%q gives %q: %v", name, value, err)
		}
		if got := params["filename"]; got != safeFilename(name) || !utf8.ValidString(got) || strings.ContainsAny(got, "/\\\r\n\x00") {
			t.Fatalf("%q is read as %q", name, got)
		}
	})
}

func TestSafeContentType(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "application/octet-stream"}, {"pdf", "application/octet-stream"}, {"text/html\r\nX: y", "application/octet-stream"},
		{"a/b/c", "application/octet-stream"}, {"text/" + strings.Repeat("x", 200), "application/octet-stream"},
		{"Application/PDF", "application/pdf"}, {"text/plain; charset=utf-8", "text/plain"},
	}
	for _, tt := range tests {
		if got := SafeContentType(tt.in); got != tt.want {
			t.Errorf("SafeContentType(%q) = %s", tt.in, got)
		}
	}
}
