package format

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/storage"
)

// cloudmailin is the normalized format of CloudMailin, as JSON or as a form.
type cloudmailin struct{ multipart bool }

// Refuses implements [dispatch.Format]. With CloudMailin an answer decides what the sender is told; here the sender has been
// told already, so what fails is tried again.
func (cloudmailin) Refuses(*storage.Endpoint, int) bool { return false }

// Form implements [dispatch.Format].
func (cm cloudmailin) Form(_ context.Context, c *dispatch.Copy) (*dispatch.Form, error) {
	d := c.Event.Data
	f := &dispatch.Form{MediaType: "application/json", Held: 2 * held(d)}
	attachments := d.Attachments
	linked := c.Endpoint.Attachments == storage.AttachmentsURL
	if c.Smallest && !linked && len(attachments) > 0 {
		linked, f.Omitted = true, "attachments"
	}
	tree := cloudmailinTree(c)
	if cm.multipart {
		boundary := boundaryOf(c)
		f.MediaType = multipartType(boundary)
		f.Write = func(ctx context.Context, w io.Writer, _ dispatch.Stamp) error {
			m := newMultipart(w, boundary)
			for _, n := range tree {
				flatten(m, n.name, n.value)
			}
			for i := range attachments {
				at := "attachments[" + strconv.Itoa(i) + "]"
				if a := &attachments[i]; linked {
					flatten(m, at, append(cloudmailinFile(a, i), node{"url", text(a.URL)}))
				} else {
					m.file(at, filename(a, i), mediaType(a), func(w io.Writer) error { return copyAttachment(ctx, w, c, i) })
				}
			}
			return m.end()
		}
		return f, nil
	}
	f.Write = func(ctx context.Context, w io.Writer, _ dispatch.Stamp) error {
		out := &sticky{w: w}
		out.text("{")
		for _, n := range tree {
			out.json(n.name)
			out.text(":")
			writeTree(out, n.value)
			out.text(",")
		}
		out.text(`"attachments":[`)
		for i := range attachments {
			if i > 0 {
				out.text(",")
			}
			a := &attachments[i]
			out.text("{")
			for _, n := range cloudmailinFile(a, i) {
				out.json(n.name)
				out.text(":")
				writeTree(out, n.value)
				out.text(",")
			}
			if linked {
				out.text(`"url":`)
				out.json(text(a.URL))
			} else {
				out.text(`"content":"`)
				out.run(func() error { return copyBase64(ctx, out, c, i) })
				out.text(`"`)
			}
			out.text("}")
		}
		out.text("]}")
		return out.err
	}
	return f, nil
}

// node is a member of an object. Its value is a string, a bool, an int64, a []any or a []node.
type node struct {
	name  string
	value any
}

// cloudmailinTree is everything but the attachments.
func cloudmailinTree(c *dispatch.Copy) []node {
	d := c.Event.Data
	order, values := grouped(append(traceFields(c), mailFields(d, true, "Return-Path")...), func(name string) string {
		return strings.ReplaceAll(strings.ToLower(name), "-", "_")
	})
	headers := make([]node, len(order))
	for i, name := range order {
		headers[i] = node{name, values[name][0]}
		if list := values[name]; len(list) > 1 {
			headers[i].value = listOf(list)
		}
	}
	return []node{
		{"headers", headers}, {"envelope", cloudmailinEnvelope(c)},
		{"plain", text(d.Text)}, {"html", text(d.HTML)}, {"reply_plain", text(d.Reply.Text)},
	}
}

func cloudmailinEnvelope(c *dispatch.Copy) []node {
	d := c.Event.Data
	e := d.Envelope
	to := ""
	if len(e.RcptTo) > 0 {
		to = e.RcptTo[0]
	}
	envelope := []node{
		{"to", to}, {"recipients", listOf(e.RcptTo)}, {"from", mailFrom(c)}, {"helo_domain", e.Helo},
		{"remote_ip", e.RemoteIP}, {"tls", e.TLS != nil},
	}
	domain := ""
	if a := d.Authentication; a != nil {
		domain = a.SPF.Domain
		_, valid := dkim(d)
		results := []any{}
		for _, s := range a.DKIM {
			results = append(results, []node{{"result", s.Result}, {"domain", s.Domain}, {"selector", s.Selector}})
		}
		envelope = append(envelope,
			node{"dkim", []node{{"success", valid}, {"result", results}}},
			node{"dmarc", []node{{"success", a.DMARC.Result == "pass"}, {"result", a.DMARC.Result}, {"details", []node{
				{"domain", a.DMARC.Domain}, {"policy", a.DMARC.Policy}, {"spf_result", a.SPF.Result},
				{"dmarc_spf_result", passOrFail(a.DMARC.SPFAligned)}, {"dmarc_dkim_result", passOrFail(a.DMARC.DKIMAligned)},
				{"dkim_results", results},
			}}}})
	}
	envelope = append(envelope, node{"spf", []node{{"result", spf(d)}, {"domain", domain}}})
	if s := d.Spam; s != nil {
		symbols := make([]any, len(s.Symbols))
		for i := range s.Symbols {
			symbols[i] = s.Symbols[i].Name
		}
		envelope = append(envelope, node{"spamd", []node{
			{"score", scoreText(s.Score)}, {"success", !s.IsSpam}, {"symbols", symbols}, {"response", s.Action},
		}})
	}
	return envelope
}

func passOrFail(pass bool) string {
	if pass {
		return "pass"
	}
	return "fail"
}

func cloudmailinFile(a *dispatch.Attachment, index int) []node {
	disposition := "attachment"
	if isInline(a) {
		disposition = "inline"
	}
	nodes := []node{
		{"file_name", filename(a, index)}, {"content_type", mediaType(a)}, {"size", a.Size}, {"disposition", disposition},
	}
	if a.ContentID != nil {
		nodes = append(nodes, node{"content_id", *a.ContentID})
	}
	return nodes
}

func listOf(texts []string) []any {
	list := make([]any, len(texts))
	for i := range texts {
		list[i] = texts[i]
	}
	return list
}

// writeTree writes a value as JSON, the members of objects in their order.
func writeTree(out *sticky, value any) {
	switch v := value.(type) {
	case []node:
		out.text("{")
		for i, n := range v {
			if i > 0 {
				out.text(",")
			}
			out.json(n.name)
			out.text(":")
			writeTree(out, n.value)
		}
		out.text("}")
	case []any:
		out.text("[")
		for i := range v {
			if i > 0 {
				out.text(",")
			}
			writeTree(out, v[i])
		}
		out.text("]")
	default:
		out.json(v)
	}
}

// flatten writes a value as form fields, with the way to it in brackets.
func flatten(m *multipart, name string, value any) {
	switch v := value.(type) {
	case []node:
		for _, n := range v {
			flatten(m, name+"["+n.name+"]", n.value)
		}
	case []any:
		for i := range v {
			flatten(m, name+"["+strconv.Itoa(i)+"]", v[i])
		}
	case bool:
		m.field(name, strconv.FormatBool(v))
	case int64:
		m.field(name, strconv.FormatInt(v, 10))
	case string:
		m.field(name, v)
	}
}
