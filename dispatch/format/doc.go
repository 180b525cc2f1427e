// Package format makes the requests that hosted inbound parsers make, so that an application written for one of them takes
// mail from us without a change. docs/formats.md says field by field what each format fills and where it differs.
//
// Every format is a [dispatch.Format] over the event that the native format is: nothing is parsed again. Attachments and
// raw mail are read from storage while they are sent. What a client believes because the vendor writes it, such as
// X-Spam-Status, is never what a stranger wrote into his mail.
package format
