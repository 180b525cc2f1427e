package config

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/letterhook/letterhook/dispatch"
	"github.com/letterhook/letterhook/dispatch/format"
	"github.com/letterhook/letterhook/storage"
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

// The schedule and the maximum age of a shadow endpoint that has none of its own: it is tried for a few minutes.
const shadowMaxAge = Duration(time.Hour)

func shadowSchedule() []Duration {
	return []Duration{Duration(5 * time.Second), Duration(30 * time.Second), Duration(2 * time.Minute), Duration(10 * time.Minute)}
}

// completeFormat fills in what the format of an endpoint implies, and being a shadow.
func completeFormat(e *Endpoint) {
	if e.Shadow && e.Schedule == nil {
		e.Schedule = shadowSchedule()
	}
	if e.Shadow && e.MaxAge == 0 {
		e.MaxAge = shadowMaxAge
	}
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
	if v.lost(key + ".format") {
		return // what belongs to it nobody knows
	}
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
	unread := e.SecretFile != "" && len(e.Secrets) == 0 // there is a fault already
	if name == dispatch.FormatNative && !e.StoredSecrets && !unread && !slices.ContainsFunc(e.Secrets, SigningSecret.stays) {
		v.faultf(key+".secrets", "at least one is required that has no end, for every request is signed; or say stored_secrets: true")
	}
	v.fit(key, name, e)
	v.word(key+".events", e.Events, EventsPerMessage, EventsPerRecipient)
	if e.StrictStatus && name != format.SendGrid && name != format.SendGridRaw {
		v.faultf(key+".strict_status", "is for the formats %s and %s", format.SendGrid, format.SendGridRaw)
	}
	if e.IncludeRaw && name != format.Postmark {
		v.faultf(key+".include_raw", "is for the format %s", format.Postmark)
	}
}

// fit checks how an event is fitted to the endpoint.
func (v *validator) fit(key, name string, e Endpoint) {
	own := name == dispatch.FormatNative
	if e.Attachments != "" {
		modes := []string{string(storage.AttachmentsURL), string(storage.AttachmentsInline), string(storage.AttachmentsNone)}
		linked := name == format.CloudMailin || name == format.CloudMailinMultipart
		switch {
		case !v.word(key+".attachments", e.Attachments, modes...):
		case linked && e.Attachments == string(storage.AttachmentsNone), !own && !linked:
			v.faultf(key+".attachments", "the format %s has its own way", name)
		}
	}
	if e.InlineSize != 0 {
		if e.Attachments != string(storage.AttachmentsInline) || !own {
			v.faultf(key+".inline_size", "is for attachments: inline")
		}
		v.between(key+".inline_size", int64(e.InlineSize), 1, 25<<20)
	}
	if !own && len(e.HeaderFields) > 0 {
		v.faultf(key+".header_fields", "the format %s has them all", name)
	}
	for i, field := range e.HeaderFields {
		if (field == headersAll || field == headersNone) && len(e.HeaderFields) > 1 || field == "" {
			v.faultf(fmt.Sprintf("%s.header_fields[%d]", key, i), "is all, none, or names of fields")
		}
	}
	if !own && e.Gzip {
		v.faultf(key+".gzip", "clients of the format %s would not understand it", name)
	}
}

// The words that stand in the place of names in Endpoint.HeaderFields.
const (
	headersAll  = "all"
	headersNone = "none"
)

// HeaderNames are the fields that the event has; nil: all of them.
func (e *Endpoint) HeaderNames() []string {
	switch {
	case len(e.HeaderFields) == 0, e.HeaderFields[0] == headersAll:
		return nil
	case e.HeaderFields[0] == headersNone:
		return []string{}
	}
	return e.HeaderFields
}

// shadows finds mail that only shadow endpoints would get.
func (v *validator) shadows() {
	isShadow := func(account, name string) bool {
		return slices.ContainsFunc(v.Endpoints, func(e Endpoint) bool { return e.Account == account && e.Name == name && e.Shadow })
	}
	first := map[string]bool{}
	for i, e := range v.Endpoints {
		if !first[e.Account] && e.Shadow {
			v.faultf(fmt.Sprintf("endpoints[%d].shadow", i), "the first endpoint of an account gets what is sent to postmaster and abuse; put another before it")
		}
		first[e.Account] = true
	}
	for i, d := range v.Domains {
		for n, r := range d.Routes {
			if len(r.Endpoints) > 0 && !slices.ContainsFunc(r.Endpoints, func(name string) bool { return !isShadow(d.Account, name) }) {
				v.faultf(fmt.Sprintf("domains[%d].routes[%d].endpoints", i, n), "has shadow endpoints alone, so the mail could be lost")
			}
		}
	}
}
