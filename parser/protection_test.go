package parser_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser"
)

// TestProtection: what is encrypted or signed is recognised, is an attachment whole, and the text of what is signed is the text.
func TestProtection(t *testing.T) {
	const signature = "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
	signed := func(protocol string) string {
		return "Content-Type: multipart/signed; micalg=sha-256; protocol=\"application/" + protocol + "\"; boundary=b\n\n--b\nContent-Type: text/plain\n\nhello\n--b\nContent-Type: application/" +
			protocol + "; name=s\n\n" + signature + "--b--\n"
	}
	armour := func(what string) string {
		return "-----BEGIN PGP " + what + "-----\n\nabc\n-----END PGP " + what + "-----\n"
	}
	encrypted := "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream; name=encrypted.asc\n\n" +
		armour("MESSAGE") + "--b--\n"
	for _, c := range []struct {
		name, mail  string
		want        parser.Protection
		text        string
		attachments []string // what they hold begins so
	}{
		{"PGP/MIME, signed", signed("pgp-signature"), parser.Protection{Type: "signed", Format: "openpgp"}, "hello", []string{"-----BEGIN PGP SIGNATURE"}},
		{"PGP/MIME, encrypted", encrypted, parser.Protection{Type: "encrypted", Format: "openpgp"}, "", []string{"Version: 1", "-----BEGIN PGP MESSAGE"}},
		{"PGP/MIME through Exchange", strings.Replace(encrypted, "multipart/encrypted; protocol=\"application/pgp-encrypted\"", "multipart/mixed", 1), parser.Protection{Type: "encrypted", Format: "openpgp"}, "", []string{"Version: 1", "-----BEGIN PGP MESSAGE"}},
		{"PGP/MIME through a list", "Content-Type: multipart/mixed; boundary=m\n\n--m\n" + signed("pgp-signature") + "--m\n\nfooter\n--m--\n", parser.Protection{Type: "signed", Format: "openpgp"}, "hello\nfooter", []string{"-----BEGIN PGP SIGNATURE"}},
		{"S/MIME, clear signed", signed("pkcs7-signature"), parser.Protection{Type: "signed", Format: "smime"}, "hello", []string{"-----BEGIN PGP SIGNATURE"}},
		{"S/MIME, clear signed, old type", signed("x-pkcs7-signature"), parser.Protection{Type: "signed", Format: "smime"}, "hello", []string{"-----BEGIN PGP SIGNATURE"}},
		{"S/MIME, opaque signed", "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\nContent-Transfer-Encoding: base64\n\nAAEC\n", parser.Protection{Type: "signed", Format: "smime"}, "", []string{"\x00\x01\x02"}},
		{"S/MIME, encrypted", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\nContent-Disposition: attachment; filename=smime.p7m\nContent-Transfer-Encoding: base64\n\nAAEC\n", parser.Protection{Type: "encrypted", Format: "smime"}, "", []string{"\x00\x01\x02"}},
		{"S/MIME, no word for it", "Content-Type: application/x-pkcs7-mime; name=smime.p7m\n\nx", parser.Protection{Type: "encrypted", Format: "smime"}, "", []string{"x"}},
		{"S/MIME, certificates only", "Content-Type: application/pkcs7-mime; smime-type=certs-only\n\nx", parser.Protection{}, "", []string{"x"}},
		{"a p7m that is attached", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nsee\n--b\nContent-Type: application/pkcs7-mime; name=x.p7m\n\nx\n--b--\n", parser.Protection{}, "see", []string{"x"}},
		{"armour, encrypted", "\n" + armour("MESSAGE"), parser.Protection{Type: "encrypted", Format: "openpgp"}, armour("MESSAGE"), nil},
		{"armour, signed", "\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nhello\n" + signature, parser.Protection{Type: "signed", Format: "openpgp"}, "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nhello\n" + signature, nil},
		{"armour in the middle", "\nI got this:\n" + armour("MESSAGE"), parser.Protection{}, "I got this:\n" + armour("MESSAGE"), nil},
		{"another protocol", signed("x-stamp"), parser.Protection{}, "hello", []string{"-----BEGIN PGP SIGNATURE"}},
		{"plain", "\nhello", parser.Protection{}, "hello", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, c.mail)
			var got parser.Protection
			if m.Protection != nil {
				got = *m.Protection
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if deref(m.Text) != c.text {
				t.Errorf("text %q, want %q", deref(m.Text), c.text)
			}
			if len(m.Attachments) != len(c.attachments) {
				t.Fatalf("%d attachments", len(m.Attachments))
			}
			for i, p := range m.Attachments {
				if !strings.HasPrefix(decoded(t, p), c.attachments[i]) {
					t.Errorf("attachment %d: %q", i, decoded(t, p))
				}
			}
			if len(m.Defects) > 0 {
				t.Errorf("defects %v", m.Defects)
			}
		})
	}
}
