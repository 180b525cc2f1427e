package storage

// Access is how requests prove to a receiver who sends them, and the way that they take there. At most one of Username, Bearer
// and OAuth is set. It holds secrets: never log it.
type Access struct {
	// Username and Password are sent as basic authentication (RFC 7617).
	Username, Password string
	// Bearer is a fixed token (RFC 6750).
	Bearer string
	// OAuth gets tokens that expire; nil: none.
	OAuth *OAuthClient

	// Certificate and Key are a client certificate with its chain and its private key, PEM; empty: none.
	Certificate, Key []byte
	// Authorities are the roots, PEM, that sign the receiver's certificate and that of the token endpoint, in the place of the
	// system's; empty: those of the system.
	Authorities []byte

	// Proxy is the URL of an HTTP proxy that every request goes through; empty: none. Behind one, what the host of the URL may
	// resolve to is for the proxy to judge.
	Proxy string
}

// OAuthClient is a client that gets its tokens with credentials of its own (RFC 6749 section 4.4).
type OAuthClient struct {
	TokenURL     string
	ID, Secret   string
	Scopes       []string
	Params       map[string]string // further parameters of the request, for example audience
	SecretInBody bool              // ID and Secret go in the body in place of basic authentication (section 2.3.1)
}
