package dispatch

import (
	"io"
	"slices"

	"github.com/letterhook/letterhook/inbound"
	"github.com/letterhook/letterhook/parser"
	"github.com/letterhook/letterhook/storage"
)

// View is the data object of a stored mail for whoever looks at it beside the deliveries: that of no endpoint, so endpoint_id is empty and
// the recipients are all that its account has; links there are none. msg is what [parser.Parse] made of raw; nil where it must not be
// parsed, and then there is its header alone. version is the program's. The attachments are read, to learn their size and hash.
func View(mail *storage.Mail, msg *parser.Message, raw io.ReaderAt, version string) (data *EventData, err error) {
	if msg == nil {
		header, err := plainHeader(raw)
		if err != nil {
			return nil, err
		}
		data = unparsed(header, version)
		weighReversePath(data, mail.Envelope.ReversePath)
	} else {
		if mail.Envelope.ReversePath == (inbound.Path{}) {
			msg.NullReversePath()
		}
		if data, err = DataOf(msg, mail.Size, mail.SHA256, version); err != nil {
			return nil, err
		}
	}
	all := *mail
	all.Envelope.Recipients = slices.Clone(mail.Envelope.Recipients)
	for i := range all.Envelope.Recipients {
		all.Envelope.Recipients[i].Endpoints = []string{""}
	}
	address(data, &all, "")
	apart := "apart"
	for i := range data.Attachments {
		data.Attachments[i].Omitted = &apart
	}
	return data, nil
}
