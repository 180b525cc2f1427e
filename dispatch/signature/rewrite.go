package signature

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
)

// style is a way to write JSON.
type style struct {
	name         string // behind "compact JSON"
	text         func(b *bytes.Buffer, s string)
	comma, colon string
}

// styles differ in how they write texts; each is what some library does unless it is told otherwise.
var styles = []style{
	{"", plainText, ",", ":"},
	{", with < > & escaped", goText, ",", ":"},
	{", with all but ASCII escaped", asciiText, ",", ":"},
	{", with slashes and all but ASCII escaped", phpText, ",", ":"},
	{", with slashes escaped", slashText, ",", ":"},
	{", as JavaScript writes it", scriptText, ",", ":"},
}

// rewrite decodes JSON and writes it in a style, with keys and numbers as they were. It is false for what is no JSON.
func rewrite(body []byte, s style) ([]byte, bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var b bytes.Buffer
	if writeValue(d, &b, s, 0) != nil {
		return nil, false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return b.Bytes(), true
}

const maxDepth = 1000

var errDepth = errors.New("too deep")

func writeValue(d *json.Decoder, b *bytes.Buffer, s style, depth int) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return errDepth
	}
	switch v := t.(type) {
	case json.Delim:
		return writeAll(d, b, s, v, depth)
	case string:
		s.text(b, v)
	case json.Number:
		b.WriteString(v.String())
	case bool:
		fmt.Fprint(b, v)
	case nil:
		b.WriteString("null")
	}
	return nil
}

// writeAll writes an array or an object, of which the opening bracket was read.
func writeAll(d *json.Decoder, b *bytes.Buffer, s style, open json.Delim, depth int) error {
	b.WriteByte(byte(open))
	for first := true; d.More(); first = false {
		if !first {
			b.WriteString(s.comma)
		}
		if open == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			s.text(b, fmt.Sprint(key))
			b.WriteString(s.colon)
		}
		if err := writeValue(d, b, s, depth+1); err != nil {
			return err
		}
	}
	end, err := d.Token()
	if err != nil {
		return err
	}
	fmt.Fprint(b, end)
	return nil
}

// plainText writes a text as the sender does.
func plainText(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return // no text fails
	}
	b.Truncate(b.Len() - 1) // the line end
}

func goText(b *bytes.Buffer, s string) {
	if text, err := json.Marshal(s); err == nil {
		b.Write(text)
	}
}

func scriptText(b *bytes.Buffer, s string) { escape(b, s, false, false) }
func slashText(b *bytes.Buffer, s string)  { escape(b, s, true, false) }
func asciiText(b *bytes.Buffer, s string)  { escape(b, s, false, true) }
func phpText(b *bytes.Buffer, s string)    { escape(b, s, true, true) }

// escape writes what must be escaped (RFC 8259 section 7), and more where that is asked for.
func escape(b *bytes.Buffer, s string, slashes, unicode bool) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
	b.WriteByte('"')
	for _, r := range s {
		code, ok := short[r]
		switch {
		case ok:
			b.WriteString(code)
		case r < ' ' || unicode && r > '~' && r < 0x10000:
			if r == 0x7F {
				b.WriteRune(r)
			} else {
				fmt.Fprintf(b, `\u%04x`, r)
			}
		case unicode && r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
		case r == '/' && slashes:
			b.WriteString(`\/`)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
