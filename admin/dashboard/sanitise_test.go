package dashboard

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func noPictures(string) (string, bool) { return "", false }

// dangers are what of a sanitised document would run, or be fetched.
func dangers(t *testing.T, clean string) (found []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(clean))
	if err != nil {
		return nil // no browser gets so deep, and the page has something else to show
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if slices.Contains(dropped, n.DataAtom) || n.Namespace != "" || !slices.Contains(kept, n.DataAtom) {
			found = append(found, "<"+n.Data+">")
		}
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "srcset", a.Key == "action", a.Key == "formaction", a.Key == "background", a.Key == "ping", a.Key == "srcdoc":
				found = append(found, a.Key)
			case a.Key == "href" && !isLink(a.Val):
				found = append(found, "href "+a.Val)
			case a.Key == "src" && !strings.HasPrefix(value, "data:image/"), strings.HasPrefix(value, "data:image/svg"):
				found = append(found, "src "+a.Val)
			case a.Key == "style" && strings.Contains(value, "url("):
				found = append(found, "style "+a.Val)
			}
		}
		if n.DataAtom == atom.Style && n.FirstChild != nil {
			if sheet := strings.ToLower(n.FirstChild.Data); strings.Contains(sheet, "url(") || strings.Contains(sheet, "@import") {
				found = append(found, "sheet "+sheet)
			}
		}
	}
	return found
}

func TestSanitise(t *testing.T) {
	inline := func(id string) (string, bool) { return "data:image/png;base64,AA==", id == "dot@x" }
	for _, tt := range []struct{ in, want string }{
		{`<p>Hello <b onclick="x()">you</b></p>`, `<p>Hello <b>you</b></p>`},
		{`<a href="https://a.example/?b=c&amp;d">x</a>`, `<a href="https://a.example/?b=c&amp;d" target="_blank" rel="noopener noreferrer nofollow">x</a>`},
		{`<a href="javascript:x()">x</a>`, `<a target="_blank" rel="noopener noreferrer nofollow">x</a>`},
		{`<img src="cid:dot@x" width="3">`, `<img src="data:image/png;base64,AA==" width="3"/>`},
		{`<img src="cid:%64ot@x">`, `<img src="data:image/png;base64,AA=="/>`},
		{`<img src="https://t.example/p.gif" alt="x">`, `<img alt="x"/>`},
		{`<form><font color="red">x</font></form>`, `<font color="red">x</font>`},
		{`<o:p>x</o:p>`, `x`},
		{`<p style="color: red; background: url(http://t.example); margin: 0">x</p>`, `<p style="color: red; margin: 0">x</p>`},
		{`<script>x()</script><svg><a>y</a></svg>z`, `z`},
	} {
		got, _ := sanitise(tt.in, &pictures{inline: inline})
		if want := "<!doctype html>\n<html><head></head><body>" + tt.want + "</body></html>"; got != want {
			t.Errorf("%s\n gives %s\n  want %s", tt.in, got, want)
		}
	}
	if clean, blocked := sanitise(`<img src="http://t.example/1"><td background="x"><style>@import "x"; p{color:red;background:url(x)}</style>`, &pictures{inline: noPictures}); blocked != 3 || !strings.Contains(clean, "color:red") {
		t.Errorf("%d blocked: %s", blocked, clean)
	}
	if clean, _ := sanitise(`<img src="https://t.example/1">`, &pictures{inline: noPictures, remote: true}); !strings.Contains(clean, `src="https://t.example/1"`) {
		t.Errorf("the picture that was asked for is gone: %s", clean)
	}
	// As deep and as wide as anybody likes, in time that the size bounds.
	for _, hostile := range []string{strings.Repeat("<div>", 100_000), strings.Repeat("<p>x", 100_000), "<style>" + strings.Repeat("@import ", 50_000)} {
		if clean, _ := sanitise(hostile, &pictures{inline: noPictures}); len(clean) > 2<<20 {
			t.Errorf("%d octets come of %.20s", len(clean), hostile)
		}
	}
}

// FuzzSanitise: whatever the html of a mail is, nothing of what comes of it runs or is fetched.
func FuzzSanitise(f *testing.F) {
	for _, seed := range []string{
		`<p style="background:url(x)">`, `<svg></p><style><a id="</style><img src=x onerror=y>">`, `<noscript><p title="</noscript><img src=x onerror=y>">`,
		`<math><mtext><table><mglyph><style><img src=x>`, `<a href="java&#9;script:x">`, `<style>@import 'x'`, `<img src=data:image/svg+xml,x>`, `<base href=x><template><script>`,
		`<style>a{b:u/**/rl(x)}</style>`, `<p style="width:u\72l(x)">`, `<form><math><mtext></form><form><mglyph><style></math><img src onerror=x>`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clean, _ := sanitise(text, &pictures{inline: noPictures})
		if found := dangers(t, clean); len(found) > 0 {
			t.Errorf("%q\nbecomes\n%s\nwhich holds %q", text, clean, found)
		}
	})
}
