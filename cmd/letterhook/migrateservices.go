package main

import "github.com/letterhook/letterhook/dispatch/format"

// services are the hosted parsers that letterhook migrate knows.
var services = map[string]service{
	"postmark": {
		format: format.Postmark,
		url:    "https://app.example.com/postmark/inbound",
		mx:     "inbound.postmarkapp.com",
		now: `#   Servers > your server > the inbound stream > Settings: the webhook is the url below. If "Include raw email content in JSON payload"
#   is on, say --raw. The inbound domain forwarding there is the domain below.
`,
		routes: `      # Everything goes to the one webhook, as it does there; the text behind + is MailboxHash.
      - match: "*"
        endpoints: [app]
`,
		notes: `# Mail that you forward to <hash>@inbound.postmarkapp.com today is to be forwarded to an address at {{.Domain}}.
`,
	},
	"sendgrid": {
		format: format.SendGrid, raw: format.SendGridRaw,
		url: "https://app.example.com/sendgrid/inbound",
		mx:  "mx.sendgrid.net",
		now: `#   Settings > Inbound Parse: each row is a host and a URL, one domain and one endpoint here. If "POST the raw, full MIME message" is on,
#   say --raw. The security policy of the row says whether requests are signed.
#   If they are, a fresh key pair: put the first into format_key of the endpoint and the second where the application has the
#   public key of the policy.
#     format_key: "{{.PrivateKey}}"
#     public key: {{.Public}}
`,
		routes: `      # Everything goes to the one URL, as it does there.
      - match: "*"
        endpoints: [app]
`,
		notes: `# There an answer of 4xx loses the mail. Here it is tried again; strict_status: true ends the attempts, and the mail can be replayed.
`,
	},
	"mailgun": {
		format: format.Mailgun, raw: format.MailgunMIME,
		url:         "https://app.example.com/mailgun/inbound",
		keyVariable: "MAILGUN_SIGNING_KEY",
		mx:          "mxa.mailgun.org and mxb.mailgun.org",
		now: `#   Receiving > Routes: each forward("url") is an endpoint here, each expression a route below, in the order of the priorities. If the URL ends
#   in "mime", say --raw. API security > HTTP webhook signing key is MAILGUN_SIGNING_KEY: keep it, or give both sides a new one.
`,
		routes: `      # match_recipient("support@{{.Domain}}")
      - match: support
        endpoints: [app]
      # match_recipient("order-(?P<id>[0-9]+)@{{.Domain}}"): a regular expression over the local part
      - match: /order-(?P<id>[0-9]+)/
        endpoints: [app]
      # catch_all(); leave it out to refuse everybody else, which tells senders of a wrong address
      - match: "*"
        endpoints: [app]
`,
		notes: `# match_header(...) has no counterpart: routes look at the recipient. store(notify=...) has none either: use forward, or the native
# format, whose links are what store() is for. forward("mail@address") does not exist here: nothing is sent as mail.
`,
	},
	"mandrill": {
		format:      format.Mandrill,
		url:         "https://app.example.com/mandrill/inbound",
		keyVariable: "MANDRILL_WEBHOOK_KEY",
		mx:          "in1.mandrillapp.com and in2.mandrillapp.com (with the number of your account before)",
		now: `#   Inbound > Domains > Routes: each webhook is an endpoint here, each route a match below. The webhook key of the route is
#   MANDRILL_WEBHOOK_KEY. The signature covers the url letter by letter: it must be what the application verifies with.
`,
		routes: `      # Routes there are globs, and so are these.
      - match: "support-*"
        endpoints: [app]
      - match: "*"
        endpoints: [app]
`,
	},
	"cloudmailin": {
		format: format.CloudMailin,
		url:    "https://app.example.com/cloudmailin",
		mx:     "the MX records of CloudMailin",
		now: `#   Addresses > your address: target and format. "JSON Normalized" is the format below, "Multipart Normalized" is
#   cloudmailin-multipart. If attachments go to a store of yours, say attachments: url; links then lead to this server.
`,
		routes: `      - match: "*"
        endpoints: [app]
`,
		notes: `# There an answer of 4xx refuses the mail while its sender waits. Here it does so on a route with sync: true (docs/synchronous.md); on others
# the sender has been answered already, and the mail is tried again.
# What the recipient callback decides is decided by routes here.
`,
	},
	"rails": {
		format: format.Raw,
		url:    "https://actionmailbox:${RAILS_INBOUND_EMAIL_PASSWORD}@app.example.com/rails/action_mailbox/relay/inbound_emails",
		mx:     "the mail server that pipes into bin/rails action_mailbox:ingress",
		now: `#   A mail server (Postfix, Exim, qmail) pipes mail into bin/rails action_mailbox:ingress:*, which posts it to the relay ingress. This
#   server takes the place of both. Rails with the ingress of a service: migrate that service, with --raw.
`,
		routes: `      - match: "*"
        endpoints: [app]
`,
		notes: `# config.action_mailbox.ingress = :relay stays as it is.
`,
	},
}
