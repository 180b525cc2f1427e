package reply_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/letterhook/letterhook/parser/reply"
)

// tokensOf are the tokens that golang.org/x/net/html finds.
func tokensOf(document string) []reply.Token {
	var list []reply.Token
	z := html.NewTokenizer(strings.NewReader(document))
	for {
		t := reply.Token{Kind: "other"}
		switch z.Next() {
		case html.ErrorToken:
			return list
		case html.TextToken:
			t.Kind = "text"
		case html.StartTagToken, html.SelfClosingTagToken:
			t.Kind = "start"
		case html.EndTagToken:
			t.Kind = "end"
		}
		t.Raw = string(z.Raw())
		if t.Kind == "start" || t.Kind == "end" {
			name, more := z.TagName()
			t.Name = string(name)
			for more {
				var key, value []byte
				key, value, more = z.TagAttr()
				t.Attributes = append(t.Attributes, [2]string{string(key), string(value)})
			}
		}
		list = append(list, t)
	}
}

// withoutTwins removes attributes that the tag has already.
func withoutTwins(list []reply.Token) []reply.Token {
	for i := range list {
		seen := map[string]bool{}
		list[i].Attributes = slices.DeleteFunc(list[i].Attributes, func(a [2]string) bool {
			twin := seen[a[0]]
			seen[a[0]] = true
			return twin
		})
		if len(list[i].Attributes) == 0 {
			list[i].Attributes = nil
		}
	}
	return list
}

// markups are documents whose tokens are not plain to see.
var markups = []string{
	"a<b>c</b>d", "<p class=x id='y' name=\"z\">", "<p class = x >", "<p/class=x/id=y>", "<br/>", "<a href=/x/>", "<p =a b=c = d>", "<p a=>b", "<p a='>' b=\">\">c",
	"a < b <3 c", "<", "a<", "</", "a</", "</>", "<//p>", "</3>", "</p class=x>", "<!", "<!>", "<!->", "<!-->a", "<!--->a", "<!---->a", "<!-- a -- b --->c", "<!-- a --!>b",
	"<!-- a --!-->b", "<!-- a", "<!-- a--", "<!DOCTYPE html>a", "<!doctype", "<![CDATA[a]]>b", "<?xml version=\"1.0\"?>a", "<?", "<p", "<p a", "<p a=", "<p a='b", "a<p b='c>d",
	"<style>a<b></styl></style >c", "<STYLE>a</Style>b", "<title>a", "<title></title>b", "<textarea><p></textarea/>a", "<xmp><p></xmp>", "<plaintext>a</plaintext>b",
	"<noscript><p></noscript>a", "<iframe><p></iframe>a", "<o:p>a</o:p>", "<Div\nCLASS\t=\rx\f>", "<p a=b'c>", "<p \"a\">b", "<style/>a</style>b", "<style>", "<style></style><style></style>",
	"<script>if (a<b) {}</script>c", "<script><!--<script>a</script>b--></script>c", "<script><!--a--></script>c", "<script><!-->a</script>b", "<script><!--a</script>b",
}

func checkScanner(t *testing.T, document string) {
	t.Helper()
	want, got := withoutTwins(tokensOf(document)), withoutTwins(reply.Scan(document))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q: -html +ours:\n%s", document, diff)
	}
}

// TestScanner holds the scanner against the tokenizer of golang.org/x/net/html.
func TestScanner(t *testing.T) {
	for _, document := range markups {
		checkScanner(t, document)
	}
	for _, p := range pages {
		checkScanner(t, strings.ReplaceAll(p.html, "&", ""))
	}
}

// FuzzScanner leaves out what the other decodes, and scripts within comments of scripts, where it departs from the standard.
func FuzzScanner(f *testing.F) {
	for _, document := range markups {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		if strings.ContainsAny(document, "&\r\x00") || strings.Contains(strings.ToLower(document), "<script") || strings.Count(document, "=") >= reply.MostAttributes {
			t.Skip()
		}
		if strings.Count(document, " ")+strings.Count(document, "/")+strings.Count(document, "\n")+strings.Count(document, "\t")+strings.Count(document, "\f") >= reply.MostAttributes {
			t.Skip()
		}
		checkScanner(t, document)
	})
}
