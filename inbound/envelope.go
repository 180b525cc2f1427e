package inbound

import (
	"net/netip"
	"time"
)

// Envelope is what the SMTP session said of one message (RFC 5321 section 2.3.1). Nothing in it comes from the header
// of the message. It is stored as JSON beside the message and travels unchanged from the socket to the webhook.
type Envelope struct {
	ReversePath Path        `json:"reverse_path"` // zero: the null reverse-path
	Recipients  []Recipient `json:"recipients"`   // in the order of the RCPT commands, no forward-path twice
	Helo        string      `json:"helo"`         // argument of HELO or EHLO, sanitised
	ESMTP       bool        `json:"esmtp"`        // it was EHLO or LHLO that the peer said
	RemoteIP    netip.Addr  `json:"remote_ip"`    // address of the client, never an IPv4-mapped IPv6 one; zero: a unix socket
	RemoteHost  string      `json:"remote_host"`  // PTR name that resolves back to RemoteIP; empty if unknown
	TLS         *TLS        `json:"tls"`          // nil: the data came in clear
	SMTPUTF8    bool        `json:"smtputf8"`     // MAIL FROM carried SMTPUTF8 (RFC 6531)
	AuthUser    string      `json:"auth_user"`    // who logged in; empty on a listener without AUTH
	Listener    string      `json:"listener"`     // name of the listener, for example "mx"
	LMTP        bool        `json:"lmtp"`         // it speaks LMTP: RemoteIP is that of the mail server in front of us
	ReceivedAt  time.Time   `json:"received_at"`  // when the last octet of the data was read, UTC

	// TraceParent is the context of the trace that the message belongs to, as the field traceparent of W3C Trace Context has it;
	// empty where it is not traced. Attempts continue the trace, also after a restart.
	TraceParent string `json:"traceparent,omitempty"`
	// Session is what was said on the connection before the content: commands and replies, without credentials. Of a long
	// one parts are missing.
	Session string `json:"session,omitempty"`

	// Reputation is what lists say of the client; nil where none was asked.
	Reputation *Reputation `json:"reputation,omitempty"`
	// ScanResults says what scanners made of the message; nil where none was asked.
	ScanResults *ScanResults `json:"scan_results,omitempty"`
	// AuthResults says what the checks of the sender found out; nil where the sender was not checked. Unlike the rest it
	// comes from the header too.
	AuthResults *AuthResults `json:"auth_results,omitempty"`
}

// Decider is the id of the endpoint whose answer decides whether the message is accepted; empty where none does. All
// recipients of a transaction have the same.
func (e *Envelope) Decider() string {
	if len(e.Recipients) == 0 {
		return ""
	}
	return e.Recipients[0].Decider()
}

// RemoteAddress is RemoteIP as text; empty where the message came through a unix socket.
func (e *Envelope) RemoteAddress() string { return textOf(e.RemoteIP) }

// TLS describes the TLS session that a message came through.
type TLS struct {
	Version     string `json:"version"`      // for example "TLS 1.3"
	CipherSuite string `json:"cipher_suite"` // IANA name
	ServerName  string `json:"server_name"`  // SNI the client asked for; empty if none
}

// Recipient is one accepted forward-path with what the routes decided about it at RCPT. The decision is kept with the
// message, so that a configuration reload between RCPT and the delivery changes nothing for a mail that was accepted.
type Recipient struct {
	Path Path `json:"path"`
	Decision
	// Quarantined says that the message failed DMARC and that the domain of the recipient wants it marked.
	Quarantined bool `json:"quarantined,omitempty"`
}

// Decision is the answer of the routes to one forward-path.
type Decision struct {
	// Refuse, when not nil, is the answer to RCPT; the other fields are then empty.
	Refuse *Reply `json:"-"`
	// Account owns the domain ("acc_" and a ULID).
	Account string `json:"account"`
	// Route is the id of the route that matched ("rt_" and a ULID).
	Route string `json:"route"`
	// Endpoints are the ids ("ep_" and a ULID) that the mail is owed to. Empty: accepted and discarded.
	Endpoints []string `json:"endpoints"`
	// Apart are those of Endpoints that get an event for this recipient alone.
	Apart []string `json:"apart,omitempty"`
	// LocalPart and Detail are the local-part taken apart at "+": "reply+k3y" gives "reply" and "k3y".
	LocalPart string `json:"local_part"`
	Detail    string `json:"detail"`
	// Captures are the named groups of a regular expression route; nil when there are none.
	Captures map[string]string `json:"captures,omitempty"`
	// Token is the verdict on the signed token of a reply address; nil where the route looks for none.
	Token *Token `json:"token,omitempty"`
	// Sync says that the answer of the endpoint, of which there is one, decides whether the message is accepted.
	Sync bool `json:"sync,omitempty"`
	// MaxSize is the size in octets up to which the recipient takes a message; 0: whatever the server takes.
	MaxSize int64 `json:"-"`
	// RequireTLS refuses the recipient on a connection in clear, on listeners of the kind MX.
	RequireTLS bool `json:"-"`
	// Check, when not empty, is what [Config.CheckRecipient] is asked about the recipient.
	Check string `json:"-"`
	// DMARC is what the domain of the recipient wants done with a message that fails DMARC.
	DMARC DMARCAction `json:"-"`
	// Greylist says that the domain of the recipient wants greylisting.
	Greylist bool `json:"-"`
}

// Decider is the id of the endpoint whose answer decides about a message for the recipient; empty where none does.
func (d *Decision) Decider() string {
	if !d.Sync || len(d.Endpoints) != 1 {
		return ""
	}
	return d.Endpoints[0]
}

// Token is the verdict on the signed token of a reply address.
type Token struct {
	Valid   bool      `json:"valid"`            // false only where the route marks instead of refusing
	Data    string    `json:"data"`             // what was signed; empty where nothing genuine was found
	Expires time.Time `json:"expires,omitzero"` // zero: never
	Reason  string    `json:"reason,omitempty"` // why it is not valid: malformed, forged or expired
}
