package config

import (
	"bytes"
	"os"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/dispatch/format"
)

// formatKeyFile reads the key of an endpoint's format where it stands in a file of its own.
func formatKeyFile(c *Config, f *faults, key string, e *Endpoint) {
	if e.FormatKeyFile == "" {
		return
	}
	text, err := os.ReadFile(e.FormatKeyFile)
	switch {
	case e.FormatKey != "":
		f.addf(c.at(f, key), key, "format_key is given beside it too; give one of the two")
	case err != nil:
		f.addf(c.at(f, key), key, "%v", err)
	default:
		e.FormatKey = string(bytes.TrimSpace(text))
	}
}

// completeFormat fills in what the format of an endpoint implies.
func completeFormat(e *Endpoint) {
	traits, _ := format.TraitsOf(e.Format)
	switch {
	case e.Events != "":
	case traits.PerRecipient:
		e.Events = EventsPerRecipient
	default:
		e.Events = EventsPerMessage
	}
}

// format checks what belongs to the format of an endpoint.
func (v *validator) format(key string, e Endpoint) {
	name := e.Format
	if name == "" {
		name = dispatch.FormatNative
	}
	traits, ok := format.TraitsOf(name)
	if !ok {
		v.faultf(key+".format", "must be one of %s", strings.Join(format.Names(), ", "))
		return
	}
	switch {
	case e.FormatKey == "" && traits.KeyRequired && e.FormatKeyFile == "": // of a file that gave none there is a fault already
		v.faultf(key+".format_key", "is required: clients of the format %s verify every request", name)
	case e.FormatKey != "" && !traits.KeyAllowed:
		v.faultf(key+".format_key", "the format %s signs with no key", name)
	case e.FormatKey != "":
		if err := format.CheckKey(name, []byte(e.FormatKey)); err != nil {
			v.faultf(key+".format_key", "%v", err)
		}
	}
	if name == dispatch.FormatNative && len(e.Secrets) == 0 && e.SecretFile == "" {
		v.faultf(key+".secrets", "at least one is required: every request is signed")
	}
	v.word(key+".events", e.Events, EventsPerMessage, EventsPerRecipient)
	if e.StrictStatus && name != format.SendGrid && name != format.SendGridRaw {
		v.faultf(key+".strict_status", "is for the formats %s and %s", format.SendGrid, format.SendGridRaw)
	}
	if e.IncludeRaw && name != format.Postmark {
		v.faultf(key+".include_raw", "is for the format %s", format.Postmark)
	}
}
