package inbound

import (
	"fmt"
	"log/slog"
)

// A refusal is a reply of ours with what follows from it.
type refusal struct {
	*Reply
	// reason is the label of the metric and the key of the log line. The words are fixed, see reasons.
	reason string
	// budget is what the refusal counts against.
	budget budget
	// found is what the log shall know beyond the reply.
	found []slog.Attr
}

// ours says that the cause is trouble of ours.
func (r *refusal) ours() bool {
	return r.reason == reasonStorage || r.reason == reasonPanic || r.reason == reasonDiskFull
}

// budget names a counter of a connection that ends it when it is used up.
type budget int

const (
	budgetNone budget = iota
	budgetErrors
	budgetUnknown
)

// The reasons a peer can be refused for: the closed set of values of the label "reason".
const (
	reasonSyntax      = "syntax"
	reasonSequence    = "sequence"
	reasonUnsupported = "unsupported"
	reasonRecipient   = "recipient"
	reasonRecipients  = "too_many_recipients"
	reasonSize        = "size"
	reasonLine        = "line_length"
	reasonLineEnds    = "line_ends"
	reasonLoop        = "loop"
	reasonPolicy      = "policy"
	reasonDiskFull    = "disk_full"
	reasonStorage     = "storage"
	reasonTimeout     = "timeout"
	reasonBudget      = "budget"
	reasonConnections = "connections"
	reasonTLS         = "tls"
	reasonShutdown    = "shutdown"
	reasonPanic       = "panic"
	reasonAborted     = "aborted" // the peer went away inside the data
	reasonProxy       = "proxy"   // no PROXY header, or not from a proxy of ours
	reasonAuth        = "auth"
	reasonSpam        = string(RejectSpam)
	reasonVirus       = string(RejectVirus)
	reasonUnscanned   = string(RejectUnscanned)
	reasonDMARC       = "dmarc"
	reasonRate        = "rate"         // too many connections in a time
	reasonHarvest     = "harvest"      // too many unknown recipients from one source
	reasonEarly       = "early_talker" // the peer spoke before the greeting
	reasonBlocked     = "blocked"      // by a lever
	reasonDrain       = "drain"        // by a lever
	reasonDefer       = "defer"        // by a lever
	reasonListed      = "listed"       // by a list of clients
	reasonGreylisted  = "greylisted"
	reasonFlight      = "in_flight" // too many octets of messages are being received
	reasonApplication = string(RejectApplication)
	reasonUnanswered  = string(RejectUnanswered)
	reasonQuota       = string(RejectQuota)
	reasonBacklog     = string(RejectBacklog)
	reasonAccountRate = string(RejectAccountRate)
	reasonSuppressed  = string(RejectSuppressed)
)

var reasons = []string{
	reasonSyntax, reasonSequence, reasonUnsupported, reasonRecipient, reasonRecipients, reasonSize, reasonLine,
	reasonLineEnds, reasonLoop, reasonPolicy, reasonDiskFull, reasonStorage, reasonTimeout, reasonBudget,
	reasonConnections, reasonTLS, reasonShutdown, reasonPanic, reasonAborted, reasonProxy,
	reasonAuth, reasonSpam, reasonVirus, reasonUnscanned, reasonDMARC,
	reasonRate, reasonHarvest, reasonEarly, reasonBlocked, reasonDrain, reasonDefer, reasonListed, reasonGreylisted, reasonFlight,
	reasonApplication, reasonUnanswered, reasonQuota, reasonBacklog, reasonAccountRate, reasonSuppressed,
}

func refuse(code int, class, subject, detail int, text, reason string, b budget) *refusal {
	return &refusal{Reply: &Reply{code, [3]int{class, subject, detail}, text}, reason: reason, budget: b}
}

// atMost says with a refusal for size what would be taken, in octets: whoever is refused needs to know.
func (r *refusal) atMost(limit int64) *refusal {
	said, over := *r.Reply, *r
	said.Text = fmt.Sprintf("%s, at most %d octets are taken", r.Text, limit)
	over.Reply = &said
	return &over
}

// What this room refuses by itself. Codes by RFC 5321 section 4.2 and 4.3.2, status codes by RFC 3463 and the
// registry of RFC 5248. docs/smtp.md lists them for people.
var (
	refuseUnknownCommand = refuse(500, 5, 5, 1, "Command not recognised", reasonSyntax, budgetErrors)
	refuseHTTP           = refuse(421, 4, 7, 0, "This is SMTP, not HTTP", reasonSyntax, budgetNone)
	refuseNotImplemented = refuse(502, 5, 5, 1, "Command not implemented", reasonUnsupported, budgetErrors)
	refuseBareLine       = refuse(500, 5, 5, 2, "A command ends with CR LF", reasonSyntax, budgetErrors)
	refuseControl        = refuse(500, 5, 5, 2, "Control character in command", reasonSyntax, budgetErrors)
	refuseLongCommand    = refuse(500, 5, 5, 2, "Command line too long", reasonLine, budgetErrors)
	refuseArgument       = refuse(501, 5, 5, 4, "No argument expected", reasonSyntax, budgetErrors)
	refuseNoArgument     = refuse(501, 5, 5, 4, "Argument missing", reasonSyntax, budgetErrors)
	refuseMailSyntax     = refuse(501, 5, 5, 2, "Syntax: MAIL FROM:<address> [parameters]", reasonSyntax, budgetErrors)
	refuseRcptSyntax     = refuse(501, 5, 5, 2, "Syntax: RCPT TO:<address>", reasonSyntax, budgetErrors)
	refuseReversePath    = refuse(501, 5, 1, 7, "Malformed sender address", reasonSyntax, budgetErrors)
	refuseForwardPath    = refuse(501, 5, 1, 3, "Malformed recipient address", reasonSyntax, budgetErrors)
	refuseUTF8           = refuse(553, 5, 6, 7, "Address needs SMTPUTF8", reasonSyntax, budgetErrors) // RFC 6531 3.5
	refuseParameter      = refuse(555, 5, 5, 4, "Parameter not recognised", reasonUnsupported, budgetErrors)
	refuseParameterValue = refuse(501, 5, 5, 4, "Malformed parameter", reasonSyntax, budgetErrors)
	refuseChunkSize      = refuse(501, 5, 5, 4, "Syntax: BDAT size [LAST]", reasonSyntax, budgetErrors)

	refuseNoHello      = refuse(503, 5, 5, 1, "Say EHLO first", reasonSequence, budgetErrors)
	refuseNestedMail   = refuse(503, 5, 5, 1, "A transaction is under way already", reasonSequence, budgetErrors)
	refuseNoMail       = refuse(503, 5, 5, 1, "Say MAIL first", reasonSequence, budgetErrors)
	refuseNoRecipients = refuse(554, 5, 5, 1, "No valid recipients", reasonSequence, budgetErrors)
	refuseInsideChunks = refuse(503, 5, 5, 1, "Not between chunks of a message", reasonSequence, budgetErrors)
	refuseNoRcpt       = refuse(503, 5, 5, 1, "No valid recipients", reasonSequence, budgetErrors)   // RFC 2033 4.2, 4.3
	refuseBinaryData   = refuse(503, 5, 5, 1, "BINARYMIME needs BDAT", reasonSequence, budgetErrors) // RFC 3030 3
	refuseHello        = refuse(500, 5, 5, 1, "LHLO belongs to LMTP, HELO and EHLO to SMTP", reasonUnsupported, budgetErrors)
	refuseTLSRunning   = refuse(503, 5, 5, 1, "TLS is running already", reasonSequence, budgetErrors)
	refuseTLSOff       = refuse(502, 5, 5, 1, "TLS is not offered", reasonUnsupported, budgetErrors)
	refuseTLSNotReady  = refuse(454, 4, 7, 0, "TLS is not available now", reasonTLS, budgetNone) // RFC 3207 4
	refuseTLSInjection = refuse(501, 5, 5, 1, "Nothing may follow STARTTLS before TLS runs", reasonTLS, budgetNone)
	refuseNeedsTLS     = refuse(530, 5, 7, 0, "This recipient takes mail over TLS only, say STARTTLS first", reasonTLS, budgetNone) // RFC 3207 4
	refuseNeedsTLSNow  = refuse(450, 4, 7, 0, "This recipient takes mail over TLS only, which is not available now", reasonTLS, budgetNone)
	refuseNotLoggedIn  = refuse(530, 5, 7, 0, "Log in first, under TLS", reasonAuth, budgetErrors) // RFC 4954 6
	refuseAuthInClear  = refuse(538, 5, 7, 11, "Not without TLS", reasonAuth, budgetErrors)        // RFC 4954 6
	refuseAuthTwice    = refuse(503, 5, 5, 1, "Logged in already", reasonSequence, budgetErrors)   // RFC 4954 4
	refuseMechanism    = refuse(504, 5, 5, 4, "Mechanisms are PLAIN and LOGIN", reasonUnsupported, budgetErrors)
	refuseBase64       = refuse(501, 5, 5, 2, "Not base64", reasonSyntax, budgetErrors)                        // RFC 4954 4
	refuseCredentials  = refuse(501, 5, 5, 2, "Not a message of PLAIN", reasonSyntax, budgetErrors)            // RFC 4616 2
	refuseCancelled    = refuse(501, 5, 7, 0, "Login cancelled", reasonAuth, budgetErrors)                     // RFC 4954 4
	refuseLongResponse = refuse(500, 5, 5, 6, "Response too long", reasonLine, budgetErrors)                   // RFC 4954 6
	refuseLogin        = refuse(535, 5, 7, 8, "User or password wrong", reasonAuth, budgetErrors)              // RFC 4954 6
	refuseLoginTrouble = refuse(454, 4, 7, 0, "Local trouble, please try again later", reasonAuth, budgetNone) // RFC 4954 6
	refuseLogins       = refuse(421, 4, 7, 0, "Too many failed logins, please try again later", reasonAuth, budgetNone)
	refuseUserLogins   = refuse(454, 4, 7, 0, "Too many failed logins of this user, please try again later", reasonAuth, budgetErrors)
	refuseProxy        = refuse(421, 4, 7, 0, "No PROXY header of a trusted proxy", reasonProxy, budgetNone) // never said
	refuseTooLarge     = refuse(552, 5, 3, 4, "Message too large", reasonSize, budgetNone)
	refuseTooLargeHere = refuse(552, 5, 2, 3, "Message too large for this recipient", reasonSize, budgetNone)
	refuseOtherLimit   = refuse(452, 4, 5, 3, "Recipient with another size limit, say SIZE or use another transaction", reasonSize, budgetNone)
	refuseOtherDecider = refuse(452, 4, 5, 3, "Recipient needs another transaction", reasonRecipients, budgetNone)
	refuseLongLine     = refuse(554, 5, 6, 0, "Message has a line that is too long", reasonLine, budgetNone)
	refuseLineEnds     = refuse(550, 5, 6, 0, "Message has a bare CR, a bare LF or a NUL", reasonLineEnds, budgetNone)
	refuseLoop         = refuse(554, 5, 4, 6, "Too many Received fields, mail loop", reasonLoop, budgetNone)
	refuseFull         = refuse(452, 4, 3, 1, "Storage is nearly full, please try again later", reasonDiskFull, budgetNone)
	refuseTrouble      = &refusal{Reply: ReplyStorageTrouble, reason: reasonStorage}
	refuseRecipients   = refuse(452, 4, 5, 3, "Too many recipients, send the rest in another transaction", reasonRecipients, budgetNone)
	refuseIdle         = refuse(421, 4, 4, 2, "Timeout, closing the connection", reasonTimeout, budgetNone)
	refuseErrors       = refuse(421, 4, 7, 0, "Too many errors, closing the connection", reasonBudget, budgetNone)
	refuseUnknown      = refuse(421, 4, 7, 0, "Too many refused recipients, closing the connection", reasonBudget, budgetNone)
	refuseCommands     = refuse(421, 4, 7, 0, "Too many commands, closing the connection", reasonBudget, budgetNone)
	refuseMessages     = refuse(421, 4, 7, 0, "Enough messages, please open another connection", reasonBudget, budgetNone)
	refuseConnections  = refuse(421, 4, 7, 0, "Too many connections, please try again later", reasonConnections, budgetNone)
	refuseSourceLimit  = refuse(421, 4, 7, 0, "Too many connections from your address", reasonConnections, budgetNone)
	refuseSourceRate   = refuse(421, 4, 7, 0, "Too many connections in a short time from your network", reasonRate, budgetNone)
	refuseRate         = refuse(421, 4, 7, 0, "Too many connections in a short time, please try again later", reasonRate, budgetNone)
	refuseHarvest      = refuse(450, 4, 7, 1, "Too many unknown recipients from your network, please try again later", reasonHarvest, budgetErrors)
	refuseEarlyTalker  = refuse(421, 4, 7, 0, "You spoke before the greeting", reasonEarly, budgetNone)
	refuseBlocked      = refuse(421, 4, 7, 1, "Your network is blocked for now", reasonBlocked, budgetNone)
	refuseSender       = refuse(550, 5, 7, 1, "This sender is blocked", reasonBlocked, budgetNone)
	refuseDraining     = refuse(421, 4, 3, 2, "Taking no mail at the moment, please try again later", reasonDrain, budgetNone)
	refuseDeferring    = refuse(451, 4, 3, 2, "Taking no mail at the moment, please try again later", reasonDefer, budgetNone)
	refuseFlight       = refuse(452, 4, 3, 1, "Too much mail is under way, please try again later", reasonFlight, budgetNone)
	refuseGreylisted   = refuse(451, 4, 7, 1, "Greylisted, please try again in a few minutes", reasonGreylisted, budgetNone)
	refuseEvicted      = refuse(421, 4, 7, 0, "Others wait for your place, please come again with mail", reasonConnections, budgetNone)
	refuseShutdown     = refuse(421, 4, 3, 2, "Shutting down, please try again later", reasonShutdown, budgetNone)
	refuseAborted      = refuse(421, 4, 4, 2, "Connection lost", reasonAborted, budgetNone)
	refusePanic        = refuse(421, 4, 3, 0, "Local trouble, please try again later", reasonPanic, budgetNone)
)
