package parser

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// decodeBody decodes at most limit octets of a text, lines ending in LF. Without a source (the bodies of a nested message) it
// reads nothing.
func (p *parsing) decodeBody(part *Part, src *source, limit int) (decodedText, error) {
	if src == nil || limit <= 0 {
		if src != nil && part.Length > 0 {
			p.limit(LimitBodyBytes)
		}
		return decodedText{}, nil
	}
	_, charset := findCharset(part.Charset)
	w := textWriter{limit: limit, keepCR: sevenBitShift(charset)}
	w.text.Grow(int(min(part.Length, int64(limit))))
	defects, err := p.copyBody(&w, part, src)
	if err != nil {
		return decodedText{}, fmt.Errorf("decode part %s: %w", part.ID, err)
	}
	w.finish()
	if part.ContentType == "text/plain" && part.within == nil && mayHoldFile(w.text.String()) {
		w = textWriter{limit: limit, keepCR: w.keepCR}
		if defects, err = p.cutFiles(&w, part); err != nil {
			return decodedText{}, err
		}
		w.finish()
	}
	for _, d := range defects {
		p.defect(d.Code, part.ID, d.Detail)
	}
	text := w.text.String()
	if w.full {
		p.limit(LimitBodyBytes)
		text = wholeRunes(text)
	}
	label := part.Charset
	if label == "" && part.ContentType == "text/html" {
		label = metaCharset(text)
		if _, name := findCharset(label); strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32") {
			label = charsetUTF8 // else the name could not have been read
		}
	}
	d := p.decodeText(text, label)
	if d.defect != "" {
		p.defect(d.defect, part.ID, cleanText(label))
	}
	if w.keepCR {
		d.text = strings.ReplaceAll(d.text, "\r\n", "\n")
	}
	if is, deleteSpace := part.flowed(); is {
		d.text = unflow(d.text, deleteSpace)
	}
	return d, nil
}

// decodeText is decodeCharset, and tries to do better where that had nothing left but windows-1252.
func (p *parsing) decodeText(text, label string) decodedText {
	d := decodeCharset(text, label)
	if d.defect == "" || d.charset != charsetWindows || p.detections == mostDetections {
		return d
	}
	p.detections++
	if found, ok := detect(text); ok {
		found.defect = d.defect
		return found
	}
	return d
}

// textWriter collects a text, each CR LF in it made LF, up to its limit.
type textWriter struct {
	text   strings.Builder
	limit  int
	keepCR bool // CR and LF may be halves of characters
	cr     bool // a CR came last and was not written
	full   bool
}

func (w *textWriter) write(b []byte) {
	if w.cr && len(b) > 0 {
		if w.cr = false; b[0] != '\n' {
			w.put([]byte{'\r'})
		}
	}
	for !w.keepCR && !w.full {
		i := bytes.IndexByte(b, '\r')
		if i < 0 {
			break
		}
		if i+1 == len(b) {
			w.cr = true
			b = b[:i]
			break
		}
		if b[i+1] == '\n' {
			w.put(b[:i])
		} else {
			w.put(b[:i+1]) // a CR that stands alone is content
		}
		b = b[i+1:]
	}
	w.put(b)
}

// finish writes the CR that the text ends with.
func (w *textWriter) finish() {
	if w.cr {
		w.put([]byte{'\r'})
	}
}

func (w *textWriter) put(b []byte) {
	if room := w.limit - w.text.Len(); len(b) > room {
		b, w.full = b[:room], true
	}
	w.text.Write(b)
}

// copyBody undoes the transfer encoding. A message that lies in memory is not copied on the way.
func (p *parsing) copyBody(w *textWriter, part *Part, src *source) ([]Defect, error) {
	if part.within == nil && src.whole() && part.source == src.r {
		return p.copyFromMemory(w, part, src.buf[part.Offset:part.Offset+part.Length]), nil
	}
	content := part.Open()
	for !w.full {
		n, err := content.Read(p.scratch())
		w.write(p.buffer[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return content.Defects(), nil
}

func (p *parsing) copyFromMemory(w *textWriter, part *Part, body []byte) []Defect {
	dec := newTransferDecoder(part.Encoding)
	if dec == nil {
		w.write(body)
		return nil
	}
	for final := false; !final && !w.full; {
		chunk := body[:min(len(body), scratchSize)]
		final = len(chunk) == len(body)
		out, used := dec.decode(p.scratch()[:0], chunk, final)
		w.write(out)
		body = body[used:]
	}
	return dec.damage()
}

// scratchSize is more than a transferDecoder ever leaves unused.
const scratchSize = 2 << 10

// scratch is a buffer that serves all texts of a message.
func (p *parsing) scratch() []byte {
	if p.buffer == nil {
		p.buffer = make([]byte, scratchSize)
	}
	return p.buffer
}

// wholeRunes cuts off the beginning of a character that a limit cut in two.
func wholeRunes(s string) string {
	for n := len(s); n > 0 && n > len(s)-utf8.UTFMax; n-- {
		if utf8.RuneStart(s[n-1]) {
			if !utf8.FullRuneInString(s[n-1:]) {
				return s[:n-1]
			}
			break
		}
	}
	return s
}

// metaCharset finds the charset that an HTML document names for itself, in its first kilobyte as browsers do.
func metaCharset(html string) string {
	head := strings.ToLower(html[:min(len(html), 1024)])
	for {
		_, after, ok := strings.Cut(head, "<meta")
		if !ok {
			return ""
		}
		tag, rest, _ := strings.Cut(after, ">")
		if _, label, ok := strings.Cut(tag, "charset="); ok {
			label = strings.TrimLeft(label, "\"' ")
			if i := strings.IndexAny(label, "\"'; />"); i >= 0 {
				label = label[:i]
			}
			return label
		}
		head = rest
	}
}
