package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/letterhook/letterhook/parser"
)

// printStructure writes the tree of parts, one to a line, and with reasons why each is what it is. Nothing that the mail says is in
// it, nor any name or address, so that it can be shown to others.
func printStructure(w io.Writer, m *parser.Message, reasons bool) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprint(t, "part\ttype\tcharset\tencoding\toffset\tlength\tdecoded\tdisposition\tis\n")
	for _, r := range m.Explain() {
		p := r.Part
		size, err := io.Copy(io.Discard, p.Open())
		if err != nil {
			return fmt.Errorf("reading part %s: %w", p.ID, err)
		}
		decoded := fmt.Sprint(size)
		if r.As == parser.AsMultipart {
			decoded = "-"
		}
		is := r.As
		if reasons {
			is += ": " + r.Why
		}
		fmt.Fprintf(t, "%s%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", strings.Repeat("  ", r.Depth), orDash(p.ID), printable(p.ContentType, false),
			orDash(p.Charset), orDash(p.Encoding), p.Offset, p.Length, decoded, orDash(p.Disposition), is)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// printExplanation writes how a mail was read: what each part became, the charsets, the kind, what was wrong.
func printExplanation(w io.Writer, m *parser.Message) error {
	if err := printStructure(w, m, true); err != nil {
		return err
	}
	defects, err := allDefects(m)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\ntext: %s\nhtml: %s\n", body(m.Text, m.TextCharset, m.TextFromHTML), body(m.HTML, m.HTMLCharset, false))
	fmt.Fprintf(&b, "reply: %d of %s of the text, confidence %.2f\n", len(m.Reply.Text), plural(len(deref(m.Text)), "octet"), m.Reply.Confidence)
	fmt.Fprintf(&b, "kind: %s%s\n", m.Kind, because(m.KindReasons))
	fmt.Fprintf(&b, "limits hit: %s\n", orDash(strings.Join(m.LimitsHit, ", ")))
	fmt.Fprintf(&b, "defects: %d\n", len(defects))
	for _, d := range defects {
		fmt.Fprintf(&b, "  part %s: %s: %s\n", orDash(d.Part), d.Code, d.Detail)
	}
	if _, err := io.WriteString(w, printable(b.String(), true)); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// allDefects are those of the message and those that show only when an attachment is decoded.
func allDefects(m *parser.Message) ([]parser.Defect, error) {
	list := m.Defects
	for _, p := range m.Attachments {
		c := p.Open()
		if _, err := io.Copy(io.Discard, c); err != nil {
			return nil, fmt.Errorf("reading part %s: %w", p.ID, err)
		}
		list = append(list, c.Defects()...)
	}
	return list, nil
}

func body(text *string, charset string, fromHTML bool) string {
	switch {
	case text == nil:
		return "none"
	case fromHTML:
		return fmt.Sprintf("%s, made from html in %s", plural(len(*text), "octet"), charset)
	}
	return fmt.Sprintf("%s, read as %s", plural(len(*text), "octet"), charset)
}

func because(reasons []string) string {
	if len(reasons) == 0 {
		return ""
	}
	return ", because of " + strings.Join(reasons, ", ")
}

// printReply writes the text with the type of its segment in front of each line.
func printReply(w io.Writer, m *parser.Message) error {
	var b strings.Builder
	fmt.Fprintf(&b, "confidence %.2f\n", m.Reply.Confidence)
	for _, s := range m.Reply.Segments {
		for line := range strings.Lines(s.Text) {
			fmt.Fprintf(&b, "%-11s | %s\n", s.Type, strings.TrimSuffix(line, "\n"))
		}
	}
	if _, err := io.WriteString(w, printable(b.String(), true)); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s, false)
}
