package dashboard

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// pictures says where the pictures of a mail come from.
type pictures struct {
	inline func(contentID string) (url string, ok bool)
	remote bool // those on other servers are shown
}

// The elements that are kept. Of those that are not, the content stands without them, save for dropped ones.
var kept = []atom.Atom{
	atom.A, atom.Abbr, atom.Acronym, atom.Address, atom.Article, atom.Aside, atom.B, atom.Bdi, atom.Bdo, atom.Big, atom.Blockquote,
	atom.Body, atom.Br, atom.Caption, atom.Center, atom.Cite, atom.Code, atom.Col, atom.Colgroup, atom.Dd, atom.Del, atom.Details,
	atom.Dfn, atom.Div, atom.Dl, atom.Dt, atom.Em, atom.Figcaption, atom.Figure, atom.Font, atom.Footer, atom.H1, atom.H2, atom.H3,
	atom.H4, atom.H5, atom.H6, atom.Head, atom.Header, atom.Hr, atom.Html, atom.I, atom.Img, atom.Ins, atom.Kbd, atom.Li, atom.Main,
	atom.Mark, atom.Ol, atom.P, atom.Pre, atom.Q, atom.S, atom.Samp, atom.Section, atom.Small, atom.Span, atom.Strike, atom.Strong,
	atom.Style, atom.Sub, atom.Summary, atom.Sup, atom.Table, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Time, atom.Tr,
	atom.Tt, atom.U, atom.Ul, atom.Var, atom.Wbr,
}

// The elements that go with all that is in them.
var dropped = []atom.Atom{
	atom.Script, atom.Noscript, atom.Template, atom.Iframe, atom.Frame, atom.Frameset, atom.Noframes, atom.Object, atom.Embed,
	atom.Applet, atom.Svg, atom.Math, atom.Audio, atom.Video, atom.Canvas, atom.Title, atom.Textarea, atom.Select, atom.Option,
	atom.Base, atom.Link, atom.Meta, atom.Plaintext, atom.Xmp, atom.Noembed,
}

// The attributes that are kept, on any element.
var keptAttributes = []string{
	"abbr", "align", "alt", "bgcolor", "border", "cellpadding", "cellspacing", "class", "color", "cols", "colspan", "dir", "face",
	"height", "hspace", "lang", "nowrap", "open", "rowspan", "rows", "scope", "size", "span", "start", "style", "summary", "title",
	"type", "valign", "value", "vspace", "width",
}

// The depth and number of elements of what is shown; mail from strangers may have any.
const (
	maxNesting  = 400
	maxElements = 50_000
)

// sanitise rewrites the html of a mail for its frame: allowed elements and attributes alone, links that open elsewhere and tell
// nothing of where they were clicked, pictures only from the mail itself unless others are wanted. blocked counts the pictures and
// styles that would have been fetched. The policy of the frame forbids all the same things once more.
func sanitise(text string, p *pictures) (clean string, blocked int) {
	root, err := html.Parse(strings.NewReader(text))
	if err != nil { // nested deeper than any browser would
		return "<!doctype html><p>The HTML of this mail cannot be shown. Its text can.", 0
	}
	s := &sanitiser{pictures: p}
	s.children(root, 0)
	var b strings.Builder
	b.WriteString("<!doctype html>\n")
	if err := html.Render(&b, root); err != nil {
		return "<!doctype html><p>The HTML of this mail cannot be shown. Its text can.", 0
	}
	return b.String(), s.blocked
}

type sanitiser struct {
	*pictures

	blocked  int
	elements int
}

// children cleans what lies in a node.
func (s *sanitiser) children(n *html.Node, depth int) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		switch {
		case c.Type == html.TextNode:
			if n.DataAtom == atom.Style {
				c.Data = s.styleSheet(c.Data)
			}
		case c.Type != html.ElementNode, slices.Contains(dropped, c.DataAtom), c.Namespace != "", depth > maxNesting, s.elements > maxElements:
			n.RemoveChild(c)
		case !slices.Contains(kept, c.DataAtom):
			s.children(c, depth+1)
			unwrap(n, c)
		default:
			s.elements++
			s.attributes(c)
			s.children(c, depth+1)
		}
		c = next
	}
}

// unwrap puts the children of c into its place in n.
func unwrap(n, c *html.Node) {
	for child := c.FirstChild; child != nil; child = c.FirstChild {
		c.RemoveChild(child)
		n.InsertBefore(child, c)
	}
	n.RemoveChild(c)
}

func (s *sanitiser) attributes(n *html.Node) {
	list := n.Attr[:0]
	for _, a := range n.Attr {
		switch {
		case a.Namespace != "":
			continue
		case n.DataAtom == atom.A && a.Key == "href":
			if !isLink(a.Val) {
				continue
			}
		case n.DataAtom == atom.Img && a.Key == "src":
			var ok bool
			if a.Val, ok = s.picture(a.Val); !ok {
				continue
			}
		case a.Key == "style":
			a.Val = s.styles(a.Val)
		case a.Key == "background":
			s.blocked++
			continue
		case !slices.Contains(keptAttributes, a.Key):
			continue
		}
		list = append(list, a)
	}
	n.Attr = list
	if n.DataAtom == atom.A {
		n.Attr = append(n.Attr, html.Attribute{Key: "target", Val: "_blank"}, html.Attribute{Key: "rel", Val: "noopener noreferrer nofollow"})
	}
}

// isLink says whether a link leads somewhere that a click may lead to.
func isLink(href string) bool {
	u, err := url.Parse(strings.TrimSpace(href))
	return err == nil && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "mailto")
}

// picture gives the source that a picture is shown from; false: none.
func (s *sanitiser) picture(src string) (string, bool) {
	src = strings.TrimSpace(src)
	scheme, rest, _ := strings.Cut(src, ":")
	switch strings.ToLower(scheme) {
	case "cid":
		if id, err := url.PathUnescape(rest); err == nil {
			rest = id
		}
		return s.inline(strings.Trim(rest, "<>"))
	case "data":
		mediaType, _, _ := strings.Cut(rest, ";")
		return src, isPicture(strings.ToLower(mediaType))
	case "http", "https":
		if s.remote {
			return src, true
		}
		s.blocked++
	}
	return "", false
}

// fetches finds what a style would fetch. Comments and escapes can hide it; the policy of the frame then stops it.
var fetches = regexp.MustCompile(`(?i)(url|image|image-set|cross-fade|src|expression)\s*\(`)

// styles cleans a style attribute: a declaration that would fetch something, or holds an escape, goes.
func (s *sanitiser) styles(text string) string {
	var list []string
	for declaration := range strings.SplitSeq(text, ";") {
		switch {
		case strings.TrimSpace(declaration) == "":
		case suspicious(declaration):
			s.blocked++
		default:
			list = append(list, strings.TrimSpace(declaration))
		}
	}
	return strings.Join(list, "; ")
}

func suspicious(text string) bool {
	return fetches.MatchString(text) || strings.ContainsAny(text, "\\@<") || strings.Contains(text, "/*") || strings.Contains(strings.ToLower(text), "-moz-binding") || strings.Contains(strings.ToLower(text), "behavior")
}

// styleSheet cleans a style sheet: what fetches has its place taken by nothing, and so have rules that import.
func (s *sanitiser) styleSheet(text string) string {
	text = comments.ReplaceAllString(text, " ")
	if strings.Contains(text, "\\") || strings.Contains(text, "<") {
		s.blocked++
		return ""
	}
	text = imports.ReplaceAllStringFunc(text, func(string) string { s.blocked++; return "" })
	return fetches.ReplaceAllStringFunc(text, func(string) string { s.blocked++; return "none(" })
}

var (
	comments = regexp.MustCompile(`(?s)/\*.*?(\*/|$)|<!--|-->`)
	imports  = regexp.MustCompile(`(?i)@(import|namespace|font-face|charset|document)[^;{}]*(;|\{[^}]*\}|$)`)
)
