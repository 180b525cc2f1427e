package parser

// Defect is something wrong with a mail that did not keep us from reading it.
type Defect struct {
	Code   string // one of the Defect constants; the list may grow
	Part   string // ID of the part; "" for the message itself
	Detail string // a short explanation for people, may change
}

// The codes of [Defect]. docs/defects.md says what each means for whoever receives the mail and how it was repaired.
const (
	DefectNUL    = "nul"     // a NUL octet (RFC 5322 section 4 forbids it); removed from text
	DefectBareCR = "bare-cr" // a CR without LF (RFC 5322 section 2.3); content, never a line end
	DefectBareLF = "bare-lf" // a LF without CR; read as a line end

	DefectMboxFrom        = "mbox-from"         // a "From " line of an mbox file before the header; skipped
	DefectHeaderSeparator = "header-separator"  // the header ran into the body without an empty line
	DefectHeaderUnindent  = "header-unindented" // a continuation line was not indented; joined to its field
	DefectHeader8Bit      = "header-8bit"       // octets above 127 in a header that are no UTF-8; read in the charset of the body, or as windows-1252
	DefectHeaderDuplicate = "header-duplicate"  // a field that may stand once stands twice; the first counts
	DefectEncodedWord     = "encoded-word"      // an encoded-word (RFC 2047) that cannot be decoded; left as sent
	DefectAddress         = "address-malformed" // an address field with something that is no address
	DefectDate            = "date-malformed"    // Date cannot be read

	DefectContentType       = "content-type-malformed" // no type/subtype to be found; taken as text/plain (RFC 2045 section 5.2)
	DefectBoundaryMissing   = "boundary-missing"       // a multipart without boundary; read as text
	DefectBoundaryNotFound  = "boundary-not-found"     // the boundary never appears in the body; read as text
	DefectBoundaryUnclosed  = "boundary-unclosed"      // no closing delimiter; the multipart ends where its container ends
	DefectEncodingUnknown   = "encoding-unknown"       // a Content-Transfer-Encoding that nobody defined; bytes taken as they are
	DefectEncodingContainer = "encoding-on-container"  // a multipart or message in base64 or quoted-printable (RFC 2045 section 6.4)

	DefectBase64Missing   = "base64-missing"           // base64 was announced, but the body is prose; taken as it is
	DefectBase64Noise     = "base64-noise"             // characters outside of the alphabet; skipped
	DefectBase64Truncated = "base64-truncated"         // the last group is not whole; its whole octets are kept
	DefectBase64Trailing  = "base64-trailing"          // text behind the base64 data; cut off
	DefectQuotedPrintable = "quoted-printable-invalid" // a "=" that begins no escape; kept as it is
	DefectUUEncode        = "uuencode-invalid"         // a damaged line, or no "begin" at all
	DefectYEnc            = "yenc-invalid"             // a size or a checksum that is wrong, or no "=ybegin" or "=yend"
	DefectTNEF            = "tnef-invalid"             // a winmail.dat that is cut or damaged; what came before is unpacked, and it stays listed
	DefectCalendar        = "calendar-invalid"         // an attachment is called a calendar and is none, or a line of it cannot be read
	DefectCharsetUnknown  = "charset-unknown"          // nobody knows the charset; read as UTF-8 or windows-1252
	DefectCharsetInvalid  = "charset-invalid"          // the text is not in the charset it names; see TextCharset for what was taken
	DefectCharsetMissing  = "charset-missing"          // octets above 127, or the escapes of ISO-2022, and no charset named
)

// explain is the detail of a defect about which there is no more to say.
func explain(code string) string {
	switch code {
	case DefectMboxFrom:
		return "a mailbox file's From line was skipped"
	case DefectHeaderSeparator:
		return "no empty line between header and body"
	case DefectHeaderUnindent:
		return "a continued header line is not indented"
	case DefectHeader8Bit:
		return "octets in a header that are not UTF-8"
	case DefectEncodedWord:
		return "an encoded-word cannot be decoded"
	case DefectDate:
		return "the date cannot be read"
	case DefectContentType:
		return "no type/subtype"
	case DefectBoundaryMissing:
		return "a multipart without boundary"
	case DefectBoundaryNotFound:
		return "the boundary does not occur"
	case DefectBoundaryUnclosed:
		return "the closing delimiter is missing"
	case DefectEncodingUnknown:
		return "the transfer encoding is not known"
	case DefectEncodingContainer:
		return "a multipart or message may not be encoded"
	case DefectCalendar:
		return "the calendar cannot be read whole"
	case DefectCharsetMissing:
		return "no charset is named, and the text is not ASCII"
	}
	return ""
}
