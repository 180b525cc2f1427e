package replyaddr

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/letterhook/letterhook/inbound"
)

// What is wrong with a token. The signature is checked first: only a token that was genuine once is told to be expired.
var (
	ErrMalformed = errors.New("not a token")
	ErrForged    = errors.New("the signature of the token does not match")
	ErrExpired   = errors.New("the token has expired")
)

// Mailbox is what a token is bound to, written as it is signed.
type Mailbox struct {
	// Local is the local-part before the "+": lower case, NFC, never empty, without "+" and quotes.
	Local string
	// Domain in lower-case A-labels (RFC 5890).
	Domain string
}

// Token is what a reply address says.
type Token struct {
	// Data is the application's own: text without control characters, at most [MaxData] octets, perhaps empty. It is signed
	// and not encrypted: whoever sees the address can read it.
	Data string
	// Expires is the end of its life, a whole minute; zero: never.
	Expires time.Time
}

// The layout: a word of 32 bits in network order (version in the upper four, minutes of the Unix epoch in the others, 0
// for a token that never expires), the data, and the first octets of the HMAC-SHA256.
const (
	version    = 1
	wordSize   = 4
	macSize    = 10
	maxMinutes = 1<<28 - 1 // in the year 2480
	maxLocal   = 64        // RFC 5321 section 4.5.3.1.1, in octets
)

// MaxData is how many octets of data fit into an address with this local-part; negative when not even an empty token
// does.
func MaxData(local string) int {
	return encoding.DecodedLen(max(0, maxLocal-len(local)-len("+"))) - wordSize - macSize
}

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Mint makes the address that says token, signed with key. Expires is rounded up to a whole minute.
func Mint(key Key, box Mailbox, token Token) (string, error) {
	if err := box.check(); err != nil {
		return "", fmt.Errorf("mint reply address: %w", err)
	}
	if !isText(token.Data) {
		return "", errors.New("mint reply address: the data is not UTF-8 text without control characters")
	}
	if limit := MaxData(box.Local); len(token.Data) > limit {
		return "", fmt.Errorf("mint reply address: %d octets of data; with the local-part %q at most %d fit", len(token.Data), box.Local, limit)
	}
	minutes, err := minutesOf(token.Expires)
	if err != nil {
		return "", fmt.Errorf("mint reply address: %w", err)
	}
	signed := binary.BigEndian.AppendUint32(nil, version<<28|minutes)
	signed = append(signed, token.Data...)
	return box.Local + "+" + encoding.EncodeToString(append(signed, mac(key, box, signed)...)) + "@" + box.Domain, nil
}

// Verify checks the token of an address at the box, what stands behind the "+" of its local-part in any case, at the time
// now. Any of the keys may have signed it. The error is ErrMalformed, ErrForged or ErrExpired; an expired token is
// returned beside its error, because it is genuine.
func Verify(keys []Key, box Mailbox, token string, now time.Time) (Token, error) {
	signed, sum, ok := split(token)
	if !ok {
		return Token{}, ErrMalformed
	}
	genuine := false
	for _, key := range keys { // all of them: how long it takes says nothing
		if hmac.Equal(sum, mac(key, box, signed)) {
			genuine = true
		}
	}
	if !genuine {
		return Token{}, ErrForged
	}
	said := Token{Data: string(signed[wordSize:])}
	if minutes := binary.BigEndian.Uint32(signed) & maxMinutes; minutes > 0 {
		said.Expires = time.Unix(int64(minutes)*60, 0).UTC()
	}
	switch {
	case !isText(said.Data): // whoever has the key wrote what the format does not allow
		return Token{}, ErrMalformed
	case !said.Expires.IsZero() && !now.Before(said.Expires):
		return said, ErrExpired
	}
	return said, nil
}

// split decodes a token. There is one way to write each in lower case: other spellings of the same octets, which base32
// has where its last bits are left over, are no tokens.
func split(token string) (signed, sum []byte, ok bool) {
	if len(token) > maxLocal {
		return nil, nil, false
	}
	token = lowerASCII(token)
	octets, err := encoding.DecodeString(token)
	if err != nil || len(octets) < wordSize+macSize || encoding.EncodeToString(octets) != token {
		return nil, nil, false
	}
	signed, sum = octets[:len(octets)-macSize], octets[len(octets)-macSize:]
	return signed, sum, binary.BigEndian.Uint32(signed)>>28 == version
}

// mac binds the signed octets to a mailbox. No domain holds "@" or a line end, so no two of them have the same text.
func mac(key Key, box Mailbox, signed []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("letterhook reply address\n" + box.Local + "@" + box.Domain + "\n"))
	h.Write(signed)
	return h.Sum(nil)[:macSize]
}

func minutesOf(expires time.Time) (uint32, error) {
	if expires.IsZero() {
		return 0, nil
	}
	minutes := expires.Unix() / 60
	if expires.After(time.Unix(minutes*60, 0)) {
		minutes++
	}
	if minutes < 1 || minutes > maxMinutes {
		return 0, errors.New("the end of its life lies outside the years 1970 to 2480")
	}
	return uint32(minutes), nil
}

// check says whether the box is written as it is signed, and can have a detail.
func (b Mailbox) check() error {
	p, err := inbound.ParsePath(b.Local+"@"+b.Domain, true)
	switch {
	case err != nil || p.LocalPart != b.Local || strings.Contains(b.Local, "+"):
		return fmt.Errorf("%q at %q is not a mailbox that can have a detail", b.Local, b.Domain)
	case strings.ToLower(b.Local) != b.Local || !norm.NFC.IsNormalString(b.Local):
		return fmt.Errorf("the local-part %q is not in lower case and NFC", b.Local)
	case lowerASCII(b.Domain) != b.Domain || strings.ContainsFunc(b.Domain, func(r rune) bool { return r > unicode.MaxASCII }):
		return fmt.Errorf("the domain %q is not in lower-case A-labels", b.Domain)
	}
	return nil
}

func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// lowerASCII leaves all but A to Z alone: the Kelvin sign is no letter of a token.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
