package parser

import (
	"bufio"
	"bytes"
	"strings"

	"github.com/jhillyerd/enmime/v2"
	"github.com/jhillyerd/enmime/v2/mediatype"
)

// leafReader reads the header of one entity with enmime, which is tolerant of damaged types and parameters. Enmime never
// sees a body or a boundary, so that none of its costs on hostile structure can occur, and no value longer than
// longestMediaType. Where it is known to lose data it is overruled: parameters in RFC 2231 segments, in broken encoded-words
// or in raw octets; Content-ID, which it takes for a URL; a part without Content-Type, of which it reads nothing.
// One leafReader serves a whole Parse.
type leafReader struct {
	parser *enmime.Parser
	header bytes.Buffer
	in     *bufio.Reader

	// The Content-Type that was read last.
	params              map[string]string
	typeName, typeValue string
}

func newLeafReader() *leafReader {
	l := &leafReader{in: bufio.NewReader(nil)}
	l.parser = enmime.NewParser(
		enmime.RawContent(true), enmime.DisableTextConversion(true), enmime.DisableCharacterDetection(true),
		enmime.MultipartWOBoundaryAsSinglePart(true), enmime.SkipMalformedParts(true), enmime.MaxStoredPartErrors(10),
		enmime.SetReadPartErrorPolicy(func(*enmime.Part, error) bool { return true }),
		enmime.SetCustomParseMediaType(l.mediaType))
	return l
}

// mediaType stands between enmime and its media type parser: an error becomes an empty type, and a boundary is never seen.
// Enmime asks about the Content-Type, about the Content-Disposition, and about the Content-Type again.
func (l *leafReader) mediaType(value string) (string, map[string]string, []string, error) {
	if value == "" {
		return "", nil, nil, nil
	}
	if l.params != nil && value == l.typeValue {
		return l.typeName, l.params, nil, nil
	}
	t, params, invalid, err := mediatype.Parse(value[:min(len(value), longestMediaType)])
	if err != nil {
		t, invalid = "", nil
	}
	if params == nil {
		params = map[string]string{}
	}
	delete(params, "boundary")
	if l.params == nil {
		l.params, l.typeName, l.typeValue = params, t, value
	}
	return t, params, invalid, nil
}

// read fills the part from its Content-* fields; its ContentType is set already.
func (l *leafReader) read(p *Part) {
	l.header.Reset()
	l.params = nil
	contentType, _ := first(p.Headers, "Content-Type")
	disposition, _ := first(p.Headers, "Content-Disposition")
	l.write("Content-Type", contentType.Raw)
	l.write("Content-Disposition", disposition.Raw)
	l.header.WriteString("\r\n")
	l.in.Reset(&l.header)
	e, err := l.parser.ReadParts(l.in)
	if err != nil {
		e = enmime.NewPart(p.ContentType) // only reading can fail, and memory does not
	}
	p.Params = cleanParams(l.params)
	p.Charset = strings.ToLower(cleanText(e.Charset))
	if contentType.Raw == "" {
		p.Params, p.Charset = nil, "" // enmime puts in a default that nobody sent
	}
	kind, dispositionParams := cutMediaType(disposition.structured())
	p.Disposition = strings.ToLower(cleanText(e.Disposition))
	if p.Disposition == "" {
		p.Disposition = strings.ToLower(cleanText(kind))
	}
	_, typeParams := cutMediaType(contentType.structured())
	p.Filename = harmlessName(fileName(e.FileName, dispositionParams, typeParams))
}

func (l *leafReader) write(name, value string) {
	if value != "" {
		l.header.WriteString(name)
		l.header.WriteString(": ")
		l.header.WriteString(value[:min(len(value), longestMediaType)])
		l.header.WriteString("\r\n")
	}
}

// fileName chooses between enmime's reading of a plain name and ours of any other.
func fileName(read string, disposition, contentType []parameter) string {
	ours, simple, ok := lookParameter(disposition, "filename")
	if !ok || ours == "" {
		ours, simple, _ = lookParameter(contentType, "name")
	}
	if simple && read != "" {
		return read
	}
	return ours
}

func cleanParams(params map[string]string) map[string]string {
	for name, value := range params {
		if clean := cleanText(name); clean != name {
			delete(params, name)
			params[clean] = cleanText(value)
		} else if !plainASCII(value) {
			params[name] = cleanText(value)
		}
	}
	return params
}
