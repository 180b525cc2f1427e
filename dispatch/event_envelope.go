package dispatch

// Envelope is what the SMTP session said of the mail (RFC 5321 section 2.3.1). Nothing in it comes from the header.
type Envelope struct {
	// MailFrom is the reverse-path; "" is the null reverse-path of bounces and automatic mail.
	MailFrom string `json:"mail_from"`
	// RcptTo are the forward-paths that route to this endpoint, in the order of the session. A local-part is quoted
	// where RFC 5321 wants it.
	RcptTo []string `json:"rcpt_to"`
	// Helo is what the peer called itself. It proves nothing.
	Helo string `json:"helo"`
	// RemoteIP is the address of the client; empty where the mail came through a unix socket.
	RemoteIP string `json:"remote_ip"`
	// RemoteHost is the PTR name of RemoteIP if that name resolves back to it; else null.
	RemoteHost *string `json:"remote_host"`
	// TLS is null when the mail came in clear.
	TLS *TLS `json:"tls"`
	// SMTPUTF8 says that the session asked for internationalised addresses (RFC 6531).
	SMTPUTF8 bool `json:"smtputf8"`
	// AuthUser is who logged in, on a submission listener; else null.
	AuthUser *string `json:"auth_user"`
	// Listener is the name of the listener that the mail came in by.
	Listener string `json:"listener"`
}

// TLS is the TLS session that the mail came through.
type TLS struct {
	Version     string `json:"version"`      // for example "TLS 1.3"
	CipherSuite string `json:"cipher_suite"` // IANA name
	ServerName  string `json:"server_name"`  // the name that the peer asked for (SNI); "" if none
}

// Recipient is one forward-path taken apart, with the route it took.
type Recipient struct {
	// Address is the forward-path, the same text as in rcpt_to.
	Address string `json:"address"`
	// LocalPart and Detail are the parts before and after the first "+" of the local-part; Detail is "" without one.
	LocalPart string `json:"local_part"`
	Detail    string `json:"detail"`
	// Domain as the peer wrote it.
	Domain string `json:"domain"`
	// Route is the id of the route that matched, "rt_" and a ULID; null for postmaster and abuse where no route names
	// them (RFC 5321 section 4.5.1, RFC 2142).
	Route *string `json:"route"`
	// Captures are the named groups of a regular expression route; an empty object when it has none.
	Captures map[string]string `json:"captures"`
	// Token is the verdict on a signed reply address; null when none was expected.
	Token *Token `json:"token"`
}

// Token is the verdict on the signed token of a reply address.
type Token struct {
	// Valid is false only where the route marks instead of refusing.
	Valid bool `json:"valid"`
	// Data is what was signed into the address; "" unless the token is valid or expired.
	Data string `json:"data"`
	// ExpiresAt is the end of its life; null: it never ends.
	ExpiresAt Time `json:"expires_at"`
	// Reason says why it is not valid: malformed, forged or expired; else null.
	Reason *string `json:"reason"`
}
