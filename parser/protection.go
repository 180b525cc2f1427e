package parser

import "strings"

// Protection says that a message is encrypted or signed from end to end. It is recognised and passed on as it was sent:
// nothing is decrypted and no signature is verified.
type Protection struct {
	Type   string // ProtectionEncrypted or ProtectionSigned
	Format string // FormatOpenPGP or FormatSMIME
}

// The words of [Protection].
const (
	ProtectionEncrypted = "encrypted"
	ProtectionSigned    = "signed"

	FormatOpenPGP = "openpgp" // RFC 3156, and armour in a text (RFC 9580 section 6.2)
	FormatSMIME   = "smime"   // RFC 8551
)

// protectionOf looks at the outermost part; where a mailing list wrapped that into a multipart/mixed, or a gateway made one of
// it, at the parts of that; and at a text that begins with armour.
func protectionOf(m *Message) *Protection {
	parts := []*Part{m.Root}
	if m.Root.ContentType == "multipart/mixed" {
		parts = m.Root.Parts
	}
	for _, part := range parts {
		// Of a file that is attached nobody knows what it means; the message itself has no disposition worth a look.
		if p := part.protection(part == m.Root); p != nil {
			return p
		}
	}
	if m.Text == nil || m.TextFromHTML {
		return nil
	}
	switch text := strings.TrimLeft(*m.Text, " \t\r\n"); {
	case strings.HasPrefix(text, "-----BEGIN PGP MESSAGE-----"):
		return &Protection{Type: ProtectionEncrypted, Format: FormatOpenPGP}
	case strings.HasPrefix(text, "-----BEGIN PGP SIGNED MESSAGE-----"):
		return &Protection{Type: ProtectionSigned, Format: FormatOpenPGP}
	}
	return nil
}

func (p *Part) protection(root bool) *Protection {
	protocol := strings.TrimPrefix(strings.ToLower(p.Params["protocol"]), "application/")
	switch p.ContentType {
	case "multipart/encrypted":
		if protocol == "pgp-encrypted" {
			return &Protection{Type: ProtectionEncrypted, Format: FormatOpenPGP}
		}
	case "application/pgp-encrypted": // its multipart was taken for a mixed one, as Exchange does
		return &Protection{Type: ProtectionEncrypted, Format: FormatOpenPGP}
	case "multipart/signed":
		switch protocol {
		case "pgp-signature":
			return &Protection{Type: ProtectionSigned, Format: FormatOpenPGP}
		case "pkcs7-signature", "x-pkcs7-signature":
			return &Protection{Type: ProtectionSigned, Format: FormatSMIME}
		}
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		if !root {
			return nil
		}
		switch strings.ToLower(p.Params["smime-type"]) {
		case "signed-data":
			return &Protection{Type: ProtectionSigned, Format: FormatSMIME}
		case "enveloped-data", "authenveloped-data", "": // RFC 8551 section 3.2.2; old senders name none
			return &Protection{Type: ProtectionEncrypted, Format: FormatSMIME}
		}
	}
	return nil
}
