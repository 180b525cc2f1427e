package parser

// transferDecoder undoes one Content-Transfer-Encoding. It never fails: damage is repaired and counted.
type transferDecoder interface {
	// decode appends what src yields to dst and returns how much of src it used. final says that nothing follows src;
	// then all of it is used. When not final, it may leave what it cannot yet judge.
	decode(dst, src []byte, final bool) (out []byte, used int)
	// damage lists what was repaired so far.
	damage() []Defect
	// clone copies the state, for somebody who will go on from here.
	clone() transferDecoder
}

func newTransferDecoder(encoding string) transferDecoder {
	switch encoding {
	case "base64":
		return &base64Decoder{}
	case "quoted-printable":
		return &quotedPrintable{}
	case "uuencode", "x-uuencode", "x-uue":
		return &uuDecoder{}
	case encodingYEnc:
		return &yencDecoder{}
	}
	return nil
}

// longestLine is how much of a line a decoder wants to see before it goes on with the piece that it has: more than RFC 5322
// section 2.1.1 allows.
const longestLine = 1000
