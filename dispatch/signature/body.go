package signature

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/letterhook/letterhook/dispatch"
)

// maxDecompressed bounds what a compressed body may become, in octets.
const maxDecompressed = 64 << 20

const (
	rawAdvice = " Verify the bytes as they came, before anything decodes them."
	cutEnd    = "Line ends at the end of the body were taken away, or the sender signed some that it did not send." + rawAdvice
	addedEnd  = "The body has line ends at its end that were not signed: something added them." + rawAdvice
	converted = "The line ends within the body were converted." + rawAdvice
)

// bodiesOf are the body as it is and what it may have been.
func bodiesOf(body []byte) []variant {
	list := []variant{{body: body}}
	add := func(b []byte, code, text string) {
		if len(b) > 0 || len(body) > 0 {
			list = append(list, variant{body: b, mistake: &Finding{code, text}})
		}
	}
	add(bytes.TrimRight(body, "\r\n"), BodyLineEnd, addedEnd)
	add(bytes.TrimSpace(body), BodyLineEnd, "The body has white space around it that was not signed."+rawAdvice)
	add(append(bytes.Clone(body), '\n'), BodyLineEnd, cutEnd)
	add(append(bytes.Clone(body), "\r\n"...), BodyLineEnd, cutEnd)
	unix := bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	add(unix, BodyLineEnd, converted)
	add(bytes.ReplaceAll(unix, []byte("\n"), []byte("\r\n")), BodyLineEnd, converted)
	if cut, ok := bytes.CutPrefix(body, []byte("\xEF\xBB\xBF")); ok {
		add(cut, BodyCharset, "The body begins with a byte order mark that was not signed."+rawAdvice)
	}
	if plain := decompress(body); plain != nil {
		add(plain, BodyCompressed, "The body is compressed, and the signature covers what it is without that. Undo the Content-Encoding, then verify.")
	}
	list = append(list, charsets(body)...)
	return append(list, serialised(body)...)
}

// decompress gives nil for a body that is not compressed.
func decompress(body []byte) []byte {
	var r io.Reader
	if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
		r = z
	} else if z, err := zlib.NewReader(bytes.NewReader(body)); err == nil {
		r = z
	} else {
		return nil
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxDecompressed))
	if err != nil {
		return nil
	}
	return plain
}

// charsets are the body as it was before it was taken for another charset, as far as that can be undone.
func charsets(body []byte) (list []variant) {
	for _, c := range []*charmap.Charmap{charmap.ISO8859_1, charmap.Windows1252} {
		text := "The body was converted between UTF-8 and " + c.String() + ", so its octets are not those that were signed." + rawAdvice
		for _, convert := range []func([]byte) ([]byte, error){c.NewDecoder().Bytes, c.NewEncoder().Bytes} {
			if b, err := convert(body); err == nil && !bytes.Equal(b, body) && utf8.Valid(b) { // as all that is signed is
				list = append(list, variant{body: b, mistake: &Finding{BodyCharset, text}})
			}
		}
	}
	return list
}

// serialised are the ways in which JSON is usually written, of the body's values.
func serialised(body []byte) (list []variant) {
	add := func(b []byte, how string) {
		finding := &Finding{BodySerialised, "The body was decoded and written again: the signature fits it as " + how + "." + rawAdvice}
		list = append(list, variant{body: b, mistake: finding},
			variant{body: append(bytes.Clone(b), '\n'), mistake: finding})
	}
	for _, s := range styles {
		compact, ok := rewrite(body, s)
		if !ok {
			continue
		}
		add(compact, "compact JSON"+s.name)
		if spaced, ok := rewrite(body, style{s.name, s.text, ", ", ": "}); ok {
			add(spaced, "JSON with blanks behind commas and colons"+s.name)
		}
		for _, by := range []struct{ text, name string }{{"  ", "two blanks"}, {"    ", "four blanks"}, {"\t", "tabs"}} {
			var b bytes.Buffer
			if json.Indent(&b, compact, "", by.text) == nil {
				add(b.Bytes(), "JSON indented by "+by.name+s.name)
			}
		}
	}
	if ordered, ok := inOrder(body); ok {
		add(ordered, "compact JSON with the keys in the order of the contract")
	}
	return list
}

// inOrder writes an event anew, as the sender does. It undoes what sorts keys.
func inOrder(body []byte) ([]byte, bool) {
	var frame struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(body, &frame) != nil {
		return nil, false
	}
	var ev any
	switch frame.Type {
	case dispatch.EventReceived:
		ev = new(dispatch.Event)
	case dispatch.EventTest:
		ev = new(dispatch.TestEvent)
	case dispatch.EventRecipientCheck:
		ev = new(dispatch.RecipientQuestion)
	default:
		return nil, false
	}
	if json.Unmarshal(body, ev) != nil {
		return nil, false
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(ev)
	return bytes.TrimRight(b.Bytes(), "\n"), err == nil
}
