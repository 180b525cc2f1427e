package format

import (
	"maps"
	"slices"

	"github.com/letterhook/letterhook/dispatch"
)

// The names of the formats.
const (
	Postmark             = "postmark"
	SendGrid             = "sendgrid"
	SendGridRaw          = "sendgrid-raw"
	Mailgun              = "mailgun"
	MailgunMIME          = "mailgun-mime"
	Mandrill             = "mandrill"
	CloudMailin          = "cloudmailin"
	CloudMailinMultipart = "cloudmailin-multipart"
	Raw                  = "raw"
)

// Traits say what an endpoint of a format needs.
type Traits struct {
	// KeyRequired says that the vendor signs every request, so the endpoint needs a format key; KeyAllowed that it may
	// have one.
	KeyRequired, KeyAllowed bool
	// PerRecipient says that the vendor makes one request for each recipient.
	PerRecipient bool
}

var traits = map[string]Traits{
	dispatch.FormatNative: {},
	Postmark:              {PerRecipient: true},
	SendGrid:              {KeyAllowed: true, PerRecipient: true},
	SendGridRaw:           {KeyAllowed: true, PerRecipient: true},
	Mailgun:               {KeyRequired: true, KeyAllowed: true, PerRecipient: true},
	MailgunMIME:           {KeyRequired: true, KeyAllowed: true, PerRecipient: true},
	Mandrill:              {KeyRequired: true, KeyAllowed: true, PerRecipient: true},
	CloudMailin:           {},
	CloudMailinMultipart:  {},
	Raw:                   {PerRecipient: true},
}

// TraitsOf gives the traits of a format by its name, and whether there is one of that name.
func TraitsOf(name string) (Traits, bool) {
	t, ok := traits[name]
	return t, ok
}

// Names lists the names of all formats, the native one included.
func Names() []string { return slices.Sorted(maps.Keys(traits)) }

// All gives the formats by their names, the native one excluded.
func All() map[string]dispatch.Format {
	return map[string]dispatch.Format{
		Postmark:             postmark{},
		SendGrid:             sendgrid{},
		SendGridRaw:          sendgrid{raw: true},
		Mailgun:              mailgun{},
		MailgunMIME:          mailgun{mime: true},
		Mandrill:             mandrill{},
		CloudMailin:          cloudmailin{},
		CloudMailinMultipart: cloudmailin{multipart: true},
		Raw:                  raw{},
	}
}

// CheckKey says what is wrong with a format key, or nil.
func CheckKey(name string, key []byte) error {
	if name == SendGrid || name == SendGridRaw {
		_, err := parseSigningKey(key)
		return err
	}
	return nil
}
