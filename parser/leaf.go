package parser

import (
	"strings"

	"github.com/jhillyerd/enmime/v2/mediatype"
)

// readLeaf fills the part from its Content-* fields; its ContentType is set already. Types and parameters are read with
// enmime, which is tolerant of damaged ones: by its reader of media types alone, because reading the header of a part as
// one of its entities costs four times as much and says nothing more. It never sees a body or a boundary, so that none of
// its costs on hostile structure can occur, and no value longer than longestMediaType. Where it is known to lose data it is
// overruled: parameters in RFC 2231 segments, in broken encoded-words or in raw octets. more says that there were more
// parameters than are read.
func readLeaf(p *Part) (more bool) {
	contentType, _ := first(p.Headers, "Content-Type")
	disposition, _ := first(p.Headers, "Content-Disposition")
	params := readParameters(contentType.Raw)
	dispositionParams := readParameters(disposition.Raw)
	name := params["name"]
	if name == "" {
		name = params["file"]
	}
	if dispositionParams["filename"] != "" {
		name = dispositionParams["filename"]
	}
	name, _ = decodeWords(name)

	p.Charset = strings.ToLower(cleanText(params["charset"]))
	p.Params = cleanParams(params)
	kind, ourDisposition, more := cutMediaType(disposition.structured())
	if disposition.Raw != "" {
		p.Disposition = dispositionOf(kind)
	}
	_, ourType, moreOfType := cutMediaType(contentType.structured())
	p.Filename = harmlessName(fileName(name, ourDisposition, ourType))
	return more || moreOfType
}

// readParameters reads the parameters of a type or disposition.
func readParameters(value string) map[string]string {
	if value == "" {
		return nil
	}
	_, params, _, err := mediatype.Parse(value[:min(len(value), longestMediaType)])
	if params == nil || err != nil && len(params) == 0 {
		return map[string]string{}
	}
	delete(params, "boundary")
	return params
}

// dispositionOf reads the word of a Content-Disposition: whatever is not inline is an attachment (RFC 2183 section 2.8).
func dispositionOf(word string) string {
	if strings.EqualFold(firstWord(word), "inline") {
		return "inline"
	}
	return "attachment"
}

// fileName is the name that the part was sent with, in the order in which mail clients look for one; enmime's reading where we find none.
func fileName(read string, disposition, contentType []parameter) string {
	for _, sent := range []struct {
		params []parameter
		name   string
	}{{disposition, "filename"}, {contentType, "name"}, {disposition, "name"}} {
		if ours, ok := lookParameter(sent.params, sent.name); ok && ours != "" {
			return ours
		}
	}
	return read
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
