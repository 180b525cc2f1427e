package parser_test

import (
	"strings"
	"testing"
)

// TestFlowed: format=flowed (RFC 3676) comes out with its paragraphs on one line each.
func TestFlowed(t *testing.T) {
	for _, c := range []struct{ name, params, body, want string }{
		{"a paragraph", "", "one \r\ntwo \r\nthree\r\nfour\r\n", "one two three\nfour\n"},
		{"not flowed", "; format=fixed", "one \r\ntwo\r\n", "one \ntwo\n"},
		{"format in capitals", "; FORMAT=Flowed", "one \r\ntwo\r\n", "one two\n"},
		{"deleted spaces", "; format=flowed; delsp=yes", "日本 \r\n語\r\n", "日本語\n"},
		{"space-stuffing", "", " From me\r\n > no quote\r\n  indented\r\n", "From me\n> no quote\n indented\n"},
		{"quotes", "", "> one \r\n> two\r\n>> three \r\n>> four\r\nfive\r\n", "> one two\n>> three four\nfive\n"},
		{"a quote that ends soft", "", "> one \r\n>> two\r\n", "> one \n>> two\n"},
		{"empty quoted lines", "", "> one\r\n> \r\n>\r\n> two\r\n", "> one\n>\n>\n> two\n"},
		{"quotes with spaces between", "", "> > one\r\n", "> > one\n"},
		{"signature", "", "one \r\ntwo\r\n-- \r\nAnn \r\nLee\r\n", "one two\n-- \nAnn Lee\n"},
		{"signature behind a soft line", "", "one \r\n-- \r\nAnn\r\n", "one \n-- \nAnn\n"},
		{"quoted signature", "", "> -- \r\n> Ann\r\n", "> -- \n> Ann\n"},
		{"an empty line behind a soft one", "", "one \r\n\r\ntwo\r\n", "one \n\ntwo\n"},
		{"soft at the end", "", "one \r\n", "one \n"},
		{"no line end", "", "one \r\ntwo", "one two"},
		{"a space and no line end", "", "one ", "one "},
	} {
		params := c.params
		if params == "" {
			params = "; format=flowed"
		}
		m := checkMessage(t, c.name, []byte("Content-Type: text/plain; charset=utf-8"+params+"\r\n\r\n"+c.body))
		if got := deref(m.Text); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	html := "Content-Type: text/html; format=flowed\r\n\r\none \r\ntwo\r\n"
	if m := checkMessage(t, "html", []byte(html)); !strings.Contains(deref(m.HTML), "one \ntwo") {
		t.Errorf("html was unflowed: %q", deref(m.HTML))
	}
}
