package inbound

import (
	"fmt"
	"strings"
	"time"
)

// TraceFields makes the Return-Path and the Received field for a message that leaves as mail or is shown as one (RFC
// 5321 section 4.4), each line ended by CR LF. They are made when they are wanted: the stored octets stay what the
// peer sent. id is our id of the message. The envelope's strings were sanitised when the session took them, so nothing
// of a stranger can break out of the fields.
func TraceFields(env *Envelope, hostname, id string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "Return-Path: <%s>\r\n", env.ReversePath)
	fmt.Fprintf(&b, "Received: from %s (%s)\r\n", fromDomain(env.Helo), tcpInfo(env))
	if env.TLS != nil {
		fmt.Fprintf(&b, "\t(using %s with cipher %s)\r\n", env.TLS.Version, env.TLS.CipherSuite)
	}
	fmt.Fprintf(&b, "\tby %s with %s id %s", hostname, protocol(env), id)
	if len(env.Recipients) == 1 { // with several it would tell each of the others
		fmt.Fprintf(&b, "\r\n\tfor <%s>", env.Recipients[0].Path)
	}
	fmt.Fprintf(&b, ";\r\n\t%s\r\n", env.ReceivedAt.UTC().Format(time.RFC1123Z))
	return []byte(b.String())
}

// fromDomain is the HELO argument where a Domain or an address-literal must stand; peers say all sorts of things.
func fromDomain(helo string) string {
	if _, rest, err := cutDomain(helo, false); err != nil || rest != "" {
		return "unknown"
	}
	return helo
}

// tcpInfo is TCP-info (RFC 5321 section 4.4).
func tcpInfo(env *Envelope) string {
	literal := "[" + env.RemoteIP.String() + "]"
	if !env.RemoteIP.IsValid() {
		return "unix socket"
	}
	if env.RemoteIP.Is6() {
		literal = "[IPv6:" + env.RemoteIP.String() + "]"
	}
	if env.RemoteHost != "" {
		return env.RemoteHost + " " + literal
	}
	return literal
}

// protocol is the word of RFC 3848 and RFC 6531 section 4.3.
func protocol(env *Envelope) string {
	word := "ESMTP"
	switch {
	case env.LMTP && env.SMTPUTF8:
		word = "UTF8LMTP"
	case env.LMTP:
		word = "LMTP"
	case env.SMTPUTF8:
		word = "UTF8SMTP"
	case !env.ESMTP:
		return "SMTP" // has no word for TLS or AUTH
	}
	if env.TLS != nil {
		word += "S"
	}
	if env.AuthUser != "" {
		word += "A"
	}
	return word
}
